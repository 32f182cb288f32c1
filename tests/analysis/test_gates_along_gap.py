"""Gates, products and gradients along the gap: the numbers drawn are those written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawn import finished, is_band_of, number, rows_of, update_at
from synthetic import MadeStudy, make_study
from synthetic_probes import GATES, gate, length, product

from lrd.figures import NothingToDrawError, NotMeasuredError
from lrd.figures.scripts import load_script
from lrd.records import open_study

gates_along_gap = load_script("gates_along_gap")


@pytest.fixture(scope="module")
def rows(study: MadeStudy, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    out = tmp_path_factory.mktemp("gates")
    gates_along_gap.draw(open_study(study.folder), out)
    return rows_of(out / "gates_along_gap.csv")


def test_every_line_is_the_band_over_finished_seeds(study: MadeStudy, rows: list[dict[str, str]]) -> None:
    for row in rows:
        runs = [
            run
            for run in finished(study.runs)
            if (run.task, run.gap, run.label) == (row["panel"], int(row["gap"]), row["label"])
        ]
        t, at = int(row["t"]), {run.run_id: update_at(run, row["moment"]) for run in runs}
        if row["quantity"] == "gate":
            values = [gate(run, at[run.run_id], row["what"], t) for run in runs]
            middle = float(np.median(values))
            quartiles = [number(row["q25"]), number(row["q75"])]
            assert quartiles == pytest.approx([middle - 0.1, middle + 0.15], rel=1e-8)
        elif row["quantity"].startswith("product"):
            values = [product(run, at[run.run_id], t) / (2 if "q95" in row["quantity"] else 1) for run in runs]
        else:
            profiles = [run.profiles[at[run.run_id], "c"] for run in runs]
            values = [float(profile[t] - profile[-1]) for profile in profiles]
        assert is_band_of(row, values), row


def test_every_gate_and_step_is_there(study: MadeStudy, rows: list[dict[str, str]]) -> None:
    assert {row["label"] for row in rows} == {"lstm"}  # the other cells have no gates
    steps = sum({(run.task, run.gap): length(run) for run in study.runs}.values())
    counts = Counter((row["quantity"], row["what"], row["moment"]) for row in rows)
    lines = [("gate", name) for name in GATES] + [("product", "c"), ("product q95", "c"), ("gradient", "c")]
    assert counts == {(*line, moment): steps for line in lines for moment in ("init", "end")}


def test_product_and_gradient_start_from_the_answer(rows: list[dict[str, str]]) -> None:
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        place = row["panel"], row["gap"]
        last[place] = max(last.get(place, 0), int(row["t"]))
    at_answer = [row for row in rows if int(row["t"]) == last[row["panel"], row["gap"]] and row["quantity"] != "gate"]
    assert len(at_answer) == 4 * 2 * 3
    assert {float(row["median"]) for row in at_answer} == {0.0}


def test_cells_without_gates_are_named(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), labels=("rnn",), seeds=1)
    with pytest.raises(NothingToDrawError, match="has a cell with gates") as caught:
        gates_along_gap.draw(open_study(tmp_path / "made"), tmp_path)
    assert not isinstance(caught.value, NotMeasuredError)


def test_without_gradient_flow_the_product_stands_alone(tmp_path: Path) -> None:
    """And a study whose first answer was followed has nothing to set beside the product up to the last one."""
    make_study(tmp_path, tasks=("copy",), gaps=(10,), labels=("lstm",), seeds=1)
    for file in (tmp_path / "made").glob("*/gradient_flow.parquet"):
        file.unlink()
    study = open_study(tmp_path / "made")
    gates_along_gap.draw(study, tmp_path / "out")
    assert {row["quantity"] for row in rows_of(tmp_path / "out" / "gates_along_gap.csv")} == {
        "gate",
        "product",
        "product q95",
    }
