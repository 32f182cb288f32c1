"""The recorded form of an update, on the CPU: the same numbers as the plain one, and what is recorded how often."""

from __future__ import annotations

import contextlib
import inspect
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from helpers import run_spec
from without_machine_code import turn_off_machine_code

from lrd.cells import LSTM, RNN, Cell, Clockwork, Orthogonal
from lrd.spec import RunSpec
from lrd.tasks import Adding, Copy, Delay, Reber, Task
from lrd.training import Pack
from lrd.training.recorded import WARM_UP, CudaGraph, CudaGraphs, Update, _OutsideTensors

CPU = torch.device("cpu")
COPY = Copy(gap=7, items=3, symbols=5)
CASES: list[tuple[Task, Cell, dict[str, Any]]] = [
    (COPY, RNN(hidden_size=5), {}),
    (Adding(gap=22, convention="hochreiter1997"), LSTM(hidden_size=4), {"optimizer": "rmsprop", "clip": "value"}),
    (Delay(gap=9, tokens=4, alphabet=3), RNN(hidden_size=4), {"optimizer": "sgd", "nesterov": True, "omega": 0.5}),
    (Adding(gap=12), LSTM(hidden_size=4), {"h_detach": 0.4, "truncate": 5}),
    (Reber(), Clockwork(hidden_size=6, modules=3), {"optimizer": "rmsprop_urnn", "clip": "none"}),
    (COPY, Orthogonal(hidden_size=4), {"optimizer": "sgd", "momentum": 0.5}),
    (COPY, LSTM(hidden_size=4), {"optimizer": "adamw", "schedule": "cosine", "warmup": 3, "gradient_noise": 0.1}),
    (COPY, RNN(hidden_size=4), {"norm_stabilizer": 2.0, "truncate": 5}),
]


@dataclass
class Recorder:
    """Counts what is recorded; a recording is the call itself, on whatever tensors it found."""

    rows: list[int] = field(default_factory=list)

    def __call__(self, update: Update, device: torch.device) -> Update:
        self.rows.append(len(inspect.getclosurevars(inspect.unwrap(update)).nonlocals["whole"].seeds))
        return update


def runs(task: Task, cell: Cell, count: int, **options: Any) -> list[RunSpec]:
    return [run_spec(task, cell, seed, lr=0.01 * (seed + 1), batch_size=3, **options) for seed in range(count)]


