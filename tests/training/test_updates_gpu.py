"""Updates on a GPU: none waits, recorded ones are the plain ones, and both are the CPU's within rounding.

Needs torch, numpy and pytest alone:
``PYTHONPATH=tests python -m pytest --noconftest tests/training/test_updates_gpu.py``
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from helpers import EPS32, run_spec

from lrd.cells import CELLS, GRU, LSTM, RNN, Cell, Orthogonal, Parameters, PeepholeLSTM
from lrd.cells.base import State
from lrd.shapes import Tensor
from lrd.spec import OPTIMIZERS, RunSpec
from lrd.spec.optimizers import CLIPS
from lrd.tasks import TASKS, Adding, Copy, Reber, Task
from lrd.tasks import copy as copy_task
from lrd.training import Pack
from lrd.training.determinism import repeat_bits
from lrd.training.fetch import fetched
from lrd.training.precision import converted
from lrd.training.recorded import WARM_UP, CudaGraph

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("default"),  # cuDNN warns of weights that do not lie together
]
CPU, GPU = torch.device("cpu"), torch.device("cuda")
# text needs a file, digits scikit-learn; the exponential of orthogonal's matrix reads its norm.
ALL_TASKS = [kind() for name, kind in TASKS.items() if name not in ("text", "digits")]
ALL_CELLS = [kind(hidden_size=4) for name, kind in CELLS.items() if name != "orthogonal"]
ALL_CELLS += [Orthogonal(hidden_size=4, map="cayley"), RNN(hidden_size=4, activation="relu")]


@dataclass(frozen=True)
class Own(Cell):
    """A researcher's: a leaky RNN."""

    name, state_names = "own", ("h",)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        n = self.hidden_size
        shapes = {"U": (n, input_size), "W": (n, n)}
        return {k: torch.randn(*shape, generator=generator) / shape[1] ** 0.5 for k, shape in shapes.items()}

    def step(self, p: Parameters, x: Tensor, state: State) -> State:
        return (0.5 * state[0] + 0.5 * torch.tanh(p["U"] @ x + p["W"] @ state[0]),)


class Reading(Own):
    """One that reads a number of its parameters at every update."""

    def prepare(self, p: Parameters) -> Parameters:
        return p | {"W": p["W"] * (1.0 if float(p["W"].detach().norm()) < 1e6 else 0.5)}


@pytest.fixture(autouse=True)
def _repeating_bits() -> Iterator[None]:
    repeat_bits(GPU, True)
    yield
    repeat_bits(GPU, False)


@contextmanager
def no_waits() -> Iterator[None]:
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def runs(task: Task, cell: Cell, count: int = 2, **options: Any) -> list[RunSpec]:
    cell = cell.for_length(task.sequence_length)
    return [run_spec(task, cell, seed, lr=0.01 * (seed + 1), batch_size=4, **options) for seed in range(count)]


def plain(specs: list[RunSpec]) -> Pack:
    """A pack that draws for each update as a recorded one does, and records nothing."""
    return Pack(specs, GPU, record=lambda update, device: update)


def assert_no_update_waits(specs: list[RunSpec]) -> None:
    pack = plain(specs)
    pack.step()
    with no_waits():
        pack.step()
    assert torch.all(pack.diverged_at < 0)


@pytest.mark.parametrize("task", ALL_TASKS, ids=lambda task: task.name)
def test_no_task_waits(task: Task) -> None:
    assert_no_update_waits(runs(task, RNN(hidden_size=4)))


@pytest.mark.parametrize("cell", ALL_CELLS, ids=lambda cell: cell.name)
def test_no_cell_waits(cell: Cell) -> None:
    assert_no_update_waits(runs(Adding(gap=9), cell))


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_optimiser_waits(optimizer: str, clip: str) -> None:
    assert_no_update_waits(runs(Adding(gap=9), RNN(hidden_size=4), optimizer=optimizer, clip=clip))


