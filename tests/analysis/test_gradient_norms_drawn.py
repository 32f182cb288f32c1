"""The training gradient through training: its numbers, against the made-up records they come from."""

from __future__ import annotations

import json
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from drawn import grouped, is_band_of, number, rows_of
from synthetic import Made, MadeStudy, norms_of

from lrd.figures import NotMeasuredError
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study
from lrd.records.schema import GRADIENT_NORMS_COLUMNS

gradient_norms = load_script("gradient_norms")


def counted(run: Made, variable: str, update: int) -> np.ndarray | None:
    """The norms that count at an update: the run's own, or its last ones once it has ended."""
    mine = {at: norms for (at, of), norms in norms_of(run).items() if of == variable}
    if update in mine:
        return mine[update]
    return mine[max(mine)] if mine and run.state == "finished" and update > max(mine) else None


@pytest.mark.slow
def test_the_bands_over_seeds_of_five_steps(study: MadeStudy, tmp_path: Path) -> None:
    gradient_norms.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "gradient_norms.csv")
    groups = grouped(study.runs)
    seen = set()
    for row in rows:
        runs = groups[row["panel"], row["label"], int(row["gap"])]
        t, update = int(row["t"]), int(row["update"])
        known = [norms for run in runs if (norms := counted(run, row["variable"], update)) is not None]
        assert is_band_of(row, [float(norms[t]) for norms in known])
        assert number(row["greatest"]) == pytest.approx(np.median([norms[t] + 0.5 for norms in known]), rel=1e-8)
        seen.add((row["panel"], row["label"], row["gap"], row["variable"], row["step"], t))
    steps = {step: set() for step in gradient_norms.STEPS}
    for panel, _, gap, _, step, t in seen:
        steps[step].add((panel, gap, t))
    lengths = {(run.task, str(run.gap)): next(iter(run.profiles.values())).size for run in study.runs}
    for quarter, step in enumerate(gradient_norms.STEPS):
        assert steps[step] == {(*place, (length - 1) * quarter // 4) for place, length in lengths.items()}
    assert {row["variable"] for row in rows if row["label"] == "lstm"} == {"h", "c"}


def small(root: Path, norms: dict[int, list[float]], seed: int = 0) -> Path:
    """A run that is still running, of one sequence of two steps."""
    record = RunRecord(root, "small", f"run{seed}")
    spec = {"task": {"name": "copy", "gap": 1}, "cell": {"name": "rnn", "label": None}, "seed": seed}
    record.create({"spec": spec, "task": {}, "parameters": 1})
    rows = [
        dict.fromkeys(GRADIENT_NORMS_COLUMNS, norm)
        | {"layer": 1, "direction": "forward", "variable": "h", "t": t, "updates": 1, "update": update}
        for update, of_steps in norms.items()
        for t, norm in enumerate(of_steps)
    ]
    if norms:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        record.write_table("gradient_norms", columns, GRADIENT_NORMS_COLUMNS)
    record.status("running", update=max(norms, default=0), max_updates=100)
    return root / "small"


def test_zeros_and_infinities_are_numbers_of_the_table(tmp_path: Path) -> None:
    """And five steps of two: the first and the last, each as often as it takes."""
    gradient_norms.draw(open_study(small(tmp_path, {1: [-inf, -1.0], 3: [nan, inf]})), tmp_path)
    rows = rows_of(tmp_path / "gradient_norms.csv")
    assert [(row["step"], row["t"], row["update"], row["median"], row["runs"]) for row in rows] == [
        *((step, "0", update, *what) for step in gradient_norms.STEPS[:4] for update, what in
          (("1", ("-inf", "1")), ("3", ("", "0")))),
        ("last step", "1", "1", "-1", "1"),
        ("last step", "1", "3", "inf", "1"),
    ]  # fmt: skip


def feet(monkeypatch: pytest.MonkeyPatch, study: Path, out: Path) -> str:
    """Draw the figure, and return the lines under it."""
    seen: list[str] = []
    monkeypatch.setattr(gradient_norms.layout, "foot", lambda figure, lines: seen.extend(lines))
    gradient_norms.draw(open_study(study), out)
    return " ".join(seen)


def test_of_how_many_runs_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On some machines runs have the table that they have not on others."""
    study = small(tmp_path, {1: [-2.0, -1.0]})
    assert "recorded" not in feet(monkeypatch, study, tmp_path)
    assert "solid: geometric mean over samples" in feet(monkeypatch, study, tmp_path)
    small(tmp_path, {1: [-4.0, -1.0]}, seed=1)
    small(tmp_path, {}, seed=2)
    assert feet(monkeypatch, study, tmp_path).endswith(" 2 of 3 runs recorded these norms.")
    first = rows_of(tmp_path / "gradient_norms.csv")[0]
    assert (first["median"], first["runs"]) == ("-3", "2")
    manifest = json.loads((tmp_path / "gradient_norms.json").read_text(encoding="utf-8"))
    assert (manifest["runs"], manifest["runs_of_study"]) == (["run0", "run1"], 3)


def test_a_table_that_ends_before_its_run_is_not_carried_on(tmp_path: Path) -> None:
    """As of a run that went on where its kernel gave none."""
    study = small(tmp_path, {1: [-2.0, -1.0]})
    small(tmp_path, {1: [-4.0, -1.0], 5: [-4.0, -1.0], 10: [-4.0, -1.0]}, seed=1)
    for seed, update in ((0, 10), (1, 10)):
        record = RunRecord(tmp_path, "small", f"run{seed}")
        record.finish({"outcome": "unsolved", "update": update})
    gradient_norms.draw(open_study(study), tmp_path)
    rows = [row for row in rows_of(tmp_path / "gradient_norms.csv") if row["step"] == "first step"]
    assert [(row["update"], row["median"], row["runs"]) for row in rows] == [
        ("1", "-3", "2"),
        ("5", "-4", "1"),
        ("10", "-4", "1"),
    ]


def test_without_the_table_it_names_the_option(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match=r"training\.gradient_norms=true"):
        gradient_norms.draw(open_study(begun), tmp_path)
