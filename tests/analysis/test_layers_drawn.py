"""Figures of networks of several layers: a line or panel each, and nothing of one layer in that of another.

A made-up study of one layer is copied, and to each row of its tables come one of a second layer and one of a cell that
reads backward, whose numbers are others by known amounts. What a figure draws of the first layer must then be what it
drew of the study before, and what it draws of the others must differ from it by these amounts.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import number, rows_of
from synthetic import MadeStudy, make_study

from lrd.figures.scripts import load_script
from lrd.records import open_study
from lrd.records.tables import read_table, write_table

pytestmark = pytest.mark.usefixtures("numbers_alone")

#: What is added to the numbers of each part that is not the first.
SHIFTS = {(2, "forward"): -0.25, (1, "backward"): 0.125}
#: Columns of tables that are shifted.
SHIFTED = ("log10_", "slope", "exponent", "mean", "q25", "q50", "q75", "q95", "score")
#: By figure: the columns of its CSV that are shifted, and what a shift by so much makes of a number there.
Change = Callable[[float, float], float]


def added(value: float, shift: float) -> float:
    return value + shift


def factor(value: float, shift: float) -> float:
    return value * 10**-shift


FIGURES: dict[str, tuple[tuple[str, ...], Change]] = {
    "gradient_flow": (("median", "low", "high"), added),
    "gradient_heatmap": (("median",), added),
    "gradient_norms": (("median", "low", "high", "greatest"), added),
    "regimes": (("factor",), factor),
    "slopes": (("factor",), factor),
    "lyapunov_slope": (("exponent",), added),
}
#: What says which line and point a row is of.
KEYS = (
    "panel",
    "gap",
    "label",
    "variable",
    "moment",
    "t",
    "update",
    "run_id",
    "step",
    "quantity",
    "what",
    "curve",
    "lag",
)


def deepen(folder: Path) -> None:
    """Give the tables of a study's runs a second layer and what reads backward."""
    for run in folder.glob("*/run.json"):
        known = json.loads(run.read_text())
        known["spec"]["cell"] |= {"layers": 2, "bidirectional": True}
        run.write_text(json.dumps(known))
        status = run.with_name("status.json")
        said = json.loads(status.read_text())
        said.pop("crc32", None)
        status.write_text(json.dumps(said))
        for path in run.parent.glob("*.parquet"):
            columns = read_table(path)
            if "layer" in columns:
                write_table(path, {name: with_parts(name, values) for name, values in columns.items()})


def with_parts(name: str, values: np.ndarray) -> np.ndarray:
    parts = [values]
    for (layer, direction), shift in SHIFTS.items():
        own: Any = values
        if name == "layer":
            own = np.full_like(values, layer)
        elif name == "direction":
            own = np.full_like(values, direction)
        elif name.startswith(SHIFTED) and name not in ("slope_error", "log10_std"):
            own = values + shift
        parts.append(own)
    return np.ma.concatenate(parts)  # type: ignore[no-untyped-call, no-any-return]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> MadeStudy:
    root = tmp_path_factory.mktemp("alone")
    return MadeStudy(root / "made", make_study(root, tasks=("copy",), labels=("rnn", "lstm"), seeds=2))


@pytest.fixture(scope="module")
def deep(study: MadeStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deep") / "made"
    shutil.copytree(study.folder, folder)
    deepen(folder)
    return folder


def drawn(folder: Path, figure: str, out: Path) -> list[dict[str, str]]:
    load_script(figure).draw(open_study(folder), out)
    return [row for path in sorted(out.glob("*.csv")) for row in rows_of(path)]


def key_of(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in KEYS)


@pytest.mark.parametrize("figure", FIGURES)
def test_each_part_has_numbers_of_its_own(study: MadeStudy, deep: Path, figure: str, tmp_path: Path) -> None:
    names, change = FIGURES[figure]
    alone = {key_of(row): row for row in drawn(study.folder, figure, tmp_path / "alone")}
    parts: dict[tuple[int, str], dict[tuple[str, ...], dict[str, str]]] = {}
    for row in drawn(deep, figure, tmp_path / "deep"):
        part = int(row.pop("layer")), row.pop("direction")
        assert key_of(row) not in parts.setdefault(part, {})
        parts[part][key_of(row)] = row
    assert parts.pop((1, "forward")) == alone
    assert parts.keys() == SHIFTS.keys()
    for part, rows in parts.items():
        assert rows.keys() == alone.keys()
        for key, row in rows.items():
            for name in names:
                expected = change(number(alone[key][name]), SHIFTS[part])
                assert number(row[name]) == pytest.approx(expected, rel=1e-6, nan_ok=True), (part, key, name)


def test_at_tested_gaps_metrics_are_of_the_network_and_factors_of_each_part(
    study: MadeStudy, deep: Path, tmp_path: Path
) -> None:
    names = ("panel", "gap", "label", "tested_gap", "quantity")
    alone = {tuple(row[name] for name in names): row for row in drawn(study.folder, "generalisation", tmp_path / "a")}
    seen: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for row in drawn(deep, "generalisation", tmp_path / "d"):
        key, part = tuple(row[name] for name in names), (row["layer"], row["direction"])
        seen.setdefault(part, set()).add(key)
        shift = SHIFTS.get((int(part[0]), part[1]), 0.0) if part[0] else 0.0
        for name in ("median", "low", "high"):
            expected = factor(number(alone[key][name]), shift)
            assert number(row[name]) == pytest.approx(expected, rel=1e-6, nan_ok=True), (key, part, name)
    factors = {key for key in alone if key[-1] == "factor a step back"}
    assert seen.pop(("", "")) == alone.keys() - factors
    assert seen == dict.fromkeys((("1", "forward"), *((str(layer), way) for layer, way in SHIFTS)), factors)


@pytest.mark.parametrize("figure", ["gates_along_gap", "retention_along_gap", "lag_profiles"])
def test_each_part_has_panels_of_its_own(study: MadeStudy, deep: Path, figure: str, tmp_path: Path) -> None:
    alone = sorted(map(key_of, drawn(study.folder, figure, tmp_path / "alone")))
    rows = drawn(deep, figure, tmp_path / "deep")
    for layer, direction in ((1, "forward"), *SHIFTS):
        mine = [key_of(row) for row in rows if (row["layer"], row["direction"]) == (str(layer), direction)]
        theory = {"gates", "gates_q95", "sigma", "bound", "bound_slopes"}
        expected = [key for key in alone if (layer, direction) == (2, "forward") or key[11] not in theory]
        assert sorted(mine) == expected
