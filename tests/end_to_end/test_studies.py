"""Every study of experiments/ in miniature, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import ROOT, process_as_before, run_folders

from lrd.cli import main
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
    first, *lines = drawn.out.splitlines()
    assert first.startswith(f"figures in {tmp_path / 'figures'}, ")
    figures = {line.strip() for line in lines}  # a line each
    assert {"gap_wall", "gradient_flow", "learning_curves"} <= figures
    assert len(figures) == len(lines)
    written = {path.name: path for path in (tmp_path / "figures").iterdir()}
    suffixes = (".pdf", ".png", ".csv", ".json") if name in WITH_PICTURES else (".csv", ".json")
    assert {f"{figure}{suffix}" for figure in figures for suffix in suffixes} <= written.keys()
    assert {Path(file).suffix for file in written} == set(suffixes)
    assert all(
        path.stat().st_size > 1000 or len(path.read_text(encoding="utf-8").splitlines()) > 1
        for path in written.values()
    )
    assert drawn.err == ""


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
