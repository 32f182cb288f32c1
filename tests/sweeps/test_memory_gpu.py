"""The formula of a pack's memory on a GPU against torch's own count: with Triton's interpreter, and on a GPU."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import torch
from helpers import run_spec
from test_memory import peak

from lrd.cells import GRU, LSTM, RNN, Cell
from lrd.kernels import packed_lstm
from lrd.kernels.fused import importable
from lrd.spec import RunSpec
from lrd.sweeps.sizes import pack_bytes
from lrd.tasks import Adding, Copy, Delay, Task
from lrd.training import Pack, tricks
from lrd.training.recorded import WARM_UP
from lrd.training.tricks import update_kernel

CPU, GPU = torch.device("cpu"), torch.device("cuda")
HERE = torch.cuda.is_available()
# Settled when triton is first imported: before any test may do that.
INTERPRETING = {} if HERE else {"TRITON_INTERPRET": "1"}
if importable():
    with mock.patch.dict(os.environ, INTERPRETING):
        from lrd.kernels.fused import gru, lstm, rnn  # noqa: F401
TRITON = {RNN: "triton_rnn", LSTM: "triton_lstm", GRU: "triton_gru"}
SMALL = {"batch_size": 32, "eval_samples": 48, "test_samples": 48, "samples": 1}
CASES: list[tuple[Task, Cell, dict[str, Any]]] = [
    (Copy(gap=1, items=2), RNN(hidden_size=16), SMALL),
    (Copy(gap=1, items=2), RNN(hidden_size=16), SMALL | {"omega": 0.5}),
    (Delay(gap=2, tokens=3), LSTM(hidden_size=16), SMALL | {"h_detach": 0.5}),
    (Adding(gap=5), GRU(hidden_size=16), SMALL),
]


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The Triton kernels are chosen, and interpreted."""
    if not importable():
        pytest.skip("needs triton")
    monkeypatch.setattr(tricks, "choose_kernel", lambda cell, *_, **__: TRITON[type(cell)])
    with mock.patch.dict(os.environ, INTERPRETING):
        yield


@pytest.mark.slow
@pytest.mark.skipif(HERE, reason="programs are compiled for the GPU that is here")
@pytest.mark.parametrize(("task", "cell", "options"), CASES, ids=[cell.name for _, cell, _ in CASES])
def test_buffers_of_the_programs_are_counted(
    as_on_a_gpu: None, task: Task, cell: Cell, options: dict[str, Any]
) -> None:
    """A recorded update keeps what it had at its peak, so that an evaluation comes on top of it.

    Within a factor of two: small tensors beside the large ones are not counted, and not all of these meet.
    """
    assert_counted(run_spec(task, cell, **options))


@pytest.mark.slow
def test_slopes_of_a_whole_sequence_are_counted_where_triton_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packed loop of the LSTM makes them of a few steps at a time on a CPU alone."""
    monkeypatch.setattr("lrd.kernels.fused.launchable", lambda: False)
    monkeypatch.setattr(packed_lstm, "BLOCK", 10**9)
    assert_counted(run_spec(Adding(gap=40), LSTM(hidden_size=16), **SMALL, h_detach=0.5))


def assert_counted(spec: RunSpec, runs: int = 2) -> None:
    pack = Pack.of_copies(spec, runs, CPU, record=lambda update, device: update)
    kept = sum(tensor.nbytes for tensor in (pack.theta, *pack.optimizer.slots.values()))
    measured = kept + peak(pack.step) + peak(lambda: pack.evaluate("eval", spec.training.eval_samples))
    assert measured / 2 <= pack_bytes(spec, runs, GPU) <= 2 * measured


@pytest.mark.gpu
@pytest.mark.skipif(not HERE, reason="needs a CUDA device")
@pytest.mark.filterwarnings("default")  # cuDNN warns of weights that do not lie together
@pytest.mark.parametrize("runs", [1, 8])
@pytest.mark.parametrize("cell", [RNN(hidden_size=64), LSTM(hidden_size=64), GRU(hidden_size=64)])
def test_the_peak_on_a_gpu_is_met_within_a_factor(cell: Cell, runs: int) -> None:
    """Torch counts a recorded update's memory only while it is recorded, so that the formula may have up to twice it.

    On top half and double, as on a CPU. Large, so that the workspaces of cuBLAS, 32 MiB each, do not count.
    """
    spec = run_spec(Adding(gap=16000 // runs), cell, batch_size=256, eval_samples=256, test_samples=256, samples=1)
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    pack = Pack.of_copies(spec, runs, GPU)
    assert pack.net.kernel == update_kernel(spec, GPU, runs)
    for _ in range(WARM_UP + 2):
        pack.step()
    pack.evaluate("eval", spec.training.eval_samples)
    measured = torch.cuda.max_memory_allocated() - before
    assert measured / 2 <= pack_bytes(spec, runs, GPU) <= 4 * measured


def test_a_pack_on_a_gpu_is_counted_by_the_kernel_that_it_has_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Triton's, one run more takes as much as the one before; without triton it is another one."""
    monkeypatch.setattr("lrd.kernels.fused.launchable", lambda: True)
    spec = run_spec(Adding(gap=200), LSTM(hidden_size=64), samples=1)
    two, three, four = (pack_bytes(spec, runs, GPU) for runs in (2, 3, 4))
    assert three - two == pytest.approx(four - three, rel=0.01)
    monkeypatch.setattr("lrd.kernels.fused.launchable", lambda: False)
    assert pack_bytes(spec, 2, GPU) != two


@pytest.mark.parametrize("cell", [RNN(hidden_size=32), LSTM(hidden_size=32), GRU(hidden_size=32)])
def test_what_a_run_alone_takes_grows_with_everything(cell: Cell) -> None:
    least = pack_bytes(run_spec(Adding(gap=50), cell, samples=1), 1, GPU)
    assert pack_bytes(run_spec(Adding(gap=100), cell, samples=1), 1, GPU) > 1.8 * least
    assert pack_bytes(run_spec(Adding(gap=50), type(cell)(hidden_size=64), samples=1), 1, GPU) > 1.5 * least
