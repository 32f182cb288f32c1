"""Gradient flow as it is read for figures: every measurement of one answer, its steps in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lrd.figures.flow_profiles import at_moments, flow_profiles
from lrd.records import RunRecord, open_study
from lrd.records.schema import GRADIENT_FLOW_COLUMNS, REAL

RUN = {"spec": {"task": {"name": "copy", "gap": 2}, "cell": {"name": "lstm"}, "seed": 0}, "task": {}, "parameters": 1}


def write(root: Path, run_id: str, rows: list[tuple[int, str, str, str, int, float]], ended: int | None) -> None:
    record = RunRecord(root, "made", run_id)
    record.create(RUN)
    update, variable, part, answer, t, norm = map(list, zip(*rows, strict=True))
    columns = {name: [0.0] * len(rows) for name, kind in GRADIENT_FLOW_COLUMNS.items() if kind == REAL}
    columns |= {
        "layer": [1] * len(rows),
        "direction": ["forward"] * len(rows),
        "update": update,
        "variable": variable,
        "part": part,
        "answer": answer,
        "t": t,
    }
    record.write_table("gradient_flow", columns | {"lag": [5 - one for one in t], "log10_gmean": norm})
    if ended is None:
        record.status("failed", update=9, max_updates=9)
    else:
        record.finish({"outcome": "solved", "update": ended})


def test_steps_are_in_order_and_those_of_the_last_answer(tmp_path: Path) -> None:
    backwards = [(0, "h", "total", "last", t, -float(t)) for t in (2, 0, 1)]
    write(tmp_path, "a", [*backwards, (0, "h", "direct", "last", 2, 7.0), (4, "c", "total", "last", 0, -9.0)], 4)
    several = [(0, "h", "total", answer, t, norm) for answer, norm in (("0", -1.0), ("10", -2.0)) for t in (0, 1)]
    write(tmp_path, "b", [*several, (0, "h", "total", "9", 0, -3.0)], None)
    study = open_study(tmp_path / "made")
    found = flow_profiles(study)
    assert flow_profiles(study) is found
    measured = {
        name: found.measurements[name].tolist() for name in ("run_id", "update", "variable", "answer", "number")
    }
    assert measured["run_id"] == ["a", "a", "b"]
    assert measured["update"] == [0, 4, 0]
    assert measured["variable"] == ["h", "c", "h"]
    assert measured["answer"] == ["last", "last", "last"]  # the last one measured, whatever it is called
    np.testing.assert_array_equal(found.measurements["ended"], [4, 4, np.nan])
    rows = found.rows({name: column[[2, 0]] for name, column in found.measurements.items()})
    assert rows["run_id"].tolist() == ["b"] * 2 + ["a"] * 3
    assert rows["t"].tolist() == [0, 1, 0, 1, 2]
    assert rows["lag"].tolist() == [5, 4, 5, 4, 3]
    assert rows["log10_gmean"].tolist() == [-2, -2, 0, -1, -2]


def test_no_measurement_at_all(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "made", "a")
    record.create(RUN)
    found = flow_profiles(open_study(tmp_path / "made"))
    assert len(found.measurements["run_id"]) == len(found.rows(found.measurements)["t"]) == 0
    chosen = at_moments(found.measurements, {"init": found.measurements["update"] == 0})
    assert len(chosen["moment"]) == 0
