"""Omega and its immediate gradient against plain autograd with all but W detached, and against differences."""

from __future__ import annotations

import pytest
import torch
from helpers import ACTIVATIONS, EPS32, EPS64, loop_of_cells, one, random_parameters

from lrd.cells import RNN, Parameters
from lrd.shapes import Tensor
from lrd.training.omega import omega

RUNS, TIME, BATCH, INPUTS, HIDDEN = 3, 11, 4, 2, 5


def plain_omega(activation: str, w: Tensor, a: Tensor, gradient: Tensor) -> Tensor:
    """Eq. 9 of one run as a mean over steps and samples; ``a``: pre-activations, ``gradient``: dE/dh_t, both
    [time, batch, hidden]."""
    a = a.detach().requires_grad_()
    slopes = torch.autograd.grad(ACTIVATIONS[activation](a).sum(), a)[0]
    terms = []
    for g, d in zip(gradient.flatten(0, 1), slopes.flatten(0, 1), strict=True):
        if g.any():
            jacobian = torch.diag(d) @ w  # dh_t / dh_{t-1}
            terms.append(((g @ jacobian).norm() / g.norm() - 1) ** 2)
    return torch.stack(terms).mean()


def case(
    activation: str, first: int, scale: float = 0.6, time: int = TIME, dtype: torch.dtype = torch.float64
) -> tuple:
    """Parameters, inputs and, of a random linear loss of the states from ``first`` on, the direct gradients."""
    p = random_parameters(RNN(hidden_size=HIDDEN), INPUTS, RUNS, scale=scale, dtype=dtype)
    g = torch.Generator().manual_seed(1)
    x = torch.randn(time, RUNS, BATCH, INPUTS, generator=g, dtype=torch.float64).to(dtype)
    direct = torch.randn(time, RUNS, BATCH, HIDDEN, generator=g, dtype=torch.float64).to(dtype)
    direct[:first] = 0
    return p, x, direct