@pytest.mark.parametrize(
    "options",
    [
        {"omega": 0.1},
        {"h_detach": 0.3},
        {"truncate": 4},
        {"norm_stabilizer": 0.1},
        {"gradient_noise": 0.1, "schedule": "cosine", "warmup": 3},
    ],
    ids=str,
)
def test_no_trick_waits(options: dict[str, Any]) -> None:
    cell = RNN(hidden_size=4) if "omega" in options else LSTM(hidden_size=4)
    assert_no_update_waits(runs(Adding(gap=9), cell, **options))


RECORDED: list[tuple[Task, Cell, dict[str, Any]]] = [
    (Copy(gap=7, items=3, symbols=5), RNN(hidden_size=16), {}),
    (Adding(gap=22, convention="hochreiter1997"), LSTM(hidden_size=16), {"optimizer": "rmsprop", "clip": "value"}),
    (Adding(gap=12), GRU(hidden_size=16), {"optimizer": "sgd", "momentum": 0.5}),
    (Adding(gap=12), LSTM(hidden_size=16), {"h_detach": 0.4, "truncate": 5}),
    (Adding(gap=12), RNN(hidden_size=16), {"omega": 0.5}),
    (Adding(gap=12), LSTM(hidden_size=16), {"norm_stabilizer": 0.5, "schedule": "step", "step_size": 4}),
    (Adding(gap=12), GRU(hidden_size=16), {"optimizer": "adamw", "gradient_noise": 0.1, "schedule": "cosine"}),
    (Reber(), PeepholeLSTM(hidden_size=8), {"optimizer": "rmsprop_urnn", "clip": "none"}),
    (Adding(gap=12), Own(hidden_size=8), {}),
    (Adding(gap=12), RNN(hidden_size=16), {"precision": "bfloat16"}),
]


@pytest.mark.parametrize(("task", "cell", "options"), RECORDED, ids=[f"{t.name}-{c.name}" for t, c, _ in RECORDED])
def test_a_recorded_update_is_the_plain_one_bit_for_bit(task: Task, cell: Cell, options: dict[str, Any]) -> None:
    specs = runs(task, cell, 5, **options)
    packs = [plain(specs), Pack(specs, GPU)]
    for update in range(16):
        for pack in packs:
            if update == 5:
                pack.select([4, 0, 2])  # to the front rows of the same graph
            if update == 9:
                pack.select([1, 2])  # recorded anew
            pack.step()
        a, b = packs
        assert torch.equal(a.theta, b.theta), update
        assert all(torch.equal(value, b.sums[name]) for name, value in a.sums.items())
        graph = b._recorded
        assert isinstance(graph, CudaGraph)
        assert (graph._graph is not None) == (update - (9 if update >= 9 else 0) >= WARM_UP)
    assert torch.all(packs[1].diverged_at < 0)
    values = [{name: value.tolist() for name, value in pack.evaluate("eval", 30).items()} for pack in packs]
    assert values[0] == values[1]


@pytest.mark.parametrize("kind", ["naive", "mixed", "combined"])
def test_updates_of_a_curriculum_are_plain_ones_bit_for_bit(kind: str) -> None:
    specs = runs(Copy(gap=5, items=2), LSTM(hidden_size=16), 3, curriculum=kind, max_updates=40)
    packs = [plain(specs), Pack(specs, GPU)]
    for update in range(40):
        for pack in packs:
            pack.step()
        assert torch.equal(packs[0].theta, packs[1].theta), update
    assert (packs[1]._recorded is not None) == (kind == "naive")


def test_replays_do_not_wait() -> None:
    pack = Pack(runs(Adding(gap=12), RNN(hidden_size=16)), GPU)
    for _ in range(WARM_UP + 1):
        pack.step()
    with no_waits():
        for _ in range(5):
            pack.step()
    assert int(pack.clock) == pack.update == WARM_UP + 6


