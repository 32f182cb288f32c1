"""The CSV of each figure against what was written into the records, computed here in another way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn import grouped, number, rows_of
from synthetic import Made, MadeStudy

from lrd.figures import NothingToDrawError
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study
from lrd.stats import Band

gap_wall = load_script("gap_wall")
gradient_flow = load_script("gradient_flow")
learning_curves = load_script("learning_curves")


def test_the_synthetic_study_has_what_goes_wrong_in_life(study: MadeStudy) -> None:
    states = {run.state for run in study.runs}
    assert states == {"finished", "failed", "interrupted"}
    assert {run.outcome for run in study.runs} == {"solved", "unsolved", "diverged", None}


def test_gap_wall(study: MadeStudy, tmp_path: Path) -> None:
    gap_wall.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "gap_wall.csv")
    expected = grouped(study.runs)
    assert [(row["panel"], row["label"], int(row["gap"])) for row in rows] == sorted(expected)
    for row in rows:
        runs = expected[row["panel"], row["label"], int(row["gap"])]
        solved = sum(run.outcome == "solved" for run in runs)
        assert int(row["count"]) == len(runs) == 4  # failed and interrupted runs too
        assert number(row["share"]) == solved / 4
        assert int(row["failed"]) == sum(run.state == "failed" for run in runs)
        assert int(row["unfinished"]) == sum(run.state == "interrupted" for run in runs)
        assert number(row["low"]) <= number(row["share"]) <= number(row["high"])
    # Wilson by hand at 4 of 4 with z = 1.959964: 1 / (1 + z^2/4)
    assert next(number(row["low"]) for row in rows if row["share"] == "1") == pytest.approx(0.510109, abs=1e-6)


def value_at(run: Made, update: int) -> float | None:
    """The loss of a run as learning_curves means it at one update; None where it was not measured."""
    seen = [float(loss) for at, loss in zip(run.updates, run.losses, strict=True) if at <= update]
    if not seen or (update > run.updates[-1] and run.state != "finished"):
        return None
    return float("inf") if run.outcome == "diverged" and (np.isnan(seen[-1]) or update > run.updates[-1]) else seen[-1]


def test_learning_curves(study: MadeStudy, tmp_path: Path) -> None:
    learning_curves.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "learning_curves.csv")
    assert {(row["panel"], row["label"], int(row["gap"])) for row in rows} == set(grouped(study.runs))
    stopped_early = diverged = 0
    for row in rows:
        runs = grouped(study.runs)[row["panel"], row["label"], int(row["gap"])]
        values = [value for run in runs if (value := value_at(run, int(row["update"]))) is not None]
        stopped_early += any(run.updates[-1] < int(row["update"]) and run.outcome == "solved" for run in runs)
        diverged += float("inf") in values
        assert int(row["runs"]) == len(values)
        assert number(row["median"]) == pytest.approx(float(np.median(values)), rel=1e-8)
        assert number(row["low"]) == pytest.approx(min(values), rel=1e-8)
        assert number(row["high"]) == pytest.approx(max(values), rel=1e-8)
        assert row["band"] == "min-max"
    assert stopped_early
    assert diverged


@pytest.mark.parametrize(("end", "top"), [(1e-2, 1e-2), (2e-4, 1e-3), (np.nan, 0.5)])
def test_a_curve_that_ends_far_above_chance_is_in_sight(end: float, top: float) -> None:
    """What it only passes there is cut off: chance is at 1e-4, and ten times as much is shown at any rate."""
    median = np.array([1.0, 0.5, end])
    figure, axes = plt.subplots()
    learning_curves._scale([axes], [Band(median, median, median, np.ones(3, int), "none")], [{"chance": 1e-4}])
    assert axes.get_ylim()[1] == pytest.approx(4 * top)
    plt.close(figure)


def test_gradient_flow(study: MadeStudy, tmp_path: Path) -> None:
    gradient_flow.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "gradient_flow.csv")
    seen = set()
    for row in rows:
        runs = grouped(study.runs)[row["panel"], row["label"], int(row["gap"])]
        finished = [run for run in runs if run.state == "finished"]
        at = [0 if row["moment"] == "init" else int(run.updates[-1]) for run in finished]
        profiles = [run.profiles[u, row["variable"]][int(row["t"])] for run, u in zip(finished, at, strict=True)]
        slope = np.median([run.slopes[u, row["variable"]] for run, u in zip(finished, at, strict=True)])
        assert int(row["runs"]) == len(finished)
        assert number(row["median"]) == pytest.approx(np.median(profiles), rel=1e-8)
        assert (number(row["low"]), number(row["high"])) == pytest.approx((min(profiles), max(profiles)), rel=1e-8)
        assert number(row["slope"]) == pytest.approx(slope, rel=1e-8)
        assert number(row["factor"]) == pytest.approx(10**-slope, rel=1e-7)
        assert number(row["horizon"]) == pytest.approx(np.log10(np.e) / slope if slope > 0 else np.inf, rel=1e-7)
        seen.add((row["panel"], row["gap"], row["label"], row["variable"], row["moment"]))
    # 2 tasks x 2 gaps x (rnn h, rnn g=2 h, lstm h, lstm c) x 2 moments
    assert len(seen) == 2 * 2 * 4 * 2
    steps = {int(row["t"]) for row in rows if (row["panel"], row["gap"]) == ("copy", "30")}
    assert steps == set(range(50))


@pytest.mark.slow
@pytest.mark.parametrize("when", ["init", "end"])
def test_gradient_flow_at_one_moment(study: MadeStudy, tmp_path: Path, when: str) -> None:
    gradient_flow.draw(open_study(study.folder), tmp_path, when=when)
    assert {row["moment"] for row in rows_of(tmp_path / "gradient_flow.csv")} == {when}


def small_run(root: Path, run_id: str, convention: str, answer: str, profile: list[float], slope: Any) -> None:
    """A finished adding run of two steps."""
    record = RunRecord(root, "small", run_id)
    task = {"name": "adding", "gap": 2, "convention": convention}
    record.create({"spec": {"task": task, "cell": {"name": "rnn"}, "seed": 0}, "task": {}, "parameters": 1})
    record.metrics({"update": [0, 5], "eval_loss": [0.2, None]})
    row = {
        "update": 0,
        "layer": 1,
        "direction": "forward",
        "variable": "h",
        "part": "total",
        "answer": answer,
        "zero_share": 0.0,
    }
    spread = dict.fromkeys(("mean", "gmean", "q05", "q25", "q50", "q75", "q95"), profile)
    flow = {name: [value] * 2 for name, value in row.items()} | {f"log10_{name}": v for name, v in spread.items()}
    record.write_table("gradient_flow", flow | {"t": [0, 1], "lag": [1, 0]})
    fits = {"update": [0], "layer": [1], "direction": ["forward"], "variable": ["h"], "slope": [slope]}
    fits |= {"horizon": [slope], "points": [2]}
    record.write_table(
        "gradient_fit", fits | {"slope_error": [0.1], "samples": [4], "fallen_e": [1.0], "fallen_milli": [2.0]}
    )
    record.finish({"outcome": "unsolved", "update": 5})


@pytest.mark.slow
def test_conventions_and_answers_are_kept_apart_and_exact_zeros_survive(tmp_path: Path) -> None:
    study = tmp_path / "small"
    zero = float("-inf")
    small_run(tmp_path, "a", "bai2018", "last", [zero, -1.0], float("nan"))
    small_run(tmp_path, "b", "arjovsky2016", "last", [-3.0, -1.0], 2.0)
    gap_wall.draw(open_study(study), tmp_path / "two")
    rows = rows_of(tmp_path / "two" / "gap_wall.csv")
    assert [(row["panel"], row["count"]) for row in rows] == [("adding (arjovsky2016)", "1"), ("adding (bai2018)", "1")]
    gradient_flow.draw(open_study(study), tmp_path / "two")
    rows = rows_of(tmp_path / "two" / "gradient_flow.csv")
    found = {(row["panel"], row["t"], row["moment"]): (row["median"], row["slope"]) for row in rows}
    assert found["adding (bai2018)", "0", "end"] == ("-inf", "")
    assert found["adding (arjovsky2016)", "0", "end"] == ("-3", "2")

    small_run(tmp_path, "c", "bai2018", "first", [-2.0, -1.0], 1.0)
    gradient_flow.draw(open_study(study), tmp_path / "three")
    panels = {row["panel"] for row in rows_of(tmp_path / "three" / "gradient_flow.csv")}
    assert panels == {
        "adding (arjovsky2016), answer: last",
        "adding (bai2018), answer: first",
        "adding (bai2018), answer: last",
    }
    learning_curves.draw(open_study(study), tmp_path / "three")
    rows = rows_of(tmp_path / "three" / "learning_curves.csv")
    assert {(row["update"], row["median"], row["low"], row["band"]) for row in rows if "arj" in row["panel"]} == {
        ("0", "0.2", "", "none")
    }


def test_a_metric_that_is_not_there_is_named(study: MadeStudy, tmp_path: Path) -> None:
    with pytest.raises(NothingToDrawError, match=r"no evaluation metric 'accuracy'.*there is loss"):
        learning_curves.draw(open_study(study.folder), tmp_path, metric="accuracy")
