"""Which kernel runs: every cell on every device, alone and in a pack, with cuts, norms and each precision."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
import torch

from lrd.cells import CELLS, GRU, LSTM, LSTM1997, RNN, Attentive, Cell, Clockwork, Orthogonal
from lrd.kernels import KERNELS, choose_kernel, cpu, fused
from lrd.spec.training import PRECISIONS

CPU, META, GPU = torch.device("cpu"), torch.device("meta"), torch.device("cuda")


@dataclass(frozen=True)
class OwnRNN(RNN):
    """A subclass is another cell: no kernel of the RNN knows what it does."""


@dataclass(frozen=True)
class Choices:
    """The kernels of a run alone and of a pack, without norms and with them, and of both where h is cut."""

    alone: str
    pack: str
    alone_norms: str
    pack_norms: str
    cut: str | None = None


def always(name: str) -> Choices:
    return Choices(name, name, name, name)


TORCH_LSTM = Choices("stock", "stock", "packed_lstm", "packed_lstm", "packed_lstm")
WITHOUT_NUMBA = {
    RNN: always("packed"),
    LSTM: TORCH_LSTM,
    GRU: always("stock_gru"),
    LSTM1997: always("traced"),
    Attentive: always("attentive"),
}
ON_CPU = WITHOUT_NUMBA | {
    RNN: always("numba_rnn"),
    LSTM: Choices("numba_lstm", "numba_lstm", "numba_lstm", "numba_lstm", "numba_lstm"),
    GRU: always("numba_gru"),
    LSTM1997: always("numba_lstm1997"),
}
ON_GPU = {
    RNN: Choices("stock_rnn", "triton_rnn", "triton_rnn", "triton_rnn"),
    LSTM: Choices("stock", "triton_lstm", "triton_lstm", "triton_lstm", "triton_lstm"),
    GRU: Choices("stock_gru", "triton_gru", "triton_gru", "triton_gru"),
    LSTM1997: always("traced"),
    Attentive: always("attentive"),
}
# Of activations that cuDNN has no RNN of.
OTHER_RNN_ON_GPU = always("triton_rnn")
WITHOUT_TRITON = WITHOUT_NUMBA | {RNN: Choices("stock_rnn", "packed", "packed", "packed")}
ROUNDED_ON_GPU = {
    RNN: always("triton_rnn"),
    LSTM: always("triton_lstm"),
    GRU: always("triton_gru"),
}
# What runs in float64 instead of the Triton kernel gives no norms.
GRU_ON_GPU_IN_FLOAT64 = Choices("stock_gru", "triton_gru", "traced", "traced")

CASES: dict[str, tuple[Cell, type[Cell] | None]] = {
    "rnn tanh": (RNN(), RNN),
    "rnn relu": (RNN(activation="relu"), RNN),
    "rnn sigmoid": (RNN(activation="sigmoid"), RNN),
    "rnn identity": (RNN(activation="identity"), RNN),
    "orthogonal tanh": (Orthogonal(activation="tanh"), RNN),
    "orthogonal relu": (Orthogonal(activation="relu"), RNN),
    "orthogonal identity": (Orthogonal(activation="identity"), RNN),
    "orthogonal modrelu": (Orthogonal(), None),
    "lstm": (LSTM(), LSTM),
    "gru": (GRU(), GRU),
    "lstm1997": (LSTM1997(), LSTM1997),
    "attentive": (Attentive(), Attentive),
    "own": (OwnRNN(), None),
}
# Every other cell, a new one too, has no kernel of its own unless it has a line above.
_LISTED = {type(cell) for cell, _ in CASES.values()}
CASES |= {name: (kind(), None) for name, kind in CELLS.items() if kind not in _LISTED}


def expected(cell: Cell, kind: type[Cell] | None, device: torch.device, compiles: bool, precision: str) -> Choices:
    """Where it ``compiles``, there are numba and triton."""
    on_gpu, triton = device.type == "cuda", compiles
    if precision == "bfloat16":
        return ROUNDED_ON_GPU.get(kind, always("loop")) if on_gpu and triton else always("loop")
    if kind is None:
        return always("traced")
    if not on_gpu:
        return (ON_CPU if device.type == "cpu" and compiles and precision == "float32" else WITHOUT_NUMBA)[kind]
    if kind is RNN and cell.activation not in ("tanh", "relu"):
        return OTHER_RNN_ON_GPU if triton else always("packed")
    if kind is GRU and triton and precision == "float64":
        return GRU_ON_GPU_IN_FLOAT64
    return ON_GPU[kind] if triton else WITHOUT_TRITON[kind]


def test_every_cell_is_among_the_cases() -> None:
    assert {type(cell) for cell, _ in CASES.values()} == {*CELLS.values(), OwnRNN}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("device", "compiles"), [(CPU, True), (CPU, False), (META, True), (GPU, True), (GPU, False)])
@pytest.mark.parametrize("name", CASES)
def test_choice(
    name: str, device: torch.device, compiles: bool, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused, "launchable", lambda: compiles)
    monkeypatch.setattr(cpu, "why_not", lambda: "" if compiles else "numba is not installed")
    cell, kind = CASES[name]
    choices = expected(cell, kind, device, compiles, precision)
    for runs, norms in itertools.product((1, 2, 7), (False, True)):
        place = ("alone" if runs == 1 else "pack") + ("_norms" if norms else "")
        assert choose_kernel(cell, device, runs, False, norms, precision) == getattr(choices, place), (runs, norms)
        if choices.cut is not None:
            assert choose_kernel(cell, device, runs, True, norms, precision) == choices.cut
        elif kind is not LSTM:
            with pytest.raises(ValueError, match="no kernel can cut the backward pass of the cell"):
                choose_kernel(cell, device, runs, True, norms, precision)


def test_without_a_device_it_is_a_cpu() -> None:
    for cell, _ in CASES.values():
        for norms in (False, True):
            assert choose_kernel(cell, norms=norms) == choose_kernel(cell, CPU, 1, False, norms)


def test_kernels_that_are_not_to_be_taken_leave_the_choice_to_the_next_in_the_table() -> None:
    """In float64, in which no kernel is compiled here."""
    assert choose_kernel(RNN(), precision="float64", without=("packed",)) == "traced"
    assert choose_kernel(RNN(), precision="float64", without=("packed", "traced")) == "loop"
    assert choose_kernel(LSTM(), norms=True, precision="float64", without=("packed_lstm",)) == "stock"
    with pytest.raises(ValueError, match="no kernel can cut the backward pass of the cell lstm in float64"):
        choose_kernel(LSTM(), cut=True, precision="float64", without=("packed_lstm",))


def test_triton_is_asked_for_only_where_it_would_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The question may leave a line in the log, which nobody wants who has no use for the kernel."""

    def asked() -> bool:
        raise AssertionError("asked for")

    monkeypatch.setattr(fused, "launchable", asked)
    for cell in (RNN(), LSTM(), GRU()):
        choose_kernel(cell, CPU, 4, norms=True)
        choose_kernel(cell, GPU, 1)
    for cell in (Attentive(), Clockwork()):
        choose_kernel(cell, GPU, 4)


def test_the_table_is_consistent() -> None:
    assert [kernel.name for kernel in KERNELS.values()] == list(KERNELS)
    assert list(KERNELS)[-1] == "loop"
    for kernel in KERNELS.values():
        if kernel.hands_over_to is not None:
            other = KERNELS[kernel.hands_over_to]
            assert other.cell in (None, kernel.cell)
            assert other.hands_over_to is None
