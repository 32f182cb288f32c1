"""The picture of gradient flow through training: its rows, what stands for a run that ended, what is grey or white."""

from __future__ import annotations

from math import inf, log1p, nan
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn import grouped, number, rows_of
from synthetic import Made, MadeStudy

from lrd.figures import NotMeasuredError, layout
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study, schema

gradient_flow = load_script("gradient_flow")
gradient_heatmap = load_script("gradient_heatmap")


def measurements_of(run: Made, variable: str) -> dict[int, np.ndarray]:
    return {update: profile for (update, of), profile in run.profiles.items() if of == variable}


def moments_of(runs: list[Made]) -> list[int]:
    """Every measurement but the last of a run that ended, and the latest of these."""
    ends = [int(run.updates[-1]) for run in runs if run.state == "finished"]
    scheduled = [{update for update, _ in run.profiles} - {int(run.updates[-1])} for run in runs]
    going = [{update for update, _ in run.profiles} for run in runs if run.state != "finished"]
    return sorted(set().union(*scheduled, *going, {max(ends)}))


def at(run: Made, variable: str, update: int) -> np.ndarray | None:
    """The measurement that counts: the run's own, or its last once it has ended."""
    measured = measurements_of(run, variable)
    if update in measured:
        return measured[update]
    return measured[max(measured)] if run.state == "finished" and update > max(measured) else None


