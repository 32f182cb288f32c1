"""Every study of experiments/ in miniature, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import LRD, ROOT, process_as_before, run, run_folders

from lrd.cli import main
from lrd.figures.scripts import LEAD
from lrd.findings import check_hypotheses, read_hypotheses
from lrd.records import RunRecord, open_study

STUDIES = sorted(path.stem for path in (ROOT / "experiments").glob("*.yaml"))
#: Of these pictures are drawn too. Between them and ``test_custom`` every script draws some of real records; the rest
#: of what a study shows stands in its tables, and what a panel takes in its layout.
WITH_PICTURES = ("demo", "text")


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_trains_and_draws_its_figures(
    name: str,
    miniature: Callable[[str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    if name not in WITH_PICTURES:
        request.getfixturevalue("numbers_alone")
    folder = miniature(name)
    study = folder / "runs" / name
    runs = run_folders(study)
    assert runs
    assert all(RunRecord(study.parent, name, run_id).finished for run_id in runs)
    assert f"{len(runs)} runs: 0 finished before, {len(runs)} to train" in (folder / "stdout").read_text(
        encoding="utf-8"
    )

    hypotheses = read_hypotheses(study)
    assert hypotheses == read_hypotheses(ROOT / "experiments" / f"{name}.yaml")
    findings = check_hypotheses(hypotheses, open_study(study))
    assert [finding.broken for finding in findings] == [""] * len(hypotheses)

    with process_as_before():
        assert main(["figures", str(study), "--out", str(tmp_path / "figures")]) == 0
    drawn = capsys.readouterr()
    written = {path.name: path for path in (tmp_path / "figures").iterdir()}
    figures = {path.stem for path in written.values() if path.suffix == ".json"} - {"survival_pairs"}  # a table alone
    assert {"gap_wall", "gradient_flow", "learning_curves"} <= figures
    *first, last = drawn.out.splitlines()
    assert last.startswith(f"{len(figures)} figures in {tmp_path / 'figures'}, each as ")
    lead = [f"see first: {tmp_path / 'figures' / LEAD}.png"]
    assert first == (lead if LEAD in figures else [])
    assert (LEAD in figures) == ("retention" in open_study(study).tables)
    suffixes = (".pdf", ".png", ".csv", ".json") if name in WITH_PICTURES else (".csv", ".json")
    assert {f"{figure}{suffix}" for figure in figures for suffix in suffixes} <= written.keys()
    assert {Path(file).suffix for file in written} == set(suffixes)
    assert all(
        path.stat().st_size > 1000 or len(path.read_text(encoding="utf-8").splitlines()) > 1
        for path in written.values()
    )
    assert drawn.err == ""


def test_what_the_demo_says_at_its_end_fits_on_one_screen(miniature: Callable[[str], Path], tmp_path: Path) -> None:
    folder = miniature("demo")
    said = (folder / "stdout").read_text(encoding="utf-8")
    drawn = run([LRD, "figures", "runs/demo", "--out", str(tmp_path), "--filter", "gap >= 40"], folder).stdout
    lines = [*said[said.index("\ntask ") + 1 :].splitlines(), *drawn.splitlines()]
    assert len(lines) <= 38  # beside the two commands that make echoes
    assert max(len(line.replace(str(tmp_path), "runs/demo/figures")) for line in lines) <= 100
    hypotheses = read_hypotheses(ROOT / "experiments" / "demo.yaml")
    rows = [line for line in lines if line.startswith(("holds ", "fails ", "undecided "))]
    assert all(f" {hypothesis.says} " in row for hypothesis, row in zip(hypotheses, rows, strict=True))  # whole
    assert lines[-2] == f"see first: {tmp_path / f'{LEAD}.png'}"
    assert (tmp_path / f"{LEAD}.png").is_file()


def test_the_demo_has_what_its_hypothesis_needs(miniature: Callable[[str], Path]) -> None:
    study = open_study(miniature("demo") / "runs" / "demo")
    grid = study.sql(
        "select task, cell, count(distinct gap), count(distinct seed) from runs where cell_gain = 1 group by all"
    ).fetchall()
    assert {row[:2] for row in grid} == {(t, c) for t in ("copy", "adding", "delay") for c in ("rnn", "lstm")}
    assert all(gaps >= 3 and seeds == 2 for _, _, gaps, seeds in grid)
    # beyond the edge gradients grow in the backward pass, elsewhere in the RNN they shrink
    slopes = study.columns("select cell_gain > 1 as beyond, slope_h_start as slope from runs where cell = 'rnn'")
    assert (slopes["slope"][slopes["beyond"]] < 0).all()
    assert (slopes["slope"][~slopes["beyond"]] > 0).all()
    # what is shown is readable at once in every cell, and the lead figure has a column for each
    shown = study.sql("select cell, max(score) from retention join runs using (run_id) group by all").fetchall()
    assert {cell for cell, score in shown if score > 0.9} == {"rnn", "lstm"}
    lead = study.sql(
        "select distinct coalesce(cell_label, cell) from runs where task = 'delay' and gap = 60"
    ).fetchall()
    assert {label for (label,) in lead} == {"rnn", "rnn beyond edge", "lstm"}
