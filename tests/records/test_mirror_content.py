"""What a mirror shows: the same from a journal's memory as from its record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrd.records import RunRecord
from lrd.records.mirror_content import (
    fits_missing,
    logged_updates,
    measurements_of,
    profiles_of,
    rows_of,
    scalars_of,
    summary_values,
    values_at_gaps,
)
from lrd.records.schema import GRADIENT_FLOW_COLUMNS

METRICS: list[dict[str, Any]] = [
    {"update": 0, "eval_loss": 2.0},
    {"update": 10, "eval_loss": float("nan"), "train_loss": 1.5},
]
FITS: list[dict[str, Any]] = [
    {
        "update": update,
        "variable": variable,
        "slope": 0.1 * update,
        "horizon": float("inf"),
        "points": 3,
        "slope_error": 0.1,
        "samples": 4,
        "fallen_e": 1.0,
        "fallen_milli": 2.0,
    }
    for update in (0, 3)
    for variable in "hc"
]


#: Of the fits at updates 0 and 3.
SCALARS = [(update, {f"slope_{v}": 0.1 * update, f"horizon_{v}": float("inf")}) for update in (0, 3) for v in "hc"]


def measurement(update: int) -> dict[str, np.ndarray]:
    """Two variables, two parts, three steps."""
    columns: dict[str, Any] = {name: np.full(12, -1.5) for name in GRADIENT_FLOW_COLUMNS}
    columns |= {name: np.tile(np.arange(3), 4) for name in ("t", "lag")}
    columns |= {name: np.full(12, text, dtype=object) for name, text in (("answer", "last"), ("part", "total"))}
    columns["update"], columns["layer"] = np.full(12, update), np.ones(12, dtype=np.int64)
    columns["direction"] = np.full(12, "forward", dtype=object)
    columns["variable"] = np.repeat(np.array(["h", "c", "h", "c"], dtype=object), 3)
    columns["part"] = np.repeat(np.array(["total", "direct"], dtype=object), 6)
    columns["log10_gmean"] = np.arange(12.0) + update
    return columns


def plain(found: Any) -> list[Any]:
    return [
        (m.update, {k: repr(v) for k, v in m.values.items()}, {k: v.tolist() for k, v in m.profiles.items()})
        for m in found
    ]


def test_a_moment_is_all_that_was_logged_at_its_update() -> None:
    norms: dict[str, Any] = {"update": np.full(2, 10), "variable": np.array(["h", "h"], dtype=object)}
    norms |= {"t": np.arange(2), "log10_gmean": np.array([-2.0, -1.0])}
    found = logged_updates(
        METRICS, SCALARS, {"gradient_flow": [measurement(0), measurement(3)], "gradient_norms": [norms]}
    )

    def flow(h: list[int], c: list[int]) -> dict[str, list[int]]:
        return {"gradient_flow/h": h, "gradient_flow/c": c}

    slopes = {"slope_h": "0.0", "horizon_h": "inf", "slope_c": "0.0", "horizon_c": "inf"}
    assert plain(found) == [
        (0, {"eval_loss": "2.0", **slopes}, flow([0, 1, 2], [3, 4, 5])),
        (3, slopes | {"slope_h": repr(0.1 * 3), "slope_c": repr(0.1 * 3)}, flow([3, 4, 5], [6, 7, 8])),
        (10, {"eval_loss": "nan", "train_loss": "1.5"}, {"gradient_norms/h": [-2, -1]}),
    ]


def test_each_part_of_a_network_has_pictures_of_its_own() -> None:
    first = measurement(3)
    parts = [first | {"layer": np.full(12, layer), "direction": np.full(12, direction, dtype=object),
                      "log10_gmean": first["log10_gmean"] + 100 * layer - 50 * (direction == "backward")}
             for layer, direction in ((1, "forward"), (1, "backward"), (2, "forward"))]  # fmt: skip
    whole = {name: np.concatenate([part[name] for part in parts]) for name in first}
    found = {name: values.tolist() for name, values in profiles_of("gradient_flow", whole).items()}
    assert found == {
        f"gradient_flow/{part}/{variable}": [shift + at + 3 for at in range(start, start + 3)]
        for part, shift in (("layer 1", 100), ("layer 1 backward", 50), ("layer 2", 200))
        for variable, start in (("h", 0), ("c", 3))
    }
    older = {name: values for name, values in first.items() if name not in ("layer", "direction")}
    assert profiles_of("gradient_flow", older).keys() == {"gradient_flow/h", "gradient_flow/c"}


def test_a_part_of_a_network_without_a_fit_is_missed() -> None:
    whole = measurement(3)
    whole["layer"] = np.repeat([1, 2], 6)
    fits = [{"update": 3, "layer": layer, "direction": "forward", "variable": v} for layer in (1, 2) for v in "hc"]
    assert fits_missing(fits, [whole]) == []
    assert fits_missing(fits[:3], [whole]) == [(3, "c")]
    assert fits_missing([{"update": 3, "variable": v} for v in "hc"], [measurement(3)]) == []  # of before layers


def test_a_record_gives_back_what_was_in_memory(tmp_path: Path) -> None:
    """NULL is nothing that was logged; nan is."""
    record = RunRecord(tmp_path, "s", "r")
    record.path.mkdir(parents=True)
    names = ("update", "eval_loss", "train_loss")
    record.metrics({name: [row.get(name) for row in METRICS] for name in names})
    measurements = [measurement(0), measurement(3)]
    record.write_table(
        "gradient_flow", {name: np.concatenate([part[name] for part in measurements]) for name in measurements[0]}
    )
    part = {"layer": [1] * len(FITS), "direction": ["forward"] * len(FITS)}
    record.write_table("gradient_fit", part | {name: [fit[name] for fit in FITS] for name in FITS[0]})
    scalars = scalars_of(lambda name: measurements_of(record.read_table(name)))
    read = logged_updates(
        rows_of(record.read_metrics()), scalars, {"gradient_flow": measurements_of(record.read_table("gradient_flow"))}
    )
    assert plain(read) == plain(logged_updates(METRICS, SCALARS, {"gradient_flow": measurements}))


def test_nothing_recorded_is_nothing_shown(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "s", "r")
    assert (
        rows_of(record.read_metrics())
        == measurements_of(record.read_table("gradient_flow"))
        == logged_updates([], [], {})
        == []
    )


def test_a_measurement_that_is_half_there_or_saw_nothing_has_no_scalars(tmp_path: Path) -> None:
    """gradient_flow has two tables; the gates of a cell without gates are a table without rows."""
    empty: dict[str, Any] = {name: np.empty(0) for name in ("update", "gate", "quantity", "lag", "mean")}
    tables = {"gradient_flow": [measurement(0), measurement(3)], "gates": [empty]}
    assert scalars_of(lambda name: tables.get(name, [])) == []


def test_a_summary_is_shown_with_the_price_of_an_update() -> None:
    assert summary_values({"update": 40, "seconds": 2.0}) == {"update": 40, "seconds": 2.0, "seconds_per_update": 0.05}
    for partial in ({}, {"update": 0, "seconds": 1.0}, {"update": 3}, {"update": 3, "seconds": None}):
        assert summary_values(partial) == partial


def test_tests_at_other_gaps_are_shown_by_metric_and_gap() -> None:
    columns: dict[str, Any] = {"tested_gap": np.array([5, 200, 200]), "value": np.array([0.5, 0.25, 2.0])}
    columns["metric"] = np.array(["accuracy", "accuracy", "loss"], dtype=object)
    expected = {"test_accuracy_at_gap_5": 0.5, "test_accuracy_at_gap_200": 0.25, "test_loss_at_gap_200": 2.0}
    assert values_at_gaps(columns) == expected
    assert values_at_gaps({}) == {}


@pytest.mark.parametrize("lost", [0, 1, 3])
def test_a_table_of_fits_that_lost_a_row_is_found_out(lost: int) -> None:
    measurements = [measurement(0), measurement(3)]
    assert fits_missing(FITS, measurements) == []
    row = FITS[lost]
    assert fits_missing(FITS[:lost] + FITS[lost + 1 :], measurements) == [(row["update"], row["variable"])]
