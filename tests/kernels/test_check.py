"""The check of a kernel: right ones pass it by far, wrong ones do not, and what they are held to is right itself."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import ACTIVATIONS, loop_of_cells, one

from lrd.cells import GRU, LSTM, LSTM1997, RNN, Attentive, Cell, PeepholeLSTM
from lrd.kernels import KERNELS, GradientNorms, Kernel, cpu
from lrd.kernels.check import Check, Error, check_kernel
from lrd.kernels.float64_reference import SmallPack, reference, small_packs
from lrd.shapes import Tensor
from lrd.training.precision import computing

CPU = torch.device("cpu")
RNNS = [RNN(activation=activation) for activation in ACTIVATIONS]
#: Kernels that run on any machine, and cells that they run.
CASES = [(name, cell) for name in ("packed", "stock_rnn") for cell in RNNS if KERNELS[name].runs_cell(cell)]
CASES += [("stock", LSTM()), ("packed_lstm", LSTM()), ("stock_gru", GRU()), ("attentive", Attentive())]
CASES += [("traced", cell) for cell in (RNN(), GRU(), PeepholeLSTM())] + [("loop", LSTM())]
if not cpu.why_not():
    CASES += [("numba_rnn", cell) for cell in RNNS] + [("numba_lstm", LSTM()), ("numba_gru", GRU())]
    CASES += [("numba_lstm1997", LSTM1997())]
IDS = [f"{name} {cell.name} {getattr(cell, 'activation', '')}" for name, cell in CASES]


def sizes(check: Check) -> dict[str, float]:
    return {part: error.size for part, error in check.parts().items()}


@pytest.mark.parametrize(("name", "cell"), CASES, ids=IDS)
def test_a_right_kernel_is_right_by_far(name: str, cell: Cell) -> None:
    check = check_kernel(KERNELS[name], cell, CPU)
    assert check.wrong == ""
    assert set(check.parts()) == {"forward", "backward"} | ({"norms"} if KERNELS[name].norms else set())
    for error in check.parts().values():
        assert 1e-9 < error.size < error.allowed / 5 < 1e-4  # float32 was used, and its rounding is far below the limit
    if "float64" in KERNELS[name].precisions:
        exact = check_kernel(KERNELS[name], cell, CPU, "float64")
        assert exact.wrong == ""
        assert max(sizes(exact).values()) < 1e-13


@pytest.mark.parametrize("cell", [*RNNS, LSTM(), GRU()], ids=lambda cell: f"{cell.name} {vars(cell).get('activation')}")
def test_bfloat16_is_allowed_its_own_rounding(cell: Cell) -> None:
    rounded = check_kernel(KERNELS["loop"], cell, CPU, "bfloat16", functools.partial(computing, "bfloat16"))
    assert rounded.wrong == ""
    assert all(1e-4 < size < 0.1 for size in sizes(rounded).values())
    # What is right in bfloat16 is wrong in float32.
    assert check_kernel(KERNELS["loop"], cell, CPU, "float32", functools.partial(computing, "bfloat16")).wrong


@pytest.mark.parametrize(("name", "cell"), [case for case in CASES if KERNELS[case[0]].norms])
def test_norms_are_right_where_denormal_numbers_are_zeros(name: str, cell: Cell) -> None:
    """As in workers; the packs of small gradients go below 1e-38."""
    torch.set_flush_denormal(True)
    try:
        assert check_kernel(KERNELS[name], cell, CPU).wrong == ""
    finally:
        torch.set_flush_denormal(False)


# -- wrong kernels -----------------------------------------------------------------------------------------------------


def changed(change: Callable[..., Any], name: str = "packed_lstm") -> Kernel:
    """The kernel with ``change(scan, cell, params, x, state, first, **options)`` in the place of its function."""
    return dataclasses.replace(KERNELS[name], scan=functools.partial(change, KERNELS[name].scan))


def off_forward(scan: Any, cell: Cell, params: Any, x: Tensor, state: Any, first: int, **options: Any) -> Any:
    h, last = scan(cell, params, x, state, first, **options)
    return h * (1 + 1e-4), last


def last_state_of_the_step_before(scan: Any, cell: Cell, params: Any, x: Tensor, *given: Any, **options: Any) -> Any:
    h, last = scan(cell, params, x, *given, **options)
    return h, (h[-2] if len(h) > 1 else last[0], *last[1:])


def off_backward(scan: Any, cell: Cell, params: Any, x: Tensor, *given: Any, **options: Any) -> Any:
    half = params["W"] / 2  # the value of W and half of its gradient
    return scan(cell, params | {"W": half + half.detach()}, x, *given, **options)


def no_gradient_of_x(scan: Any, cell: Cell, params: Any, x: Tensor, *given: Any, **options: Any) -> Any:
    return scan(cell, params, x.detach(), *given, **options)


def no_gradient_of_the_state(scan: Any, cell: Cell, params: Any, x: Tensor, state: Any, *given: Any, **o: Any) -> Any:
    return scan(cell, params, x, state and tuple(s.detach() for s in state), *given, **o)


def never_cut(scan: Any, *given: Any, keep: Any = None, **options: Any) -> Any:
    return scan(*given, **options)


def from_zeros_always(scan: Any, cell: Cell, params: Any, x: Tensor, state: Any, first: int, **options: Any) -> Any:
    return scan(cell, params, x, state and tuple(s * 0 for s in state), first, **options)


class _WrongNorms(GradientNorms):
    """Norms of a kernel that loses a power of two of one sample at one step."""

    def __init__(self, norms: GradientNorms) -> None:
        self._norms = norms

    def put(self, variable: str, size: Tensor, power: Tensor) -> None:
        power = power.clone()
        power[-1, 0, -1] -= 1
        self._norms.put(variable, size, power)


def off_norms(scan: Any, *given: Any, norms: Any = None, **options: Any) -> Any:
    return scan(*given, norms=None if norms is None else _WrongNorms(norms), **options)


def no_norms(scan: Any, *given: Any, norms: Any = None, **options: Any) -> Any:
    return scan(*given, **options)


def not_a_number(scan: Any, cell: Cell, params: Any, x: Tensor, *given: Any, **options: Any) -> Any:
    h, last = scan(cell, params, x, *given, **options)
    return torch.where(h > 0.5, torch.nan, h), last


def one_step_short(scan: Any, cell: Cell, params: Any, x: Tensor, state: Any, first: int, **options: Any) -> Any:
    h, last = scan(cell, params, x, state, first, **options)
    return (h[:-1] if len(h) > 1 else h), last


WRONG = {
    off_forward: "forward",
    last_state_of_the_step_before: "forward",
    from_zeros_always: "forward",
    not_a_number: "forward",
    off_backward: "backward",
    no_gradient_of_x: "backward",
    no_gradient_of_the_state: "backward",
    never_cut: "backward",
    off_norms: "norms",
    no_norms: "norms",
}


@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_a_wrong_kernel_is_found_out_where_it_is_wrong(change: Callable[..., Any]) -> None:
    check = check_kernel(changed(change), LSTM(), CPU)
    error = check.parts()[WRONG[change]]
    assert error.is_wrong
    assert f"{WRONG[change]}: {error.where} is wrong by {error.size:.1e}, rounding explains" in check.wrong
    assert "\n" not in check.wrong


def test_the_size_of_an_error_is_its_true_one() -> None:
    assert check_kernel(changed(off_forward), LSTM(), CPU).forward.size == pytest.approx(1e-4, rel=0.01)
    # A power of two of a norm: half of it is missing.
    assert check_kernel(changed(off_norms), LSTM(), CPU).norms.size == pytest.approx(1.0, rel=0.01)
    assert check_kernel(changed(no_norms), LSTM(), CPU).norms.size == math.inf


def test_results_of_another_shape_are_an_error_of_the_check() -> None:
    with pytest.raises(RuntimeError, match="must match the size"):
        check_kernel(changed(one_step_short), LSTM(), CPU)


def test_what_a_check_found_reads_as_one_line() -> None:
    bad, good = Error(0.25, 1e-5, "d W (from zeros)"), Error(1e-7, 1e-5, "h (from zeros)")
    assert Check(good, good).wrong == ""
    assert Check(good, bad).wrong == "backward: d W (from zeros) is wrong by 2.5e-01, rounding explains 1.0e-05"
    assert Check(Error(math.nan, 1e-5, "h"), good).wrong.startswith("forward: h is wrong by nan")
    assert Check.of_error(RuntimeError("no\ncompiler")).wrong == "it raises RuntimeError: no compiler"


# -- what kernels are held to ------------------------------------------------------------------------------------------


def plain(pack: SmallPack, run: int) -> tuple[list[Any], dict[str, Tensor], Tensor]:
    """States of one run by a loop over steps of plain torch, their parameters, and the scalar."""
    params = {name: value.clone().requires_grad_() for name, value in one(pack.params, run).items()}
    zeros = tuple(torch.zeros_like(on[run]) for on in pack.on_state)
    state = zeros if pack.state is None else tuple(s[run] for s in pack.state)
    states: list[Any] = []
    for t, x in enumerate(pack.inputs[:, run]):
        if pack.keep is not None and pack.keep[run, t] == 0:
            state = (state[0].detach(), *state[1:])
        (state,) = loop_of_cells(pack.cell, params, x[None], state)
        for variable in state:
            variable.retain_grad()
        states.append(state)
    scalar = sum((h * on[run]).sum() for (h, *_), on in zip(states[pack.first :], pack.on_h, strict=True))
    scalar = scalar + sum((s * on[run]).sum() for s, on in zip(states[-1], pack.on_state, strict=True))
    return states, params, scalar


@pytest.mark.parametrize("cell", [*RNNS, LSTM()], ids=lambda cell: f"{cell.name} {vars(cell).get('activation')}")
def test_the_reference_is_a_plain_loop(cell: Cell) -> None:
    for pack in small_packs(cell, cuts=True):
        values, norms = reference(pack)
        for run in range(pack.inputs.shape[1]):
            states, params, scalar = plain(pack, run)
            scalar.backward()
            got = {"h": torch.stack([h.detach() for h, *_ in states])[pack.first :]}
            got |= {f"d {name}": p.grad for name, p in params.items()}
            for name, value in got.items():
                size = float(value.abs().max()) if value.numel() else 1.0
                torch.testing.assert_close(values[name][run], value, rtol=0, atol=1e-13 * size)
            for v, name in enumerate(cell.state_names):
                grads = [torch.zeros_like(s[v]) if s[v].grad is None else s[v].grad for s in states]
                mine = torch.stack(grads).norm(dim=-1).log10()
                torch.testing.assert_close(norms[name][:, run], mine, rtol=0, atol=1e-12)


def test_packs_reach_what_they_are_meant_to_reach() -> None:
    packs = {pack.name: pack for pack in small_packs(LSTM(), cuts=True)}
    assert packs["no h wanted"].first == len(packs["no h wanted"].inputs)
    assert packs["from zeros"].state is None
    assert 0 < float(packs["cut in h"].keep.mean()) < 1
    small = reference({pack.name: pack for pack in small_packs(RNN(), cuts=False)}["small gradients"])[1]["h"]
    assert -100 < float(small.min()) < -45  # a float32 number ends at 1e-45
    large = reference(packs["large gradients"])[1]["c"]
    assert float(large.max()) > 19.5  # whose square is no float32 number


def test_errors_die_out_along_the_steps_of_a_pack() -> None:
    """What ``allowed`` counts on."""
    for cell, gates in ((RNN(), 1), (GRU(), 3), (LSTM(), 4)):
        for pack in small_packs(cell, cuts=True):
            for w in pack.params["W"].chunk(gates, dim=1):
                assert float(torch.linalg.matrix_norm(w, 2).max()) < 1


def test_no_unit_of_a_relu_is_near_its_kink() -> None:
    """Rounding, of bfloat16 too, would else decide whether a gradient passes.

    Of numbers that are at most 1 it is 2^-8.
    """
    for pack in small_packs(RNN(activation="relu"), cuts=False):
        as_is = dataclasses.replace(pack, cell=RNN(hidden_size=pack.cell.hidden_size, activation="identity"))
        for run in range(pack.inputs.shape[1]):
            states, params, _ = plain(pack, run)
            before = [torch.zeros_like(states[0][0]) if pack.state is None else pack.state[0][run]]
            before += [h.detach() for h, *_ in states[:-1]]
            for x, h in zip(pack.inputs[:, run], before, strict=True):
                ((a,),) = loop_of_cells(as_is.cell, params, x[None], (h,))
                assert float(a.detach().abs().min()) > 3 * 2**-8 * float(a.detach().abs().max())
