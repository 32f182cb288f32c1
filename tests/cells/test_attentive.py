"""The attentive RNN: its steps beside NumPy sums over the list of its past states; what it keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import EPS64
from scans import drawn, noise

from lrd.cells.attentive import Attentive
from lrd.kernels import loop
from lrd.options import OptionError


def expected_states(p: dict[str, np.ndarray], xs: np.ndarray, memory: int) -> list[np.ndarray]:
    """h after every step, from the list of all states."""
    n, states = len(p["b"]), []
    h = np.zeros(n)
    for x in xs:
        past = states[-memory:]
        query = p["P"] @ x + p["Q"] @ h
        weights = np.array([np.exp(query @ s / n**0.5) for s in past])
        read = sum((a * s for a, s in zip(weights / weights.sum(), past, strict=True)), np.zeros(n))
        h = np.tanh(p["U"] @ x + p["W"] @ h + p["R"] @ read + p["b"])
        states.append(h)
    return states


@pytest.mark.parametrize("memory", [1, 3, 9, 20])
def test_steps_are_their_equations_whatever_is_kept(memory: int) -> None:
    cell = Attentive(hidden_size=5, memory=memory)
    params, x = drawn(cell, 3, 2), noise(10, 2, 4, 3, seed=4)
    found = loop.unroll(cell, params, x)
    for run in range(2):
        p = {name: value[run].numpy() for name, value in params.items()}
        for sample in range(4):
            expected = expected_states(p, x[:, run, sample].numpy(), memory)
            mine = torch.stack([h[run, sample] for h, _, _ in found])
            np.testing.assert_allclose(mine, expected, rtol=0, atol=200 * EPS64)  # errors of ten steps add up


def test_past_states_stand_in_the_order_of_steps_and_the_oldest_goes() -> None:
    cell = Attentive(hidden_size=2, memory=3)
    found = loop.unroll(cell, drawn(cell, 1, 1), noise(6, 1, 1, 1))
    h = [state[0][0, 0] for state in found]
    kept = [state[1][0, 0].view(3, 2) for state in found]
    assert not kept[0].any()
    assert torch.equal(kept[2], torch.stack([h[0], h[1], torch.zeros(2).double()]))
    assert torch.equal(kept[5], torch.stack([h[3], h[4], h[2]]))
    assert [float(state[2]) for state in found] == [1, 2, 3, 4, 5, 6]


def test_weights_of_a_query_of_nothing_are_equal() -> None:
    """With P = Q = W = U = 0 and R = I, h_t = tanh(b + mean of all h before it)."""
    cell = Attentive(hidden_size=3, memory=8)
    p = {name: torch.zeros_like(value) for name, value in drawn(cell, 1, 1).items()}
    p |= {"R": torch.eye(3).double()[None], "b": torch.tensor([[0.1, -0.2, 0.3]]).double()}
    h = torch.stack([state[0][0, 0] for state in loop.unroll(cell, p, noise(6, 1, 1, 1))])
    for t in range(6):
        mean = h[:t].mean(0) if t else torch.zeros(3).double()
        torch.testing.assert_close(h[t], torch.tanh(p["b"][0] + mean), rtol=0, atol=20 * EPS64)


def test_a_length_says_how_many_states_there_are_to_keep() -> None:
    """The last step of T sees T - 1 states before it."""
    assert Attentive(hidden_size=4).for_length(10) == Attentive(hidden_size=4, memory=9)
    assert Attentive(hidden_size=4).for_length(1) == Attentive(hidden_size=4, memory=1)
    assert Attentive(memory=3).for_length(10) == Attentive(memory=3)
    assert Attentive(hidden_size=4, memory=9).state_sizes() == (4, 36, 1)
    with pytest.raises(ValueError, match="use its for_length"):
        Attentive().state_sizes()
    with pytest.raises(OptionError, match="must be >= 1, got 0"):
        Attentive(memory=0)


def test_weight_count() -> None:
    p = Attentive(hidden_size=7).parameters(3, torch.Generator().manual_seed(0))
    assert sum(value.numel() for value in p.values()) == 2 * 7 * 3 + 3 * 7 * 7 + 7
