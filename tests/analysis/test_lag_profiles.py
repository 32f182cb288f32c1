"""Lag profiles, and the lines of theory that two further probes give them, against what was written."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import grouped, number, rows_of
from matplotlib.figure import Figure
from synthetic import CELLS, Made, MadeStudy, make_study
from test_gradient_heatmap import small_run

from lrd.figures import NotMeasuredError, line_styles
from lrd.figures.scripts import load_script
from lrd.probes import PROBES
from lrd.records import RunRecord, open_study

lag_profiles = load_script("lag_profiles")

LAGS = (1, 3, 9)
GAIN = {"rnn": 0.05, "rnn g=2": 0.4}  # log10 of sigma_max(W)


def jacobian(run: Made, quantity: str, lag: int) -> float:
    """log10 of what is at most left after so many steps back."""
    below = {"bound": 0.0, "bound_slopes": 0.1, "sigma": 0.25}[quantity]
    return (GAIN.get(run.label, 0.0) - below + 0.01 * run.seed) * lag


def forget(run: Made, lag: int) -> float:
    return -(0.02 + 0.005 * run.seed) * lag


def table_of(rows: list[dict[str, Any]], types: dict[str, str]) -> dict[str, np.ndarray]:
    """The columns of a probe's table, what no row says left open."""
    kinds: dict[str, Any] = {"VARCHAR": object, "BIGINT": np.int64, "DOUBLE": np.float64}
    return {name: np.array([row.get(name, nan) for row in rows], dtype=kinds[kind]) for name, kind in types.items()}


def measure_again(root: Path, run: Made) -> None:
    """What ``lrd probe`` adds at the end of a run; at another update stands what must not be drawn."""
    record = RunRecord(root, "made", run.run_id)
    cell, _ = CELLS[run.label]
    rows: dict[str, list[dict[str, Any]]] = {"jacobian": [], "gates": []}
    for lag in LAGS:
        for quantity in ("sigma", "bound", "bound_slopes", "condition") if cell == "rnn" else ("sigma", "condition"):
            for index in (1, 2):
                value = jacobian(run, quantity, lag) if index == 1 and quantity != "condition" else 99.0
                row = {"block": "whole", "quantity": quantity, "lag": lag, "index": index, "unresolved": 0.0}
                rows["jacobian"].append(row | {"samples": 8} | {"log10_q50": value})
    for lag in range(30) if cell == "lstm" else ():
        for quantity, gate, variable, value in (
            ("to_answer", "forget", "c", forget(run, lag)),
            ("since_store", "forget", "c", 99.0),
            ("gate", "input", "", 0.5),
        ):
            labels = {"quantity": quantity, "gate": gate, "variable": variable}
            rows["gates"].append(labels | {"t": 29 - lag, "lag": lag, "mean": value, "q95": value / 4})
    for name, table in rows.items():
        if table:
            types = PROBES[name].tables()[name]
            columns = table_of([{"layer": 1, "direction": "forward"} | row for row in table], types)
            record.merge_measurement(name, int(run.updates[-1]), columns, types)
            wrong = {c: v + 1000.0 if types[c] == "DOUBLE" else v for c, v in columns.items()}
            record.merge_measurement(name, 0, wrong, types)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> MadeStudy:
    root = tmp_path_factory.mktemp("theory")
    runs = make_study(root, tasks=("copy",), gaps=(10,), seeds=4)
    for run in runs:
        measure_again(root, run)
    return MadeStudy(root / "made", runs)


def curves(path: Path) -> dict[tuple[Any, ...], dict[int, dict[str, str]]]:
    found: dict[tuple[Any, ...], dict[int, dict[str, str]]] = {}
    for row in rows_of(path):
        key = row["panel"], row["label"], int(row["gap"]), row["variable"], row["curve"]
        assert int(row["lag"]) not in found.setdefault(key, {})
        found[key][int(row["lag"])] = row
    return found


def same(curve: dict[int, dict[str, str]], runs: list[Made], value: Callable[[Made, int], float]) -> None:
    """Median, least and greatest over the runs at every lag of a curve."""
    for lag, row in curve.items():
        values = [value(run, lag) for run in runs]
        expected = (float(np.median(values)), min(values), max(values))
        assert tuple(number(row[name]) for name in ("median", "low", "high")) == pytest.approx(expected, rel=1e-8)
        assert (int(row["runs"]), row["band"]) == (len(runs), "min-max")


@pytest.mark.slow
def test_what_is_left_of_the_gradient(study: MadeStudy, tmp_path: Path) -> None:
    lag_profiles.draw(open_study(study.folder), tmp_path)
    found = curves(tmp_path / "lag_profiles.csv")
    for (task, label, gap), runs in grouped(study.runs).items():
        finished = [run for run in runs if run.state == "finished"]
        for variable in sorted({of for run in runs for _, of in run.profiles}):
            key = task, label, gap, variable
            length = len(runs[0].profiles[0, variable])
            for curve, moment in (("before training", 0), ("after training", -1)):
                assert sorted(found[*key, curve]) == list(range(length))

                def left(run: Made, lag: int, of: str = variable, moment: int = moment) -> float:
                    norms = run.profiles[int(run.updates[-1]) if moment else 0, of]
                    return float(norms[-1 - lag] - norms[-1])

                same(found[*key, curve], finished, left)
            assert sorted(found[*key, "slope"]) == [0, length - 1]
            same(found[*key, "slope"], finished, lambda run, lag, of=variable: fitted(run, of, lag))