def assert_same(a: Pack, b: Pack) -> None:
    assert torch.equal(a.theta, b.theta)
    assert torch.equal(a.diverged_at, b.diverged_at)
    for name, slot in a.optimizer.slots.items():
        torch.testing.assert_close(slot, b.optimizer.slots[name], rtol=0, atol=0, equal_nan=True)
    for name, value in a.sums.items():
        torch.testing.assert_close(value, b.sums[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.slow_but(2)
@pytest.mark.parametrize(("task", "cell", "options"), CASES, ids=lambda value: getattr(value, "name", None))
def test_recorded_updates_are_plain_ones_bit_for_bit(task: Task, cell: Cell, options: dict[str, Any]) -> None:
    """Through runs that leave, metrics that are taken, and a run that is put back."""
    specs = runs(task, cell, 5, **options)
    plain, recorder = Pack(specs, CPU), Recorder()
    recorded = Pack(specs, CPU, record=recorder)
    for update in range(12):
        for pack in (plain, recorded):
            if update == 3:
                pack.select([4, 0, 2])  # to the front of five rows
            if update == 6:
                assert set(pack.averages()) >= {"train_loss", "grad_norm"}
                pack.select([2, 1])  # two of five: recorded anew
            if update == 9:
                pack.restore(pack.snapshot())
            pack.step()
        assert_same(plain, recorded)
    assert recorder.rows == [5, 2, 2]
    assert int(recorded.clock) == recorded.update == 12
    taken = recorded.take([1])
    before = recorded.theta.clone()
    taken.step()
    assert torch.equal(recorded.theta, before)
    recorded.step()
    assert torch.equal(recorded.theta[1:], taken.theta)


def test_a_diverging_run_leaves_its_companions_alone_when_recorded() -> None:
    specs = [
        run_spec(Adding(gap=9), RNN(hidden_size=3), s, "sgd", lr=lr, clip="none") for s, lr in ((1, 0.01), (2, 1e38))
    ]
    plain, recorded = Pack(specs, CPU), Pack(specs, CPU, record=lambda update, device: update)
    for _ in range(6):
        plain.step()
        recorded.step()
    assert int(recorded.diverged_at[0]) < 0 < int(recorded.diverged_at[1])
    assert_same(plain, recorded)


def test_runs_that_leave_one_by_one_are_recorded_anew_at_each_half() -> None:
    recorder = Recorder()
    pack = Pack(runs(COPY, RNN(hidden_size=2), 16), CPU, record=recorder)
    while pack.specs:
        pack.step()
        pack.select(range(1, len(pack.specs)))
    assert recorder.rows == [16, 8, 4, 2, 1]
    assert len(recorder.rows) == 1 + math.log2(16)


def test_what_a_recording_reads_is_kept() -> None:
    outside, other = torch.arange(3.0), torch.ones(3)
    with _OutsideTensors() as seen:
        made = outside * 2 + other
        made.add_(outside)
    assert {id(tensor) for tensor in seen.tensors} == {id(outside), id(other)}
    assert seen.changed == {}


def test_what_an_update_changes_is_known_by_its_place() -> None:
    slots, total, read, out = torch.zeros(4, 3), torch.zeros(()), torch.ones(2, 3), torch.zeros(3)
    with _OutsideTensors() as seen:
        made = read * 2
        made.add_(1)  # an update's own
        slots[:2] += made
        slots[2:].copy_(made)
        slots[:2].mul_(2)
        torch.add(made[0], 1, out=out)
        torch._foreach_add_([total], 1.0)
    assert [(tensor.shape, tensor.storage_offset()) for tensor in seen.changed.values()] == [
        ((2, 3), 0),
        ((2, 3), 6),
        ((3,), 0),
        ((), 0),
    ]
    whole = {slots.data_ptr(), out.data_ptr(), total.data_ptr()}
    assert {tensor.untyped_storage().data_ptr() for tensor in seen.changed.values()} == whole


class FakeCuda:
    """Stands for ``torch.cuda``: recording does nothing, or fails as it does where an update reads a number.

    A replay calls ``on_replay``.
    """

    def __init__(self, error: Exception | None = None, on_replay: Callable[[], None] = lambda: None) -> None:
        self.error, self.replays = error, 0
        self.on_replay, self.recording = on_replay, False
        self.mode: int | str = 0
        self.device = self.stream = lambda _: contextlib.nullcontext()
        self.current_stream = lambda: self
        self.Stream = lambda device=None: self
        self.get_sync_debug_mode = lambda: self.mode
        self.CUDAGraph = lambda: self

    def wait_stream(self, other: Any) -> None:
        pass

    def set_sync_debug_mode(self, mode: int | str) -> None:
        self.mode = mode

    def replay(self) -> None:
        self.replays += 1
        self.on_replay()

    @contextlib.contextmanager
    def graph(self, graph: Any, stream: Any) -> Any:
        self.recording = True
        yield
        self.recording = False
        if self.error:
            raise self.error


def calls_of(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch, count: int) -> int:
    """How often an update itself is called when its graph is called so often."""
    monkeypatch.setattr("torch.cuda", cuda)
    calls: list[int] = []
    update: Callable[[], None] = CudaGraph(lambda: calls.append(1), CPU)
    for _ in range(count):
        update()
    return len(calls)


def test_a_graph_is_recorded_after_it_has_warmed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = FakeCuda()
    # One more that the first replay is held to, and one while it is recorded, which changes nothing.
    assert calls_of(cuda, monkeypatch, 10) == WARM_UP + 2
    assert cuda.replays == 10 - WARM_UP


def test_what_cannot_be_recorded_goes_on_without_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cuda = FakeCuda(RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore"))
    with caplog.at_level(logging.WARNING):
        assert calls_of(cuda, monkeypatch, 10) == 11
    assert cuda.replays == 0
    assert [record.getMessage() for record in caplog.records] == [
        "an update cannot be a CUDA graph and runs without: "
        "CUDA error: operation not permitted when stream is capturing"
    ]


def test_an_update_that_waits_is_found_out_before_it_is_recorded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cuda, done = FakeCuda(AssertionError("recorded")), []

    def update() -> None:
        if cuda.mode == "error":
            raise RuntimeError("called a synchronizing CUDA operation")
        done.append(1)

    monkeypatch.setattr("torch.cuda", cuda)
    recorded = CudaGraph(update, CPU)
    with caplog.at_level(logging.WARNING):
        for _ in range(6):
            recorded()
    assert len(done) == 6
    assert (cuda.mode, cuda.replays, len(caplog.records)) == (0, 0, 1)


def test_an_update_that_fails_fails_under_watch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def update() -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    cuda = FakeCuda()
    monkeypatch.setattr("torch.cuda", cuda)
    recorded = CudaGraph(update, CPU)
    for _ in range(WARM_UP):
        with pytest.raises(RuntimeError, match="shapes"):
            recorded()
    assert cuda.mode == 0


def test_want_of_memory_is_the_packs_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        calls_of(FakeCuda(torch.OutOfMemoryError("CUDA out of memory")), monkeypatch, 10)


# -- the first replay is held to the update ----------------------------------------------------------------------------

SPECS = [
    (COPY, LSTM(hidden_size=4), {}),
    (Adding(gap=9), RNN(hidden_size=3), {"optimizer": "sgd", "gradient_norms": True}),
]


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    turn_off_machine_code(monkeypatch)  # whose writing into tensors torch does not see


def replaying(
    monkeypatch: pytest.MonkeyPatch, specs: list[RunSpec], spoil: Callable[[Pack], None] = lambda pack: None
) -> tuple[Pack, FakeCuda]:
    """A pack on the CPU whose updates are recorded and replayed as on a GPU; each replay is spoilt."""
    cuda = FakeCuda()
    graphs = CudaGraphs(specs[0].training.precision)

    def record(update: Update, device: torch.device) -> Update:
        def replay() -> None:
            update()
            spoil(pack)

        cuda.on_replay = replay
        return graphs(lambda: None if cuda.recording else update(), device)

    pack = Pack(specs, CPU, record=record)
    monkeypatch.setattr("torch.cuda", cuda)
    return pack, cuda


@pytest.mark.parametrize(("task", "cell", "options"), SPECS, ids=["lstm", "rnn"])
def test_a_replay_that_is_its_update_goes_on(
    task: Task, cell: Cell, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    specs = runs(task, cell, 5, **options)
    plain, (pack, cuda) = Pack(specs, CPU), replaying(monkeypatch, specs)
    for update in range(12):
        if update == 6:
            for each in (plain, pack):
                each.select([3, 1])  # recorded anew
        for each in (plain, pack):
            each.step()
        assert_same(plain, pack)
        assert torch.equal(pack.clock, plain.clock)
        if plain.norms is not None:
            assert all(torch.equal(v, pack.norms.tensors()[name]) for name, v in plain.norms.tensors().items())
    assert cuda.replays == 12 - 2 * WARM_UP
    assert caplog.records == []


def off_by_rounding(pack: Pack) -> None:
    pack.theta += 1e-5 * 0.01 * torch.ones_like(pack.theta)  # of a first step of Adam, which has the size of lr


def off(pack: Pack) -> None:
    pack.theta[1] += 0.01


def late(pack: Pack) -> None:
    pack.clock += 1


def lossy(pack: Pack) -> None:
    pack.sums["train_loss"][0] *= 1.01


def not_a_number(pack: Pack) -> None:
    next(iter(pack.optimizer.slots.values()))[0, 0] = torch.nan


@pytest.mark.parametrize("spoil", [off, late, lossy, not_a_number], ids=lambda spoil: spoil.__name__)
def test_a_replay_that_is_not_its_update_is_not_used(
    spoil: Callable[[Pack], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    specs = runs(COPY, LSTM(hidden_size=4), 5)
    plain, (pack, cuda) = Pack(specs, CPU), replaying(monkeypatch, specs, spoil)
    for update in range(12):
        if update == 6:
            for each in (plain, pack):
                each.select([3, 1])  # recorded anew, where it is trusted
        for each in (plain, pack):
            each.step()
        assert_same(plain, pack)
        assert torch.equal(pack.clock, plain.clock)
    assert cuda.replays == 1
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith("an update cannot be a CUDA graph and runs without: its first replay is off by ")
    assert said.endswith(" of what it changes, which is not rounding")


def test_a_replay_may_be_off_by_rounding(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    specs = runs(COPY, LSTM(hidden_size=4), 2)
    pack, cuda = replaying(monkeypatch, specs, off_by_rounding)
    for _ in range(6):
        pack.step()
    assert cuda.replays == 6 - WARM_UP
    assert caplog.records == []


def test_an_update_that_changes_more_than_before_is_not_replayed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cuda, state, late_state = FakeCuda(), torch.zeros(2), torch.zeros(2)

    def update() -> None:
        state.add_(1)
        if cuda.recording:
            late_state.add_(0)

    monkeypatch.setattr("torch.cuda", cuda)
    graph = CudaGraph(update, CPU)
    for _ in range(6):
        graph()
    assert cuda.replays == 0
    assert "it changes other tensors than the update before it" in caplog.text
    assert state.tolist() == [6.0, 6.0]
