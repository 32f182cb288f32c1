"""The kernel of the attentive RNN beside the loop."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from helpers import EPS32, EPS64
from scans import SHAPES, assert_no_companion_matters, drawn, noise, scanned

from lrd.cells.attentive import Attentive
from lrd.kernels import KERNELS, attentive, choose_kernel, loop


def test_table() -> None:
    assert choose_kernel(Attentive()) == "attentive"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("spare", [0, 3])
@pytest.mark.parametrize("first", ["all", "some", "none"])
@pytest.mark.parametrize("shape", [(1, 2, 3, 2, 4), (2, 1, 1, 1, 1), (9, 3, 4, 2, 5)])
def test_it_agrees_with_the_loop(shape: tuple[int, ...], first: str, spare: int, dtype: torch.dtype) -> None:
    time, runs, batch, inputs, hidden = shape
    cell = Attentive(hidden_size=hidden, memory=max(1, time - 1) + spare)
    params, x = drawn(cell, inputs, runs, dtype), noise(time, runs, batch, inputs, dtype=dtype)
    start = {"all": 0, "some": time // 2, "none": time}[first]
    fast, plain = (scanned(cell, params, x, start, kernel) for kernel in ("attentive", "loop"))
    assert fast.keys() == plain.keys()
    eps = EPS64 if dtype == torch.float64 else EPS32
    for what, value in plain.items():
        # Sums of at most time * batch + hidden products, whose errors the later steps take on; 50 for that.
        scale = max(1.0, float(value.abs().max())) if value.numel() else 1.0
        atol = 50 * eps * (time * batch + hidden) * scale
        torch.testing.assert_close(fast[what], value, rtol=0, atol=atol, msg=lambda m, w=what: f"{w}: {m}")


def test_gradcheck() -> None:
    cell = Attentive(hidden_size=3, memory=4)
    params, x = drawn(cell, 2, 1), noise(5, 3, 2)
    leaves = [params[name][0].requires_grad_() for name in attentive.NAMES]
    assert torch.autograd.gradcheck(lambda *p: attentive._AttentiveRun.apply(*p, x), leaves)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(shape: tuple[int, ...]) -> None:
    time, *others, hidden = shape
    assert_no_companion_matters(Attentive(hidden_size=hidden).for_length(time), (time, *others))


def test_two_halves_are_the_whole() -> None:
    """From a given state it is the loop, and the state that it hands over is all that the loop needs."""
    cell = Attentive(hidden_size=4, memory=8)
    params, x = drawn(cell, 2, 2), noise(9, 2, 3, 2)
    scan = KERNELS["attentive"].scan
    whole, end = scan(cell, params, x, None, 0)
    first, between = scan(cell, params, x[:5], None, 0)
    second, last = scan(cell, params, x[5:], between, 0)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=100 * EPS64)
    for mine, other in zip(last, end, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=100 * EPS64)


@pytest.mark.parametrize(("time", "looped"), [(4, False), (5, True)])
def test_the_loop_takes_more_steps_than_are_kept(time: int, looped: bool) -> None:
    cell = Attentive(hidden_size=4, memory=3)
    params, x = drawn(cell, 2, 2), noise(time, 2, 3, 2)
    with mock.patch.object(loop, "scan", wraps=loop.scan) as taken:
        outputs, _ = KERNELS["attentive"].scan(cell, params, x, None, 0)
    assert taken.called == looped
    torch.testing.assert_close(outputs, loop.scan(cell, params, x, None, 0)[0], rtol=0, atol=100 * EPS64)
