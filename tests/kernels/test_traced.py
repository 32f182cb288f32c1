"""The traced kernel: the loop's numbers, each run's own to the last bit, and nothing frozen silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from packs import SHAPES, assert_no_companion_matters, assert_same_to_rounding, case
from torch.func import vmap

from lrd.cells import GRU, LSTM, LSTM1997, RNN, Cell, CoupledLSTM, Parameters, PeepholeLSTM, State
from lrd.kernels import choose_kernel, traced
from lrd.kernels.graphs import NotTraceableError, trace
from lrd.options import option
from lrd.shapes import Tensor

CELLS: dict[str, Cell] = {
    "rnn": RNN(hidden_size=4),
    "lstm": LSTM(hidden_size=4),
    "gru": GRU(hidden_size=4),
    "peephole": PeepholeLSTM(hidden_size=4),
    "coupled": CoupledLSTM(hidden_size=4),
    "1997": LSTM1997(hidden_size=4, block_size=2),
    "1997, truncated": LSTM1997(hidden_size=4, truncated=True),
    "1997, 2a": LSTM1997(hidden_size=4, output_gates=False, recurrent="none", bias="none"),
}


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_it_computes_what_the_loop_computes(name: str, shape: tuple[int, ...]) -> None:
    made = case(CELLS[name], shape, torch.float64, zero=shape[0] == 2)
    assert_same_to_rounding(made.results("traced"), made.results("loop"), made)


def test_it_does_so_in_float32_at_the_size_of_real_runs() -> None:
    made = case(CELLS["peephole"], SHAPES[-1], torch.float32)
    assert_same_to_rounding(made.results("traced"), made.results("loop"), made)


@pytest.mark.parametrize("first", [0, 3, 6, 7])
def test_outputs_from_any_step_on(first: int) -> None:
    made = case(CELLS["peephole"], SHAPES[0], torch.float64, first, zero=first == 3)
    got, expected = made.results("traced"), made.results("loop")
    assert len(got["h"][0]) == 7 - first
    for what, value in expected.items():
        torch.testing.assert_close(got[what], value, rtol=1e-11, atol=1e-11)  # some 100 terms of order 1


@pytest.mark.slow_but(3)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["peephole", "1997"])
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(name: str, shape: tuple[int, ...]) -> None:
    made = case(CELLS[name], shape, torch.float32)
    assert_no_companion_matters("traced", made)


def test_it_is_the_kernel_of_cells_without_one_of_their_own() -> None:
    assert choose_kernel(CELLS["peephole"]) == choose_kernel(Odd()) == "traced"


def test_without_gradients_it_keeps_no_tape_and_says_the_same() -> None:
    made = case(CELLS["coupled"], SHAPES[0], torch.float32)
    with torch.no_grad():
        h, _ = traced.scan(made.cell, made.params, made.inputs, made.state, made.first)
    assert not h.requires_grad
    assert torch.equal(h.transpose(0, 1), made.results("traced")["h"])


def test_a_second_pass_back_gives_the_same() -> None:
    made = case(CELLS["coupled"], SHAPES[0], torch.float64)
    params = {name: p.requires_grad_() for name, p in made.params.items() if not name.startswith("V")}
    h, _ = traced.scan(made.cell, params, made.inputs, None, 0)
    first, second = (torch.autograd.grad(h.square().sum(), params.values(), retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_one_trace_serves_all_sequences_of_a_shape() -> None:
    made = case(CELLS["peephole"], (3, 2, 7, 2, 5), torch.float32)
    traced._traced_step.cache_clear()
    for _ in range(3):
        made.results("traced")
    made.inputs = made.inputs.repeat(4, 1, 1, 1)
    made.first, made.on_h = 0, torch.ones(12, 2, 7, 5)
    made.results("traced")
    assert traced._traced_step.cache_info().misses == 1


@dataclass(frozen=True)
class Odd(RNN):
    """A vanilla cell with something that a trace must not freeze, lose or do otherwise."""

    what: str = option("nothing", "what is odd")

    def step(self, p: Parameters, x: Tensor, state: State) -> State:
        (h,) = super().step(p, x, state)
        if self.what == "branch" and bool(h.sum() > 0):
            h = -h
        elif self.what == "number":
            h = h * float(h[0])
        elif self.what == "in place":
            h = h.clone()
            h[0] = 0.25
        elif self.what == "constant":
            h = h * torch.arange(len(h)).to(h.dtype)
        elif self.what == "unused" and self.gain:
            h = h + state[0]
        elif self.what == "own gradient":
            h = _Passed.apply(h)
        return (h,)


class _Passed(torch.autograd.Function):
    """tanh whose gradient is passed as it is."""

    generate_vmap_rule = True

    @staticmethod
    def forward(h: Tensor) -> Tensor:
        return torch.tanh(h)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


@pytest.mark.parametrize("what", ["branch", "number"])
def test_control_flow_by_values_is_refused_and_not_frozen(what: str) -> None:
    """The loop refuses it too, and says why."""
    made = case(Odd(what=what), SHAPES[0], torch.float64)
    with pytest.raises(RuntimeError, match="vmap"):
        made.results("traced")
    step = vmap(vmap(made.cell.step, in_dims=(None, 0, 0)), in_dims=(0, 0, 0))
    with pytest.raises(NotTraceableError, match="vmap"):
        trace(lambda p, x, s: step(p, x, s), made.params, made.inputs[0], made.state)


def test_the_tracer_itself_refuses_what_it_would_freeze() -> None:
    calls = []

    def branches(x: Tensor) -> Tensor:
        return x if bool(x.sum() > 0) else -x

    def counts(x: Tensor) -> Tensor:
        calls.append(x)
        return x * len(calls)

    for function, message in ((branches, "takes a number"), (counts, "other numbers take another way")):
        with pytest.raises(NotTraceableError, match=message):
            trace(function, torch.ones(3))


def test_a_tensor_of_the_cells_own_is_a_constant() -> None:
    own = torch.arange(3.0)
    traced_sum = trace(lambda x: x + own, torch.ones(3))
    (found,) = traced_sum.part(traced_sum.arguments, traced_sum.results)(torch.full((3,), 5.0))
    assert found.tolist() == [5.0, 6.0, 7.0]


def test_what_works_in_place_is_left_to_the_loop() -> None:
    made = case(Odd(what="in place"), SHAPES[0], torch.float64)
    got, expected = made.results("traced"), made.results("loop")
    assert all(torch.equal(got[what], value) for what, value in expected.items())
    assert bool((got["h"][..., 0] == 0.25).all())

    def fills(x: Tensor) -> Tensor:
        y = x.clone()
        y[0] = 1
        return y

    with pytest.raises(NotTraceableError, match="in place"):
        trace(fills, torch.zeros(3))


@pytest.mark.parametrize("what", ["constant", "unused", "own gradient"])
def test_constants_and_gradients_of_ones_own_are_kept(what: str) -> None:
    made = case(Odd(what=what), SHAPES[0], torch.float64)
    got, expected = made.results("traced"), made.results("loop")
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, rtol=1e-10, atol=1e-10)  # some 100 terms of order 1