def fitted(run: Made, variable: str, lag: int) -> float:
    """The line of the slope, as high as the middle of the profile."""
    end = int(run.updates[-1])
    slope, norms = run.slopes[end, variable], run.profiles[end, variable]
    heights = [norm - norms[-1] + slope * lag for lag, norm in enumerate(norms[::-1])]
    return float(np.median(heights)) - slope * lag


def ended(study: MadeStudy, label: str) -> list[Made]:
    return [run for run in grouped(study.runs)["copy", label, 10] if run.state == "finished"]


@pytest.mark.slow
def test_theory_where_a_probe_took_it(measured: MadeStudy, tmp_path: Path) -> None:
    lag_profiles.draw(open_study(measured.folder), tmp_path)
    found = curves(tmp_path / "lag_profiles.csv")
    theory = {key for key in found if key[-1] not in ("before training", "after training", "slope")}
    jacobians = {("copy", label, 10, "h", name) for label in GAIN for name in ("bound", "bound_slopes", "sigma")}
    products = {"gates": 1.0, "gates_q95": 0.25}
    assert theory == jacobians | {("copy", "lstm", 10, "c", name) for name in products}
    for key in jacobians:
        assert sorted(found[key]) == [0, *LAGS]
        runs = ended(measured, key[1])
        same(found[key], runs, lambda run, lag, quantity=key[-1]: jacobian(run, quantity, lag))
    for name, share in products.items():
        gates = found["copy", "lstm", 10, "c", name]
        assert sorted(gates) == list(range(30))
        same(gates, ended(measured, "lstm"), lambda run, lag, share=share: share * forget(run, lag))


def test_a_sum_over_answers_is_beyond_the_theory_of_one(tmp_path: Path) -> None:
    small_run(tmp_path, 0, {0: [-3.0, -2.0, -1.0], 5: [-2.0, -1.5, -1.0]}, end=5, answer="all")
    types = PROBES["jacobian"].columns
    row = {"block": "whole", "quantity": "bound", "lag": 1, "index": 1, "samples": 8, "log10_q50": 0.1}
    RunRecord(tmp_path, "small", "run0").merge_measurement("jacobian", 5, table_of([row], types), types)
    lag_profiles.draw(open_study(tmp_path / "small"), tmp_path)
    assert {key[-1] for key in curves(tmp_path / "lag_profiles.csv")} == {"before training", "after training"}


def test_zeros_and_a_gradient_that_never_was(tmp_path: Path) -> None:
    small_run(tmp_path, 0, {0: [-inf, -2.0, -1.0]}, end=0)
    small_run(tmp_path, 1, {0: [-inf, -inf, -inf]}, end=0)
    lag_profiles.draw(open_study(tmp_path / "small"), tmp_path)
    found = curves(tmp_path / "lag_profiles.csv")["copy", "rnn", 1, "h", "before training"]
    assert [(found[lag]["median"], found[lag]["runs"]) for lag in (0, 1, 2)] == [("0", "1"), ("-1", "1"), ("-inf", "1")]


@pytest.mark.parametrize(
    ("norms", "text"),
    [
        ([-3.0, -2.0, -inf], "0 at the answer"),  # the past of a cell that keeps it: the answer reads it no more
        ([-inf, -inf, -1.0], "0 at other steps"),
    ],
)
def test_a_panel_without_a_line_says_where_there_is_no_gradient(norms: list[float], text: str) -> None:
    rows = {"run_id": np.array(["run0"] * 3), "lag": np.array([2, 1, 0]), "log10_gmean": np.array(norms)}
    lags, left = lag_profiles._left(rows)
    axes = Figure().add_subplot()
    lag_profiles._panel(axes, {"init": (lags, common_band(*left.values()))}, line_styles(["rnn"])["rnn"])
    assert [one.get_text() for one in axes.texts] == [text]


@pytest.mark.parametrize(
    ("least", "greatest", "bound", "expected"),
    [
        (-400.0, 0.0, -1.0, (-21.0, 1.0)),  # twenty decades, and a twentieth of that to either side
        (-0.2, 0.1, -1.0, (-1.055, 0.155)),
        (-10.0, 0.0, 40.0, (-10.5, 3.0)),  # room for a bound that lies above
    ],
)
def test_limits(least: float, greatest: float, bound: float, expected: tuple[float, float]) -> None:
    lags = np.array([0, 10])
    lines = {"end": (lags, common_band([0.0, least], [0.0, greatest])), "bound": (lags, common_band([0.0, bound]))}
    assert lag_profiles._limits(lines) == pytest.approx(expected)


def common_band(*lines: list[float]) -> Any:
    from lrd.stats import band

    return band(lines)


def test_a_study_that_was_not_measured(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match="gradient_flow"):
        lag_profiles.draw(open_study(begun), tmp_path)
