"""A run that was interrupted before tables said of which part of a network a row is goes on as one of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from helpers import run_spec

from lrd.cells import RNN
from lrd.records import RunRecord
from lrd.records.tracker import NullTracker
from lrd.spec import Place
from lrd.tasks import Delay
from lrd.training import train

PARTS = ("layer", "direction")
SPEC = run_spec(
    Delay(gap=1, tokens=4, alphabet=2),
    RNN(hidden_size=4),
    0,
    max_updates=6,
    eval_every=3,
    batch_size=4,
    eval_samples=20,
    test_samples=20,
    samples=3,
    gradient_norms=True,
)


def go(folder: Path, updates: int = 100) -> RunRecord:
    calls = iter(range(1000))
    place = Place(runs_dir=str(folder), study="s", checkpoint_seconds=1e-9)
    train([SPEC], place, NullTracker(), torch.device("cpu"), should_stop=lambda: next(calls) >= updates)
    return RunRecord(folder, "s", SPEC.run_id)


def tables_of(record: RunRecord) -> dict[str, dict[str, Any]]:
    names = sorted(path.stem for path in record.path.glob("*.parquet"))
    return {name: {key: values.tolist() for key, values in record.read_table(name).items()} for name in names}


def test_a_checkpoint_without_parts_goes_on_to_the_same_tables(tmp_path: Path) -> None:
    whole = go(tmp_path / "whole")
    record = go(tmp_path / "older", updates=4)
    assert not record.finished
    kept = record.load_checkpoint()
    assert kept is not None
    measured = kept["journal"]["looks"]
    assert {"gradient_flow", "gradient_fit", "gradient_norms"} <= measured.keys()
    for parts in measured.values():
        for part in parts:
            for column in PARTS:
                del part[column]
    record.save_checkpoint(kept)
    assert go(tmp_path / "older").finished
    found, expected = tables_of(record), tables_of(whole)
    assert repr(found) == repr({name: {key: expected[name][key] for key in found[name]} for name in found})
    assert {name: found[name].keys() for name in found} == {name: expected[name].keys() for name in expected}
