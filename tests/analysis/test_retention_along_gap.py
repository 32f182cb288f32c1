"""Retention along the gap: medians over items and seeds as written, above the gradient flow of the same runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import finished, is_band_of, number, rows_of, update_at
from synthetic import Made, MadeStudy, make_study
from synthetic_probes import CHANCE, ITEMS, places, score

from lrd.figures import NothingToDrawError
from lrd.figures.scripts import load_script
from lrd.records import open_study

retention_along_gap = load_script("retention_along_gap")

pytestmark = pytest.mark.usefixtures("numbers_alone")


def of_row(runs: list[Made], row: dict[str, str]) -> list[Made]:
    place = row["panel"], int(row["gap"]), row["label"]
    return [run for run in finished(runs) if (run.task, run.gap, run.label) == place]


@pytest.mark.slow
@pytest.mark.parametrize("item", ["median", "final"])
def test_scores_are_of_the_item_asked_for(item: str, study: MadeStudy, tmp_path: Path) -> None:
    paths = retention_along_gap.draw(open_study(study.folder), tmp_path, item=item)
    rows = [row for path in paths if path.suffix == ".csv" for row in rows_of(path)]
    scores = [row for row in rows if row["quantity"] == "retention"]
    for row in scores:
        runs = of_row(study.runs, row)
        t = int(row["t"])
        assert t in {step for run in runs for step, _ in places(run)}
        items = ITEMS if item == "median" else (item,)
        values = [
            float(np.median([score(run, update_at(run, row["moment"]), one, row["variable"], t) for one in items]))
            for run in runs
        ]
        assert is_band_of(row, values), row
        assert number(row["chance"]) == CHANCE
    # 2 tasks x 2 gaps x (rnn h, rnn g=2 h, lstm h, lstm c) x 2 moments
    lines = {(row["panel"], row["gap"], row["label"], row["variable"], row["moment"]) for row in scores}
    assert len(lines) == 2 * 2 * 4 * 2
    assert min(int(row["runs"]) for row in scores if row["label"] == "rnn g=2") == 3  # one seed has no number there


@pytest.mark.slow
def test_below_stands_the_gradient_flow_of_the_same_runs(study: MadeStudy, tmp_path: Path) -> None:
    paths = retention_along_gap.draw(open_study(study.folder), tmp_path)
    gradients = [
        row for path in paths if path.suffix == ".csv" for row in rows_of(path) if row["quantity"] == "gradient"
    ]
    for row in gradients:
        runs = of_row(study.runs, row)
        profiles = [run.profiles[update_at(run, row["moment"]), row["variable"]] for run in runs]
        assert is_band_of(row, [float(profile[int(row["t"])]) for profile in profiles]), row
    steps = {(row["panel"], row["gap"]): set() for row in gradients}
    for row in gradients:
        steps[row["panel"], row["gap"]].add(int(row["t"]))
    assert {place: len(found) for place, found in steps.items()} == {
        ("adding", "10"): 10,
        ("adding", "30"): 30,
        ("copy", "10"): 30,
        ("copy", "30"): 50,
    }


def test_an_item_that_is_not_there_is_named(study: MadeStudy, tmp_path: Path) -> None:
    with pytest.raises(NothingToDrawError, match=r"no item 'last'.*there is final, first, middle, or median"):
        retention_along_gap.draw(open_study(study.folder), tmp_path, item="last")


def test_without_gradient_flow_the_scores_stand_alone(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), seeds=2)
    for name in ("gradient_flow", "gradient_fit"):
        for file in (tmp_path / "made").glob(f"*/{name}.parquet"):
            file.unlink()
    paths = retention_along_gap.draw(open_study(tmp_path / "made"), tmp_path / "out")
    assert {row["quantity"] for row in rows_of(paths[2])} == {"retention"}
