"""The formula of a pack's memory against torch's own count of what it allocates."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from helpers import run_spec
from torch.autograd.profiler import profile

from lrd.cells import GRU, LSTM, LSTM1997, RNN, Attentive, Cell, Clockwork, CoupledLSTM, PeepholeLSTM
from lrd.probes import Subject
from lrd.spec import Evaluation, RunSpec
from lrd.sweeps.sizes import kept_numbers, pack_bytes
from lrd.tasks import Adding, Copy, Delay, Task
from lrd.training import Pack

CPU = torch.device("cpu")


@dataclass(frozen=True)
class LoopedLSTM(LSTM):
    """A kind that no fast kernel knows."""


@dataclass(frozen=True)
class LoopedRNN(RNN):
    """A kind that no fast kernel knows."""


def peak(call: Callable[[], Any]) -> int:
    """Bytes that torch's allocator handed out at most at once while ``call`` ran."""
    gc.collect()
    with profile(profile_memory=True) as seen:  # torch.profiler's would make objects of all that ran, for no one
        kept = call()
    events = [(e.start_ns(), e.nbytes()) for e in seen.kineto_results.events() if e.name() == "[memory]"]
    assert events
    held = most = 0
    for _, size in sorted(events):
        held += size
        most = max(most, held)
    del kept
    return most


def train(spec: RunSpec, runs: int) -> Pack:
    """What a pack does, once each, twice where the second time there is more to hold."""
    pack = Pack.of_copies(spec, runs, CPU)
    subject = Subject.of(pack.task, pack.cell, pack.parameters(), pack.seeds)
    for probe in spec.probes:
        probe.tables_of(subject)
    pack.evaluate("eval", spec.training.eval_samples)
    pack.step()
    pack.step()
    pack.evaluate("test", spec.training.test_samples)
    return pack


SMALL = {"eval_samples": 40, "test_samples": 40}
UPDATING = {"eval_samples": 4, "test_samples": 4, "samples": 1}  # updates outweigh all else
CASES: list[tuple[Task, Cell, int, dict[str, Any]]] = [
    (Adding(gap=60), RNN(hidden_size=32), 4, {}),
    (Copy(gap=40), RNN(hidden_size=32), 2, SMALL),
    (Delay(gap=40), RNN(hidden_size=128), 1, SMALL | {"optimizer": "sgd"}),
    (Adding(gap=60), LSTM(hidden_size=32), 1, {}),
    (Copy(gap=40), LSTM(hidden_size=16), 3, SMALL),
    (Delay(gap=30), LSTM(hidden_size=64), 2, {"samples": 4}),
    (Adding(gap=12), LoopedLSTM(hidden_size=16), 3, SMALL),
    (Copy(gap=2), LoopedRNN(hidden_size=32), 2, SMALL),
    (Adding(gap=8), Clockwork(hidden_size=16), 2, SMALL),
    (Adding(gap=16), Attentive(hidden_size=16).for_length(16), 2, SMALL | {"samples": 8}),
    (Adding(gap=60), GRU(hidden_size=32), 2, {}),
    (Copy(gap=40), PeepholeLSTM(hidden_size=16), 2, SMALL),
    (Adding(gap=40), CoupledLSTM(hidden_size=32), 3, {}),
    (Adding(gap=40), LSTM1997(hidden_size=32, block_size=2), 1, SMALL),
    (Adding(gap=60), RNN(hidden_size=24), 4, SMALL | {"omega": 1.0, "samples": 2}),
    (Copy(gap=40), LSTM(hidden_size=24), 3, SMALL | {"h_detach": 0.5, "samples": 2}),
    (Adding(gap=60), RNN(hidden_size=32), 3, UPDATING | {"gradient_norms": True}),
    (Adding(gap=60), LSTM(hidden_size=32), 3, UPDATING | {"gradient_norms": True}),
    (Adding(gap=60), RNN(hidden_size=4), 3, UPDATING | {"batch_size": 128, "gradient_norms": True}),  # few units
    (Adding(gap=60), GRU(hidden_size=32), 3, UPDATING),
    (Adding(gap=60), GRU(hidden_size=32), 3, UPDATING | {"gradient_norms": True}),
    (Adding(gap=40), CoupledLSTM(hidden_size=32), 3, UPDATING | {"gradient_norms": True}),
    (Adding(gap=40), Attentive(hidden_size=32).for_length(40), 2, UPDATING | {"gradient_norms": True}),
    (Adding(gap=10), RNN(hidden_size=256), 3, SMALL | {"batch_size": 2}),  # parameters outweigh states
    (Adding(gap=40), RNN(hidden_size=4), 2, SMALL | {"batch_size": 128}),  # drawing outweighs states
    (Adding(gap=10), RNN(hidden_size=256), 3, SMALL | {"batch_size": 2, "gradient_noise": 0.1}),
    (Adding(gap=60), RNN(hidden_size=24), 4, SMALL | {"norm_stabilizer": 1.0, "samples": 2}),
    (Copy(gap=40), LSTM(hidden_size=16), 3, SMALL | {"curriculum": "mixed"}),
]


@pytest.mark.slow_but(2)
@pytest.mark.parametrize(
    ("task", "cell", "runs", "options"),
    CASES,
    ids=[f"{t.name}-{type(c).__name__}{c.hidden_size}" for t, c, *_ in CASES],
)
def test_the_peak_is_met_within_a_factor(task: Task, cell: Cell, runs: int, options: dict[str, Any]) -> None:
    """Kernels take workspace of their own and the moments of two tensors need not meet: half and double bound both."""
    spec = run_spec(task, cell, **options)
    measured = peak(lambda: train(spec, runs))
    assert measured / 2 <= pack_bytes(spec, runs, CPU) <= 2 * measured


def test_autograd_keeps_of_a_step_what_its_backward_pass_needs() -> None:
    """The input; of a vanilla RNN its state, of an LSTM i, f, g, o, c, tanh c and h."""
    task, h = Adding(gap=4), 8
    assert kept_numbers(run_spec(task, LoopedRNN(hidden_size=h))) == h + task.input_size
    assert kept_numbers(run_spec(task, LoopedLSTM(hidden_size=h))) == 7 * h + task.input_size


def test_more_of_anything_takes_more() -> None:
    least = run_spec(Adding(gap=10), RNN(hidden_size=8))
    more = [
        run_spec(Adding(gap=20), RNN(hidden_size=8)),
        run_spec(Adding(gap=10), RNN(hidden_size=16)),
        run_spec(Adding(gap=10), LSTM(hidden_size=8)),
    ]
    assert all(pack_bytes(spec, 1, CPU) > pack_bytes(least, 1, CPU) for spec in more)
    tested = replace(least, evaluation=Evaluation((5, 400)))
    assert pack_bytes(tested, 1, CPU) > 10 * pack_bytes(replace(least, evaluation=Evaluation((5,))), 1, CPU)
    assert pack_bytes(least, 2, CPU) > pack_bytes(least, 1, CPU)
