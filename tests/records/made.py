"""Small records made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lrd.records import RunRecord
from lrd.records.schema import GRADIENT_FLOW_COLUMNS, REAL


def make_record(
    root: Path,
    run_id: str,
    updates: Sequence[int] = (0, 10, 20),
    finished: bool = True,
    tracker: Mapping[str, Any] | None = None,
) -> RunRecord:
    """A record of study ``s`` with a row and a measurement at every one of ``updates``."""
    record = RunRecord(root, "s", run_id)
    spec = {"task": {"name": "copy", "gap": 3}, "cell": {"name": "rnn"}, "seed": 0}
    run = {"spec": spec, "task": {"sequence_length": 3}, "parameters": 1}
    record.create(run | ({"tracker": dict(tracker)} if tracker is not None else {}))
    record.status("interrupted", update=updates[-1], max_updates=20)
    record.metrics({"update": list(updates), "eval_loss": [1.0 / (1 + update) for update in updates]})
    steps = [(update, t) for update in updates for t in range(3)]
    columns: dict[str, list[Any]] = {
        name: [-0.5 * (2 - t) for _, t in steps] for name, kind in GRADIENT_FLOW_COLUMNS.items() if kind == REAL
    }
    columns |= {"update": [u for u, _ in steps], "t": [t for _, t in steps], "lag": [2 - t for _, t in steps]}
    texts = (("direction", "forward"), ("variable", "h"), ("part", "total"), ("answer", "last"))
    columns |= {name: [text] * len(steps) for name, text in texts} | {"layer": [1] * len(steps)}
    record.write_table("gradient_flow", {name: columns[name] for name in GRADIENT_FLOW_COLUMNS})
    count = len(updates)
    part = {"layer": [1] * count, "direction": ["forward"] * count}
    fits = {
        "update": list(updates),
        **part,
        "variable": ["h"] * count,
        "slope": [0.5] * count,
        "horizon": [0.9] * count,
    }
    errors = {
        "slope_error": [0.1] * count,
        "samples": [4] * count,
        "fallen_e": [1.0] * count,
        "fallen_milli": [2.0] * count,
    }
    record.write_table("gradient_fit", {**fits, "points": [3] * count, **errors})
    if finished:
        record.finish({"outcome": "unsolved", "update": updates[-1], "seconds": 1.0, "test_loss": 0.5})
    return record