@pytest.fixture(scope="module")
def rows(study: MadeStudy, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    out = tmp_path_factory.mktemp("heatmap")
    gradient_heatmap.draw(open_study(study.folder), out)
    return rows_of(out / "gradient_heatmap.csv")


@pytest.mark.slow
def test_the_median_measurement_of_each_moment(study: MadeStudy, rows: list[dict[str, str]]) -> None:
    found = {
        (row["panel"], row["label"], int(row["gap"]), row["variable"], int(row["update"]), int(row["t"])): row
        for row in rows
    }
    expected: dict[tuple[Any, ...], tuple[float, int]] = {}
    carried = partly = 0
    for (task, label, gap), runs in grouped(study.runs).items():
        for variable in sorted({of for run in runs for _, of in run.profiles}):
            for update in moments_of(runs):
                known = [norms for run in runs if (norms := at(run, variable, update)) is not None]
                carried += any((update, variable) not in run.profiles for run in runs)
                partly += 0 < len(known) < len(runs)
                for t, values in enumerate(np.transpose(known)):
                    expected[task, label, gap, variable, update, t] = float(np.median(values)), len(known)
    assert set(found) == set(expected)
    assert carried
    assert partly
    for key, row in found.items():
        median, count = expected[key]
        assert number(row["median"]) == pytest.approx(median, rel=1e-8)
        assert int(row["runs"]) == count


def test_solved_is_the_median_over_all_runs(study: MadeStudy, rows: list[dict[str, str]]) -> None:
    found = {(row["panel"], row["label"], int(row["gap"])): number(row["solved_at"]) for row in rows}
    for key, runs in grouped(study.runs).items():
        times = sorted(float(run.updates[-1]) if run.outcome == "solved" else inf for run in runs)
        assert found[key] == (times[1] + times[2]) / 2
    assert inf in found.values()
    assert min(found.values()) < inf


def small_run(root: Path, seed: int, measured: dict[int, list[float]], end: int | None, **more: Any) -> None:
    """A run of three steps: ``measured`` are its log10 norms by update; finished at ``end`` unless that is None."""
    record = RunRecord(root, "small", f"run{seed}")
    spec = {"task": {"name": "copy", "gap": 1, "convention": "made up"}, "cell": {"name": "rnn"}, "seed": seed}
    record.create({"spec": spec, "task": {"smallest_lag": 2, "largest_lag": 2}, "parameters": 1})
    rows: dict[str, list[Any]] = {}
    for update, norms in measured.items():
        for t, norm in enumerate(norms):
            row: dict[str, Any] = {"update": update, "variable": "h", "part": "total", "answer": "last", "t": t}
            row |= {"layer": 1, "direction": "forward", "lag": 2 - t, "zero_share": 0.0} | more
            row |= {f"log10_{name}": norm for name in ("mean", "gmean", "q05", "q25", "q50", "q75", "q95")}
            for name, value in row.items():
                rows.setdefault(name, []).append(value)
    record.write_table("gradient_flow", rows)
    record.status("running", update=max(measured), max_updates=100)
    if end is not None:
        record.finish({"outcome": "unsolved", "update": end, "solved_at": None, "seconds": 1.0})


def test_zero_infinite_and_unmeasured_norms(tmp_path: Path) -> None:
    small_run(tmp_path, 0, {0: [-inf, -2.0, -1.0], 1: [-3.0, -2.0, -1.0], 5: [inf, nan, -1.0]}, end=5)
    gradient_heatmap.draw(open_study(tmp_path / "small"), tmp_path)
    rows = rows_of(tmp_path / "gradient_heatmap.csv")
    assert [(row["update"], row["t"], row["median"], row["runs"]) for row in rows] == [
        ("0", "0", "-inf", "1"),
        ("0", "1", "-2", "1"),
        ("0", "2", "-1", "1"),
        ("1", "0", "-3", "1"),
        ("1", "1", "-2", "1"),
        ("1", "2", "-1", "1"),
        ("5", "0", "inf", "1"),
        ("5", "1", "", "0"),
        ("5", "2", "-1", "1"),
    ]


def test_nothing_but_zeros_can_be_drawn(tmp_path: Path) -> None:
    small_run(tmp_path, 0, {key: [-inf, -inf, -inf] for key in (0, 1, 5)}, end=5)
    gradient_heatmap.draw(open_study(tmp_path / "small"), tmp_path)
    assert {row["median"] for row in rows_of(tmp_path / "gradient_heatmap.csv")} == {"-inf"}


def test_of_each_answer_the_last_is_drawn(tmp_path: Path) -> None:
    """As the slope is fitted to it; the answer before it lies a step earlier."""
    small_run(tmp_path, 0, {key: [-3.0, -2.0, -1.0] for key in (0, 1, 5)}, end=5)
    record = RunRecord(tmp_path, "small", "run0")
    rows = {name: column[:3] for name, column in record.read_table("gradient_flow").items()}
    earlier = {name: column[:2].copy() for name, column in rows.items()}
    earlier |= {"answer": np.array(["0", "0"], dtype=object), "lag": np.array([1, 0]), "log10_gmean": np.zeros(2)}
    last = rows | {"answer": np.array(["1"] * 3, dtype=object)}
    record.merge_measurement(
        "gradient_flow",
        5,
        {name: np.concatenate([earlier[name], last[name]]) for name in rows if name != "update"},
        {name: kind for name, kind in schema.GRADIENT_FLOW_COLUMNS.items() if name != "update"},
    )
    gradient_heatmap.draw(open_study(tmp_path / "small"), tmp_path)
    gradient_flow.draw(open_study(tmp_path / "small"), tmp_path, when="end")
    for figure in ("gradient_heatmap", "gradient_flow"):
        drawn = [row for row in rows_of(tmp_path / f"{figure}.csv") if row.get("update", "5") == "5"]
        assert [(row["t"], row["median"]) for row in drawn] == [("0", "-3"), ("1", "-2"), ("2", "-1")]


def test_the_line_of_solved_lies_between_the_measurements_around_it() -> None:
    _, ((axes,),) = layout.grid(1, 1, 1.0)
    gradient_heatmap._mark_solved(axes, np.array([0, 10, 100]), 40.0)
    gradient_heatmap._mark_solved(axes, np.array([0, 10, 100]), inf)
    (line,) = axes.lines
    expected = 1 + (log1p(40) - log1p(10)) / (log1p(100) - log1p(10))
    assert np.asarray(line.get_ydata())[0] == pytest.approx(expected, rel=1e-12)
    plt.close("all")


def test_colours_end_twenty_decades_from_the_answer() -> None:
    deep = np.array([[-400.0, -30.0, -1.0]])
    steps: Any = np.arange(3)
    nothing: Any = None
    colours, extend = gradient_heatmap._colours([(nothing, steps, deep, nothing)], 2)
    assert (colours.vmin, colours.vmax, extend) == (-21.0, -1.0, "min")
    colours, extend = gradient_heatmap._colours([(nothing, steps, -deep, nothing)], 2)
    assert (colours.vmin, colours.vmax, extend) == (1.0, 21.0, "max")
    colours, extend = gradient_heatmap._colours([(nothing, steps, deep, nothing)], 1)  # and a step after the answer
    assert (colours.vmin, colours.vmax, extend) == (-50.0, -10.0, "both")


def test_start_and_end_are_no_course_of_training(tmp_path: Path) -> None:
    small_run(tmp_path, 0, {key: [-3.0, -2.0, -1.0] for key in (0, 5)}, end=5)
    with pytest.raises(NotMeasuredError, match=r"between its start and its end: .*per_decade"):
        gradient_heatmap.draw(open_study(tmp_path / "small"), tmp_path)


def test_a_study_that_was_not_measured(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match=r"^no run was measured .*: train with probe=gradient_flow "):
        gradient_heatmap.draw(open_study(begun), tmp_path)