def test_a_graph_outlives_the_caches_of_what_it_reads() -> None:
    """Tables of tasks and cells are kept by it, whoever else lets them go."""
    specs = runs(Copy(gap=7, items=3, symbols=5), RNN(hidden_size=8))
    packs = [plain(specs), Pack(specs, GPU)]
    for _ in range(WARM_UP + 1):
        packs[1].step()
    copy_task._frame.cache_clear()
    litter = [torch.full((64,), float("nan"), device=GPU) for _ in range(200)]
    for _ in range(4):
        packs[1].step()
    for _ in range(WARM_UP + 5):
        packs[0].step()
    assert torch.equal(packs[0].theta, packs[1].theta)
    del litter


def test_a_cell_that_reads_numbers_trains_without_a_graph_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    task, caught = Adding(gap=9), []
    for kind in (Own, Reading):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            pack = Pack(runs(task, kind(hidden_size=4)), GPU)
            for _ in range(6):
                pack.step()
        caught.append((pack.theta, [r for r in caplog.records if "cannot be a CUDA graph" in r.getMessage()]))
    (expected, none), (got, said) = caught
    assert torch.equal(got, expected)
    assert (len(none), len(said)) == (0, 1)


@pytest.mark.parametrize("cell", [*ALL_CELLS, Orthogonal(hidden_size=4), Own(hidden_size=4)], ids=lambda c: c.name)
def test_an_update_is_that_of_the_cpu(cell: Cell) -> None:
    specs = runs(Adding(gap=12), cell)
    of_cpu, of_gpu = Pack(specs, CPU), Pack(specs, GPU)
    for pack in (of_cpu, of_gpu):
        pack.step()
    for name, value in of_cpu.sums.items():
        # Sums of some ten terms at each of 12 steps, in another order.
        torch.testing.assert_close(of_gpu.sums[name].cpu(), value, rtol=1000 * EPS32, atol=1000 * EPS32)


@pytest.mark.parametrize("cell", [RNN(hidden_size=32), LSTM(hidden_size=32)], ids=["rnn", "lstm"])
def test_each_precision_is_as_near_to_float64_as_its_name_says(cell: Cell) -> None:
    """Relative errors of gradients: float64 is the CPU's, float32 is strict, tf32 has 11 bits and bfloat16 has 8."""
    (spec,) = runs(Adding(gap=30), cell, 1)

    def gradient(precision: str, device: torch.device) -> Tensor:
        pack = Pack([replace(spec, training=replace(spec.training, precision=precision))], device)
        batch = converted(pack.task.batch(pack.seeds, "train", 0, 4), pack.dtype)
        return pack.gradient(batch).grad.double().cpu()

    exact = gradient("float64", CPU)
    errors = {
        name: float((gradient(name, GPU) - exact).norm() / exact.norm())
        for name in ("float64", "float32", "tf32", "bfloat16")
    }
    assert errors["float64"] < 1e-12
    assert errors["float32"] < 100 * EPS32
    assert errors["tf32"] < 100 * 2.0**-11
    assert errors["float32"] < errors["bfloat16"] < 30 * 2.0**-8


def test_rows_of_metrics_come_over_whole() -> None:
    values = {"a": torch.tensor([0.1, float("nan")], device=GPU), "b": torch.tensor([1, -1], device=GPU)}
    got = fetched(values)
    assert got["b"] == [1.0, -1.0]
    assert got["a"][0] == values["a"].tolist()[0]
    assert got["a"][1] != got["a"][1]


def test_states_that_are_kept_go_on_in_another_pack() -> None:
    specs = runs(Adding(gap=12), LSTM(hidden_size=8))
    whole = Pack(specs, GPU)
    for _ in range(5):
        whole.step()
    again = Pack(specs, GPU)
    again.restore(whole.snapshot())
    assert {value.device.type for value in whole.snapshot()[0]["slots"].values()} == {"cpu"}
    for pack in (whole, again):
        for _ in range(5):
            pack.step()
    assert torch.equal(whole.theta, again.theta)
