"""All kernels compute one thing, and for each run of a pack what they compute for that run alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from helpers import ACTIVATIONS, CELLS, EPS32, EPS64, loop_of_cells, one, random_parameters
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lrd.cells import GRU, LSTM, RNN, Attentive, Cell, Parameters, State
from lrd.kernels import KERNELS, choose_kernel, cpu, fused, packed_lstm, packed_rnn, run_major
from lrd.shapes import Tensor

# The general kernels of a CPU; those that numba compiles have tests of their own.
FAST = {name: choose_kernel(cell, torch.device("meta")) for name, cell in CELLS.items()}
FAST |= {"packed-lstm": "packed_lstm"}
CELLS = CELLS | {"packed-lstm": CELLS["lstm"]}


@dataclass(frozen=True)
class GRULike(RNN):
    """A subclass is another cell: the packed kernel does not know what it does."""


def test_table(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_kernel(RNN(activation="identity")) == "numba_rnn"
    assert choose_kernel(GRULike()) == "traced"
    assert list(KERNELS)[-1] == "loop"
    kinds = (RNN, LSTM, GRU)
    assert [choose_kernel(kind(), norms=True) for kind in kinds] == ["numba_rnn", "numba_lstm", "numba_gru"]
    monkeypatch.setattr(cpu, "why_not", lambda: "numba is not installed")
    assert [choose_kernel(kind()) for kind in kinds] == ["packed", "stock", "stock_gru"]
    assert [choose_kernel(kind(), norms=True) for kind in kinds] == ["packed", "packed_lstm", "stock_gru"]


def test_table_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = torch.device("cuda")
    monkeypatch.setattr(fused, "launchable", lambda: True)
    alone = {kind: choose_kernel(kind(), gpu) for kind in (RNN, LSTM, GRU)}
    assert alone == {RNN: "stock_rnn", LSTM: "stock", GRU: "stock_gru"}
    assert choose_kernel(LSTM(), gpu, cut=True) == "triton_lstm"
    assert choose_kernel(RNN(activation="identity"), gpu) == "triton_rnn"  # cuDNN has none
    packs = {kind: choose_kernel(kind(), gpu, 2) for kind in (RNN, LSTM, GRU)}
    assert packs == {RNN: "triton_rnn", LSTM: "triton_lstm", GRU: "triton_gru"}
    assert choose_kernel(LSTM(), gpu, 2, cut=True) == "triton_lstm"
    assert choose_kernel(Attentive(), gpu, 2) == "attentive"
    assert choose_kernel(GRULike(), gpu, 2) == "traced"
    with_norms = {kind: choose_kernel(kind(), gpu, norms=True) for kind in (RNN, LSTM, GRU)}
    assert with_norms == packs
    monkeypatch.setattr(fused, "launchable", lambda: False)
    assert {choose_kernel(kind(), gpu, 2) for kind in (RNN, LSTM, GRU)} == {"packed", "stock", "stock_gru"}
    assert choose_kernel(LSTM(), gpu, 2, cut=True) == "packed_lstm"


def test_no_kernel_of_a_gpu_is_chosen_on_a_cpu() -> None:
    for cell in (RNN(), RNN(activation="relu"), LSTM(), GRU()):
        for runs, cut in ((1, False), (5, False), (5, True)):
            assert (
                "cpu" in KERNELS[choose_kernel(cell, torch.device("cpu"), runs, cut and isinstance(cell, LSTM))].devices
            )


@dataclass
class Case:
    """Parameters, inputs and initial state of a pack, and what the loss takes from the results."""

    params: Parameters
    inputs: Tensor
    state: State | None
    first: int
    on_outputs: Tensor
    on_state: tuple[Tensor, ...]

    def of_run(self, run: int) -> Case:
        s = slice(run, run + 1)
        state = None if self.state is None else tuple(v[s].clone() for v in self.state)
        return Case(
            {name: p[s].clone() for name, p in self.params.items()},
            self.inputs[:, s].clone(),
            state,
            self.first,
            self.on_outputs[:, s].clone(),
            tuple(v[s].clone() for v in self.on_state),
        )


def make(
    cell: Cell, time: int, runs: int, batch: int, inputs: int, first: int, zero: bool, dtype: torch.dtype, seed: int = 0
) -> Case:
    p = random_parameters(cell, inputs, runs, seed=seed, dtype=dtype)
    g = torch.Generator().manual_seed(seed + 1)
    n = cell.hidden_size
    state, on_state = (
        tuple(torch.randn(runs, batch, n, generator=g, dtype=dtype) for _ in cell.state_names) for _ in range(2)
    )
    x = torch.randn(time, runs, batch, inputs, generator=g, dtype=dtype)
    on_outputs = torch.randn(time - first, runs, batch, n, generator=g, dtype=dtype)
    return Case(p, x, None if zero else state, first, on_outputs, on_state)


def results(kernel: str, cell: Cell, case: Case) -> dict[str, Tensor]:
    """Outputs, last state, and gradients of a random linear function of both."""
    params = {name: p.clone().requires_grad_() for name, p in case.params.items()}
    state = None if case.state is None else tuple(s.clone().requires_grad_() for s in case.state)
    x = case.inputs.detach().transpose(0, 1).clone().requires_grad_()  # run-major
    outputs, last = KERNELS[kernel].scan(cell, params, x.transpose(0, 1), state, case.first)
    loss = (outputs * case.on_outputs).sum() + sum((s * c).sum() for s, c in zip(last, case.on_state, strict=True))
    leaves = params | {f"into {i}": s for i, s in enumerate(state or ())} | {"x": x}
    grads = dict(zip((f"d{name}" for name in leaves), torch.autograd.grad(loss, leaves.values()), strict=True))
    return {"outputs": outputs} | {f"last {i}": s for i, s in enumerate(last)} | grads


def assert_close(got: dict[str, Tensor], expected: dict[str, Tensor], case: Case) -> None:
    """Each value is a sum of at most (steps * batch + hidden + inputs) products, rounded once each; the largest entry
    of a tensor stands for the size of its terms, and 50 for how much an error can grow along these few steps."""
    eps = EPS64 if case.inputs.dtype == torch.float64 else EPS32
    terms = sum(case.inputs.shape[i] for i in (0, 2, 3)) + case.params["W"].shape[-1] + 10
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        value = value.detach()
        assert got[name].shape == value.shape, name
        scale = max(1.0, float(value.abs().max())) if value.numel() else 1.0
        torch.testing.assert_close(
            got[name], value, rtol=0, atol=50 * eps * terms * scale, msg=lambda m, n=name: f"{n}: {m}"
        )


shapes = st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(1, 7))


@pytest.mark.slow_but(4)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", CELLS)
@settings(max_examples=20)
@given(shape=shapes, where=st.sampled_from(["all", "some", "last", "none"]), zero=st.booleans())
@example(shape=(1, 1, 1, 1, 1), where="all", zero=True)
@example(shape=(1, 2, 1, 1, 1), where="none", zero=False)
@example(shape=(9, 3, 5, 1, 1), where="some", zero=False)
def test_fast_kernels_agree_with_the_loop(
    name: str, dtype: torch.dtype, shape: tuple[int, ...], where: str, zero: bool
) -> None:
    time, runs, batch, inputs, hidden = shape
    kind = CELLS[name]
    cell = LSTM(hidden_size=hidden) if isinstance(kind, LSTM) else RNN(hidden_size=hidden, activation=kind.activation)
    first = {"all": 0, "some": time // 2, "last": time - 1, "none": time}[where]
    case = make(cell, time, runs, batch, inputs, first, zero, dtype)
    assert_close(results(FAST[name], cell, case), results("loop", cell, case), case)


@pytest.mark.parametrize("name", CELLS)
def test_the_loop_is_a_loop_of_cells(name: str) -> None:
    cell = CELLS[name]
    case = make(cell, 6, 3, 4, 2, 2, False, torch.float64)
    outputs, last = KERNELS["loop"].scan(cell, case.params, case.inputs, case.state, 2)
    for run in range(3):
        state = tuple(s[run] for s in case.state)
        states = loop_of_cells(cell, one(case.params, run), case.inputs[:, run], state)
        torch.testing.assert_close(outputs[:, run], torch.stack([s[0] for s in states[2:]]), rtol=0, atol=100 * EPS64)
        for mine, other in zip(last, states[-1], strict=True):
            torch.testing.assert_close(mine[run], other, rtol=0, atol=100 * EPS64)


# Time, runs, batch, inputs, hidden: odd sizes, one step, one of everything, and the sizes of real runs, where matrix
# products with a vector on one side go other ways in the libraries than those of matrices.
SHAPES_ALONE = [
    *((7, 5, 3, 2, 5), (1, 5, 3, 1, 5), (2, 3, 1, 3, 1), (33, 4, 8, 10, 16), (4, 3, 32, 2, 33)),
    *((20, 3, 32, 1, 32), (20, 2, 64, 3, 1), (9, 3, 1, 2, 64)),
]


@pytest.mark.parametrize("group_bytes", [1, 900, 2**22])
@pytest.mark.parametrize(
    "shape", [(7, 5, 3, 2, 5), (1, 5, 3, 1, 5), (2, 3, 1, 3, 1), (33, 4, 8, 10, 16), (4, 3, 32, 2, 33)]
)
@pytest.mark.parametrize("name", CELLS)
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(
    name: str, shape: tuple[int, ...], group_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "lstm" and group_bytes > 1:
        pytest.skip("the stock kernel has no groups")
    monkeypatch.setattr(run_major, "_GROUP_BYTES", group_bytes)
    time, runs, batch, inputs, hidden = shape
    kind = CELLS[name]
    cell = LSTM(hidden_size=hidden) if isinstance(kind, LSTM) else RNN(hidden_size=hidden, activation=kind.activation)
    case = make(cell, time, runs, batch, inputs, time // 2, False, torch.float32)
    together = results(FAST[name], cell, case)
    for run in range(runs):
        for what, value in results(FAST[name], cell, case.of_run(run)).items():
            axis = 1 if what == "outputs" else 0
            assert torch.equal(value, together[what].narrow(axis, run, 1)), what


def test_elsewhere_than_on_a_cpu_products_go_straight_into_a_step() -> None:
    """The very tensor, so that nothing is copied into itself."""
    steps = torch.empty(3, 4, 2, 5, device="meta").unbind(1)
    assert all(a is step for a, step in zip(run_major.products_of(steps), steps, strict=True))
    aside = run_major.products_of(torch.empty(3, 4, 2, 5).unbind(1))
    assert len(aside) == 4
    assert aside[0].is_contiguous()


@pytest.mark.parametrize("name", [name for name, kernel in FAST.items() if kernel in ("packed", "packed_lstm")])
def test_straight_into_a_step_they_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = CELLS[name]
    cell = LSTM(hidden_size=5) if isinstance(kind, LSTM) else RNN(hidden_size=5, activation=kind.activation)
    case = make(cell, 6, 3, 4, 2, 2, False, torch.float64)
    expected = results(FAST[name], cell, case)
    for module in (packed_rnn, packed_lstm):
        monkeypatch.setattr(module, "products_of", lambda steps: steps)
    for what, value in results(FAST[name], cell, case).items():
        torch.testing.assert_close(value, expected[what], rtol=1e-12, atol=1e-12)


def test_groups_cover_every_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    states, weights = torch.zeros(7, 2, 3, 4), torch.zeros(7, 4, 4)  # of a step of a run 4 * 48 bytes, and 64
    for size, expected in ((1, 1), (256, 1), (520, 2), (10**6, 7)):
        monkeypatch.setattr(run_major, "_GROUP_BYTES", size)
        groups = run_major.groups(states, weights)
        assert [run for group in groups for run in range(7)[group]] == list(range(7))
        assert len(range(7)[groups[0]]) == expected


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("time", "first"), [(1, 0), (1, 1), (4, 0), (4, 3), (4, 4)])
def test_gradcheck_of_the_packed_loop(activation: str, time: int, first: int) -> None:
    case = make(RNN(hidden_size=3), time, 2, 2, 2, first, False, torch.float64)
    x = case.inputs.transpose(0, 1).contiguous()
    leaves = [case.params[name].requires_grad_() for name in "UWb"]
    h0 = case.state[0].requires_grad_()

    def function(u: Tensor, w: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return packed_rnn._Loop.apply(u, w, b, x, h, activation, first, None)

    assert torch.autograd.gradcheck(function, (*leaves, h0))


@pytest.mark.parametrize("name", CELLS)
def test_arguments_stay_as_they_were(name: str) -> None:
    cell = CELLS[name]
    case = make(cell, 4, 2, 3, 2, 1, False, torch.float32)
    kept = [p.clone() for p in (*case.params.values(), case.inputs, *case.state)]
    results(FAST[name], cell, case)
    for before, after in zip(kept, (*case.params.values(), case.inputs, *case.state), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("name", CELLS)
def test_a_run_with_infinite_parameters_leaves_the_others_alone(name: str) -> None:
    cell = CELLS[name]
    case = make(cell, 5, 3, 2, 2, 0, False, torch.float32)
    fine = results(FAST[name], cell, case)
    case.params["W"][1] = torch.inf
    broken = results(FAST[name], cell, case)
    for what, value in fine.items():
        axis = 1 if what == "outputs" else 0
        for run in (0, 2):
            assert torch.equal(value.select(axis, run), broken[what].select(axis, run)), what


def test_relu_passes_no_gradient_at_exactly_zero() -> None:
    cell = RNN(hidden_size=2, activation="relu")
    case = make(cell, 3, 1, 1, 1, 0, True, torch.float64)
    case.params |= {"U": torch.zeros_like(case.params["U"]), "b": torch.zeros_like(case.params["b"])}
    got = results("packed", cell, case)
    assert not got["outputs"].any()
    assert not any(got[name].any() for name in ("dU", "dW", "db"))
