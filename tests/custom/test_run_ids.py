"""Run ids are the names of records on disk: a change of the code must not rename runs that people have trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from written import CELL

from lrd.spec import job_from_config

OPTIMIZER, PROBES = {"name": "adam"}, {"gradient_flow": {}}


def run_id(folder: Path, **groups: Any) -> str:
    config = {"task": {"name": "copy"}, "cell": {"name": "lstm"}, "optimizer": OPTIMIZER, "training": {}} | groups
    if config["cell"].get("name") == "custom":
        (folder / "cell.py").write_text(CELL)
        config["cell"] = config["cell"] | {"path": f"{folder / 'cell.py'}:Leaky"}
    return job_from_config({"probe": PROBES} | config).run.run_id


CASES: dict[str, dict[str, Any]] = {
    "lstm-copy-T20-s0-565fa2995b": {},
    "lstm-copy-T20-s3-b3d3eb419f": {"seed": 3},
    "rnn-adding-T30-s0-5585c8726e": {
        "task": {"name": "adding", "gap": 30, "convention": "pascanu2013"},
        "cell": {"name": "rnn", "hidden_size": 12},
    },
    "gru-copy-T20-s0-27e4e06151": {"cell": {"name": "gru"}, "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.5}},
    "rnn-copy-T20-s0-1f09a1fffd": {"cell": {"name": "rnn"}, "training": {"omega": 2.0}},
    "lstm-copy-T20-s0-ced4966f74": {"training": {"h_detach": 0.25, "gradient_norms": True}},
    "lstm-copy-T20-s0-67e62ae5c0": {"training": {"gradient_norms": True}},
    "lstm-copy-T20-s0-62da9fadba": {"training": {"precision": "float64", "max_updates": 7}},
    "lstm-copy-T20-s0-d9dfe77708": {"probe": {}},
    "lstm-copy-T20-s0-c9225a0bc4": {"probe": {"jacobian": {}, "gradient_flow": {"samples": 8}}},
    "lstm-copy-T20-s0-6f2e0ff7e3": {
        "probe": {"lyapunov": {"steps": 50}, "gates": {}, "retention": {}, "memory_capacity": {}}
    },
    "lstm_peephole-copy-T20-s0-77b0c0c90c": {"cell": {"name": "lstm_peephole", "label": "peep"}},
    "clockwork-temporal_order-T40-s0-2b027d90ff": {
        "task": {"name": "temporal_order", "gap": 40},
        "cell": {"name": "clockwork"},
        "optimizer": {"name": "rmsprop", "clip": "value"},
    },
    "leaky-copy-T20-s0-25e815f799": {"cell": {"name": "custom", "hidden_size": 5, "leak": 0.25}},
    "lstm1997-long_lag-T100-s0-77fbf494d1": {
        "task": {"name": "long_lag"},
        "cell": {"name": "lstm1997"},
        "optimizer": {"name": "rmsprop_urnn"},
    },
}


@pytest.mark.parametrize("norms", [None, False])
def test_norms_that_are_off_or_on_by_themselves_are_in_no_name(norms: bool | None, tmp_path: Path) -> None:
    """Before null, the default was false."""
    assert run_id(tmp_path, training={"gradient_norms": norms}) == next(iter(CASES))


@pytest.mark.parametrize("expected", CASES)
def test_a_run_keeps_its_name(expected: str, tmp_path: Path) -> None:
    assert run_id(tmp_path, **CASES[expected]) == expected
