"""No update waits for the device: nothing is read from it, and nothing is copied to it, once an update has been done.

Without a GPU: on the CPU, where whatever reads a number is refused, and on ``meta``, where there are no numbers and
whatever comes from the host is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest
import torch
from helpers import run_spec
from waits import NoWaits, WaitError
from without_machine_code import turn_off_machine_code

from lrd.cells import CELLS, GRU, LSTM, RNN, Attentive, Cell, Clockwork, Orthogonal
from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.spec import OPTIMIZERS, RunSpec
from lrd.spec.optimizers import CLIPS, SCHEDULES
from lrd.tasks import TASKS, Adding, Task
from lrd.training import Pack

TASK = Adding(gap=3)
DEVICES = [torch.device("cpu"), torch.device("meta")]


def variants(kind: type[Any], **options: Any) -> list[Any]:
    """A task or cell, once with each of the names of what it computes."""
    choices = {f.name: f.metadata.get("choices", ()) for f in dataclasses.fields(kind)}
    chosen = [{name: value} for name in ("convention", "activation", "map") for value in choices.get(name, ())]
    return [smallest(kind, options | more) for more in chosen or [{}]]


def smallest(kind: type[Any], options: dict[str, Any]) -> Any:
    """With a short gap, where it is a task that has one."""
    for gap in ({"gap": 4}, {"gap": 12}, {"gap": 22}) if issubclass(kind, Task) else ():
        with contextlib.suppress(OptionError):
            return kind(**options, **gap)
    return kind(**options)


ALL_TASKS = [task for name, kind in TASKS.items() if name != "text" for task in variants(kind)]  # text: needs a file
ALL_CELLS = [cell for kind in CELLS.values() for cell in variants(kind, hidden_size=4)]


def one_hot(codes: Tensor, classes: int) -> Tensor:
    """Torch's checks its argument on the CPU alone (aten/src/ATen/native/Onehot.cpp)."""
    return torch.zeros(*codes.shape, classes, dtype=torch.int64, device=codes.device).scatter_(-1, codes[..., None], 1)


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.functional.one_hot", one_hot)
    turn_off_machine_code(monkeypatch)
    monkeypatch.setattr("lrd.scaled.may_synchronise", lambda x: False)  # a packed loop on a CPU reads, to save work


def update(spec: RunSpec, device: torch.device) -> None:
    """One update under watch, after one that fills the tables of task and cell."""
    pack = Pack([spec, dataclasses.replace(spec, seed=1)], device, record=lambda update, device: update)
    pack.step()
    with NoWaits(device):
        pack.step()


@pytest.mark.slow_but(4)
@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("task", ALL_TASKS, ids=lambda task: f"{task.name}-{getattr(task, 'convention', '')}")
def test_no_task_waits(task: Task, device: torch.device) -> None:
    update(run_spec(task, RNN(hidden_size=2), batch_size=2), device)


@pytest.mark.slow_but(4)
@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("cell", ALL_CELLS, ids=lambda cell: f"{cell.name}-{getattr(cell, 'activation', '')}")
def test_no_cell_waits(cell: Cell, device: torch.device) -> None:
    spec = run_spec(TASK, cell.for_length(TASK.sequence_length), batch_size=2)
    if isinstance(cell, Orthogonal) and cell.map == "exp":  # torch's matrix exponential reads the matrix's norm
        with pytest.raises(WaitError, match="linalg_matrix_exp"):
            update(spec, device)
    else:
        update(spec, device)


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize(
    ("optimizer", "clip"), [*((name, "norm") for name in OPTIMIZERS), *(("sgd", clip) for clip in CLIPS)]
)
def test_no_optimiser_waits(optimizer: str, clip: str, device: torch.device) -> None:
    update(run_spec(TASK, RNN(hidden_size=2), optimizer=optimizer, clip=clip, batch_size=2), device)


@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_no_schedule_waits(schedule: str, device: torch.device) -> None:
    update(run_spec(TASK, RNN(hidden_size=2), schedule=schedule, warmup=2, batch_size=2), device)


@pytest.mark.slow
@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {"omega": 0.1},
        {"h_detach": 0.1},
        {"truncate": 2},
        {"precision": "bfloat16"},
        {"precision": "float64"},
        {"norm_stabilizer": 0.1},
        {"gradient_noise": 0.1},
        {"curriculum": "naive"},
    ],
    ids=str,
)
def test_no_trick_waits(options: dict[str, Any], device: torch.device) -> None:
    cell = RNN(hidden_size=2) if "omega" in options else LSTM(hidden_size=2)
    update(run_spec(TASK, cell, batch_size=2, **options), device)


@pytest.mark.slow_but(3)
@pytest.mark.parametrize("device", DEVICES, ids=str)
@pytest.mark.parametrize("truncate", [None, 2])
@pytest.mark.parametrize("cell", [RNN(), LSTM(), GRU(), Attentive(), Clockwork(modules=3)], ids=lambda cell: cell.name)
def test_no_sum_of_norms_waits(cell: Cell, truncate: int | None, device: torch.device) -> None:
    cell = dataclasses.replace(cell, hidden_size=6).for_length(TASK.sequence_length)
    update(run_spec(TASK, cell, batch_size=2, gradient_norms=True, truncate=truncate), device)


def test_waits_are_seen() -> None:
    values, meta = torch.arange(3.0), torch.empty(3, device="meta")
    waiting = [
        lambda: float(values[0]),
        lambda: values.nonzero(),
        lambda: values[values > 1],
        lambda: bool((values > 1).any()),
        lambda: values.repeat_interleave(torch.tensor([1, 2, 3])),
        lambda: torch.equal(values, values),
        lambda: torch.tensor([1.0, 2.0]),
        lambda: values[[0, 1]],
        lambda: values.new_tensor([1.0]),
    ]
    for call in waiting:
        with pytest.raises(WaitError), NoWaits(torch.device("cpu")):
            call()
    copying = [
        lambda: values.to("meta"),
        lambda: meta.copy_(values),
        lambda: torch.tensor(1.0).to("meta"),
        lambda: meta + values,
    ]
    for call in copying:
        with pytest.raises(WaitError), NoWaits(torch.device("meta")):
            call()
