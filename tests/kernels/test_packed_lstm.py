"""The packed LSTM, its backward pass through h cut at some steps, against autograd of a loop that detaches there."""

from __future__ import annotations

import pytest
import torch
from helpers import EPS64, one, random_parameters

from lrd.cells import LSTM, Parameters
from lrd.kernels import packed_lstm
from lrd.shapes import Tensor


def detached_loop(p: Parameters, x: Tensor, state: tuple[Tensor, Tensor], keep: Tensor) -> list[tuple[Tensor, Tensor]]:
    """States of one run; where ``keep`` [time] is 0, the gates see an h without a past (algorithm 1 of the paper)."""
    h, c = state
    states = []
    for x_t, kept in zip(x, keep.tolist(), strict=True):
        seen = h if kept else h.detach()
        i, f, g, o = (x_t @ p["U"].T + seen @ p["W"].T + p["b"]).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        states.append((h, c))
    return states


def drawn(time: int, runs: int, seed: int = 0) -> tuple[LSTM, Parameters, Tensor, tuple[Tensor, Tensor], Tensor]:
    cell, g = LSTM(hidden_size=5), torch.Generator().manual_seed(seed)
    p = random_parameters(cell, 2, runs)
    x = torch.randn(time, runs, 3, 2, generator=g, dtype=torch.float64)
    h, c = (torch.randn(runs, 3, 5, generator=g, dtype=torch.float64) for _ in range(2))
    return cell, p, x, (h, c), (torch.rand(runs, time, generator=g) < 0.5).double()


@pytest.mark.parametrize("cut", ["some", "never", "always"])
@pytest.mark.parametrize(("time", "first"), [(9, 0), (9, 4), (9, 8), (9, 9), (1, 0)])
def test_the_gradient_is_that_of_a_loop_that_detaches(cut: str, time: int, first: int) -> None:
    cell, p, x, state, keep = drawn(time, runs=3)
    keep = {"some": keep, "never": torch.ones_like(keep), "always": torch.zeros_like(keep)}[cut]
    leaves = {name: v.requires_grad_() for name, v in {**p, "h": state[0], "c": state[1]}.items()}
    g = torch.Generator().manual_seed(3)
    weights = torch.randn(time + 2, 3, 3, 5, generator=g, dtype=torch.float64)

    def loss(h: Tensor, last: tuple[Tensor, Tensor]) -> Tensor:
        return (h * weights[first:time]).sum() + sum((s * w).sum() for s, w in zip(last, weights[-2:], strict=True))

    outputs, last = packed_lstm.scan(cell, p, x, state, first, keep)
    mine = torch.autograd.grad(loss(outputs, last), leaves.values())
    runs = [detached_loop(one(p, r), x[:, r], (state[0][r], state[1][r]), keep[r]) for r in range(3)]
    h = torch.stack([torch.stack([s[0] for s in states]) for states in runs], dim=1)[first:]
    ends = tuple(torch.stack([states[-1][v] for states in runs]) for v in range(2))
    theirs = torch.autograd.grad(loss(h, ends), leaves.values(), allow_unused=True, materialize_grads=True)
    for name, got, expected in zip(leaves, mine, theirs, strict=True):
        # Sums of at most 9 steps of 3 samples and 20 gates, with entries of size 10.
        torch.testing.assert_close(got, expected, rtol=0, atol=1e4 * EPS64, msg=lambda m, n=name: f"{n}: {m}")
    if cut == "always":
        assert not mine[list(leaves).index("h")].any()


def test_states_do_not_depend_on_what_is_cut() -> None:
    cell, p, x, state, keep = drawn(6, runs=2)
    assert torch.equal(packed_lstm.scan(cell, p, x, state, 0, keep)[0], packed_lstm.scan(cell, p, x, state, 0)[0])


@pytest.mark.slow
def test_gradcheck() -> None:
    _, p, x, state, _ = drawn(4, runs=2)
    leaves = [v.requires_grad_() for v in (p["U"], p["W"], p["b"])]
    rest = [s.requires_grad_() for s in state]
    by_run = x.transpose(0, 1).contiguous()

    def function(u: Tensor, w: Tensor, b: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
        return packed_lstm._Loop.apply(u, w, b, by_run, h, c, None, 1, None)

    assert torch.autograd.gradcheck(function, (*leaves, *rest))


@pytest.mark.parametrize("shape", [(7, 5, 3), (20, 3, 32), (9, 3, 1), (1, 4, 2)])
def test_a_cut_run_alone_is_the_run_in_a_pack_bit_for_bit(shape: tuple[int, int, int]) -> None:
    time, runs, batch = shape
    cell, g = LSTM(hidden_size=16), torch.Generator().manual_seed(1)
    p = random_parameters(cell, 3, runs, dtype=torch.float32)
    x, keep = torch.randn(time, runs, batch, 3, generator=g), (torch.rand(runs, time, generator=g) < 0.5).float()

    def grads(r: slice) -> list[Tensor]:
        leaves = {name: v[r].clone().requires_grad_() for name, v in p.items()}
        h, _ = packed_lstm.scan(cell, leaves, x[:, r].clone(), None, 0, keep[r].clone())
        return list(torch.autograd.grad(h.sin().sum(), leaves.values()))

    together = grads(slice(None))
    for r in range(runs):
        for whole, alone in zip(together, grads(slice(r, r + 1)), strict=True):
            assert torch.equal(whole[r], alone[0])
