"""What of the test a run has met: in closed form for what has been trained, counted where nobody has said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import run_spec

from lrd.cells import RNN
from lrd.custom import load
from lrd.tasks import Adding, Memorisation
from lrd.training import overlap as module
from lrd.training.overlap import log10_sequences, overlap

CELL = RNN(hidden_size=3)


def test_what_was_trained_counts_and_not_what_might_have_been() -> None:
    spec = run_spec(Memorisation(gap=5), CELL, max_updates=1000, batch_size=4)
    assert overlap(spec, 2) == {"seen_share": pytest.approx(1 - (31 / 32) ** 8), "seen_counted": None}
    assert overlap(spec, 0)["seen_share"] == 0
    assert overlap(spec, 1000)["seen_share"] == pytest.approx(1, abs=1e-12)
    assert overlap(run_spec(Adding(gap=5), CELL), 1000) == {"seen_share": 0.0, "seen_counted": None}


OWN = """
from dataclasses import dataclass
from lrd.tasks import Permutation

@dataclass(frozen=True)
class Own(Permutation):
    def draw(self, stream, batch_size):
        batch = super().draw(stream, batch_size)
        {}
        return batch
"""


def own(folder: Path, body: str = "pass", more: str = "") -> Any:
    """A class of somebody's own, which draws what its base draws or something else."""
    path = folder / "own.py"
    path.write_text(OWN.format(body) + more)
    return load("task", f"{path}:Own")(gap=3, symbols=6)  # 32 sequences


def test_a_task_that_does_not_say_is_counted(tmp_path: Path) -> None:
    task = own(tmp_path)
    spec = run_spec(task, CELL, batch_size=5)
    assert log10_sequences(task) is None
    assert overlap(spec, 0) == {"seen_share": 0.0, "seen_counted": 0}
    found = overlap(spec, 6)
    assert found["seen_counted"] == 30
    expected = 1 - (31 / 32) ** 30
    assert abs(found["seen_share"] - expected) < 0.2
    seeds = torch.tensor([spec.seed])
    train = {str(task.batch(seeds, "train", k, 5).inputs[:, 0, s].tolist()) for k in range(6) for s in range(5)}
    test = task.batch(seeds, "test", 0, 256).inputs[:, 0]
    assert found["seen_share"] == sum(str(test[:, s].tolist()) in train for s in range(256)) / 256
    assert overlap(spec, 500)["seen_share"] == 1


def test_counting_stops_where_it_would_take_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = run_spec(own(tmp_path), CELL, batch_size=5)
    monkeypatch.setattr(module, "NUMBERS", 3 * 6 * 5 * 7)
    assert overlap(spec, 10**6)["seen_counted"] == 35


def test_a_class_that_draws_otherwise_than_its_base_is_not_taken_at_its_word(tmp_path: Path) -> None:
    spec = run_spec(own(tmp_path, "batch.inputs[:] = 1"), CELL, batch_size=16)
    assert overlap(spec, 1) == {"seen_share": 1.0, "seen_counted": 16}
    says = run_spec(own(tmp_path, "batch.inputs[:] = 1", "    likelihoods = ((1.0, 0.0),)\n"), CELL)
    assert overlap(says, 1) == {"seen_share": 1.0, "seen_counted": None}