def unrolled(cell: RNN, p: Parameters, x: Tensor, direct: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of one run: states, pre-activations and the whole gradients dE/dh_t, by autograd."""
    states = [h for (h,) in loop_of_cells(cell, p, x)]
    before = [torch.zeros_like(states[0]), *states[:-1]]
    a = torch.stack([x_t @ p["U"].T + h @ p["W"].T + p["b"] for x_t, h in zip(x, before, strict=True)])
    loss = sum((h * d).sum() for h, d in zip(states, direct, strict=True))
    return torch.stack(states).detach(), a.detach(), torch.stack(torch.autograd.grad(loss, states))


def by_autograd(cell: RNN, p: Parameters, x: Tensor, direct: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """States [time, runs, ...], Omega [runs] and its immediate gradient in W, all of the plain computation."""
    found = []
    for run in range(x.shape[1]):
        mine = {name: v.requires_grad_() for name, v in one(p, run).items()}
        h, a, gradient = unrolled(cell, mine, x[:, run], direct[:, run])
        w = mine["W"].detach().requires_grad_()
        value = plain_omega(cell.activation, w, a, gradient)
        found.append((h, value.detach(), torch.autograd.grad(value, w)[0]))
    states, values, grads = zip(*found, strict=True)
    return torch.stack(states, dim=1), torch.stack(values), torch.stack(grads)


@pytest.mark.parametrize("first", [0, 6, TIME - 1])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_value_and_gradient_are_autograds_with_all_but_w_detached(activation: str, first: int) -> None:
    cell = RNN(hidden_size=HIDDEN, activation=activation)
    p, x, direct = case(activation, first)
    states, value, grad = by_autograd(cell, p, x, direct)
    mine, into_w = omega(cell, p["W"].detach(), [states], [direct])
    # Slopes from states, 11 steps back, ratios of up to some 10 and their inverses.
    torch.testing.assert_close(mine, value, rtol=1e4 * EPS64, atol=0)
    torch.testing.assert_close(into_w, grad, rtol=0, atol=1e5 * EPS64 * float(grad.abs().max()))


def test_the_gradient_is_that_of_differences_in_w_while_all_else_stays() -> None:
    cell, run, step = RNN(hidden_size=HIDDEN), 1, 1e-5
    p, x, direct = case("tanh", 6)
    mine = {name: v.requires_grad_() for name, v in one(p, run).items()}
    h, a, gradient = unrolled(cell, mine, x[:, run], direct[:, run])
    w = mine["W"].detach()
    _, into_w = omega(cell, w[None], [h[:, None]], [direct[:, run : run + 1]])
    for i in range(HIDDEN):
        for j in range(HIDDEN):
            moved = torch.zeros_like(w)
            moved[i, j] = step
            up, down = (plain_omega("tanh", w + sign * moved, a, gradient) for sign in (1, -1))
            # Third derivatives of size 10 times step^2, and rounding of values of size 1 over the step.
            assert float(into_w[0, i, j]) == pytest.approx(float(up - down) / (2 * step), abs=1e-8)


def test_gradients_beyond_the_range_of_float32_count_as_others_do() -> None:
    """300 steps back the gradient is far below 1e-45, the least number of float32, but it has a direction."""
    cell = RNN(hidden_size=HIDDEN)
    p, x, direct = case("tanh", 299, scale=0.25, time=300)
    mine = {name: v.requires_grad_() for name, v in one(p, 0).items()}
    _, _, gradient = unrolled(cell, mine, x[:, 0], direct[:, 0])
    assert 0 < float(gradient[0].abs().max()) < 1e-80
    states, value, grad = by_autograd(cell, p, x, direct)
    found, into_w = omega(cell, p["W"].detach().float(), [states.float()], [direct.float()])
    # Errors of one rounding a step and unit; directions settle along leading ones of W, which forget them.
    torch.testing.assert_close(found.double(), value, rtol=1e3 * EPS32, atol=0)
    torch.testing.assert_close(into_w.double(), grad, rtol=0, atol=1e3 * EPS32 * float(grad.abs().max()))


def test_gradients_that_explode_beyond_float32_do_too() -> None:
    cell = RNN(hidden_size=HIDDEN, activation="identity")
    p, x, direct = case("identity", 199, scale=1.5, time=200)
    mine = {name: v.requires_grad_() for name, v in one(p, 0).items()}
    _, _, gradient = unrolled(cell, mine, x[:, 0], direct[:, 0])
    assert float(gradient[0].abs().max()) > 1e40
    states, value, grad = by_autograd(cell, p, x, direct)
    ones = torch.ones_like(states, dtype=torch.float32)  # slopes of the identity ask for no states
    found, into_w = omega(cell, p["W"].detach().float(), [ones], [direct.float()])
    torch.testing.assert_close(found.double(), value, rtol=1e3 * EPS32, atol=0)
    torch.testing.assert_close(into_w.double(), grad, rtol=0, atol=1e3 * EPS32 * float(grad.abs().max()))


def test_a_late_small_gradient_adds_to_an_early_large_one_in_proportion() -> None:
    """What arrives is 1e-30 of what is added, and the other way round: the larger one decides."""
    cell, w = RNN(hidden_size=2, activation="identity"), torch.eye(2)[None] * torch.tensor([2.0, 3.0])
    h = torch.zeros(2, 1, 1, 2)
    for direct, ratios in (([[1.0, 0.0], [0.0, 1e-30]], (2, 3)), ([[1e-30, 0.0], [0.0, 1.0]], (3, 3))):
        value, _ = omega(cell, w, [h], [torch.tensor(direct)[:, None, None]])
        assert float(value) == pytest.approx(sum((r - 1) ** 2 for r in ratios) / 2, rel=1e-6)


def test_steps_without_gradient_are_left_out_and_parts_are_their_mean() -> None:
    """Padding behind the answer, and truncation: the gradient of each part begins anew."""
    cell = RNN(hidden_size=HIDDEN)
    p, x, direct = case("tanh", 0)
    direct[8:] = 0
    states, _, _ = by_autograd(cell, p, x, direct)
    w = p["W"].detach()
    padded, into_w = omega(cell, w, [states], [direct])
    plain, plain_into_w = omega(cell, w, [states[:8]], [direct[:8]])
    torch.testing.assert_close(padded, plain, rtol=100 * EPS64, atol=0)
    torch.testing.assert_close(into_w, plain_into_w, rtol=0, atol=1e3 * EPS64)
    parts = [slice(0, 3), slice(3, 8)]
    whole, into_w = omega(cell, w, [states[s] for s in parts], [direct[s] for s in parts])
    each = [omega(cell, w, [states[s]], [direct[s]]) for s in parts]
    torch.testing.assert_close(whole, (3 * each[0][0] + 5 * each[1][0]) / 8, rtol=100 * EPS64, atol=0)
    torch.testing.assert_close(into_w, (3 * each[0][1] + 5 * each[1][1]) / 8, rtol=0, atol=1e3 * EPS64)


def test_no_gradient_and_gradients_that_end_are_numbers() -> None:
    """Without any gradient Omega is 0; where all units of a step are dead its ratio is 0, which nothing in W mends."""
    cell, h = RNN(hidden_size=2, activation="relu"), torch.ones(3, 1, 1, 2)
    w = torch.eye(2)[None]
    nothing, into_w = omega(cell, w, [h], [torch.zeros_like(h)])
    assert float(nothing) == 0
    assert not into_w.any()
    h[1] = 0
    value, into_w = omega(cell, w, [h], [torch.ones_like(h) * torch.tensor([0.0, 0.0, 1.0])[:, None, None, None]])
    assert float(value) == pytest.approx(1 / 2)  # ratios 1 and 0; no gradient is left at the first step
    torch.testing.assert_close(into_w, torch.zeros_like(w), rtol=0, atol=4 * EPS32)


@pytest.mark.parametrize("shape", [(11, 5, 4, 5), (20, 3, 32, 33), (9, 3, 1, 16), (4, 3, 5, 1)])
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(shape: tuple[int, int, int, int]) -> None:
    time, runs, batch, hidden = shape
    g = torch.Generator().manual_seed(0)
    w = torch.randn(runs, hidden, hidden, generator=g) / hidden**0.5
    h = torch.randn(time, runs, batch, hidden, generator=g).tanh()
    direct = torch.randn(time, runs, batch, hidden, generator=g)
    cell = RNN(hidden_size=hidden)
    value, into_w = omega(cell, w, [h], [direct])
    for r in range(runs):
        mine = slice(r, r + 1)
        alone, into_mine = omega(cell, w[mine].clone(), [h[:, mine].clone()], [direct[:, mine].clone()])
        assert torch.equal(alone[0], value[r])
        assert torch.equal(into_mine[0], into_w[r])
