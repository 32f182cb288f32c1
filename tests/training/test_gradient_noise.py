"""Gradient noise: how large it is, where its random numbers come from, and that it comes behind clipping."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from helpers import alone_and_resumed, make_pack, run_spec

from lrd.cells import LSTM, RNN
from lrd.spec import RunSpec
from lrd.tasks import Adding
from lrd.tasks.streams import ASIDES, Stream
from lrd.training.gradient_noise import noisy

SEEDS = torch.tensor([3, 4])
ETA, GAMMA = torch.tensor([[0.3], [1.0]], dtype=torch.float64), torch.tensor([[0.55], [2.0]], dtype=torch.float64)
MANY = 100_000


@pytest.mark.parametrize("step", [0, 1, 9, 4000])
def test_its_variance_is_eta_over_a_power_of_the_step(step: int) -> None:
    grad = torch.full((2, MANY), 5.0, dtype=torch.float64)
    noise = noisy(grad, SEEDS, torch.tensor(step), ETA, GAMMA) - grad
    for run, (eta, gamma) in enumerate(((0.3, 0.55), (1.0, 2.0))):
        variance = eta / (1 + step) ** gamma
        # Five standard deviations of a mean of so many, and of a mean of squares.
        assert abs(float(noise[run].mean())) < 5 * (variance / MANY) ** 0.5
        assert float(noise[run].square().mean()) == pytest.approx(variance, rel=5 * (2 / MANY) ** 0.5)
        kurtosis = float(noise[run].pow(4).mean()) / variance**2
        assert kurtosis == pytest.approx(3, abs=5 * (96 / MANY) ** 0.5)  # of a normal distribution


def test_it_is_a_function_of_seed_and_update() -> None:
    zero = torch.zeros(2, 50, dtype=torch.float64)
    both = noisy(zero, SEEDS, torch.tensor(7), ETA, GAMMA)
    assert torch.equal(both[1:], noisy(zero[1:], SEEDS[1:], torch.tensor(7), ETA[1:], GAMMA[1:]))
    correlated = [
        noisy(zero[:1], seed, torch.tensor(step), ETA[:1], GAMMA[:1] * 0)
        for seed, step in ((SEEDS[:1], 7), (SEEDS[:1], 8), (SEEDS[1:], 7))
    ]
    assert len({tuple(noise[0].tolist()) for noise in correlated}) == 3


def test_places_of_all_that_is_drawn_in_a_step_are_apart() -> None:
    """Words of data are apart too, which end where the first of them begins; no step reaches into the next."""
    bounds = sorted(ASIDES.values())
    assert all(low < high for low, high in bounds)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(bounds))
    assert bounds[0][0] == 2**31
    assert bounds[-1][1] == 2**32
    drawn = {
        name: set(Stream(SEEDS[:1], "train", 4, aside=name)._words((500,)).flatten().tolist())
        for name in (*ASIDES, None)
    }
    assert len(set.union(*drawn.values())) == 500 * (len(ASIDES) + 1)


def test_words_end_where_those_of_another_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ASIDES, "h_detach", (2**31, 2**31 + 10))
    stream = Stream(SEEDS, "train", 4, aside="h_detach")
    stream.uniform(6)
    with pytest.raises(ValueError, match="no more than 4 words left here, got 5"):
        stream.uniform(5)


PLAIN: dict[str, Any] = {"optimizer": "sgd", "lr": 1.0, "clip_threshold": 1e-3, "batch_size": 3}


def runs(cell: RNN | LSTM, **options: Any) -> list[RunSpec]:
    noises = (0.5, 0.2, 1.0)
    return [
        run_spec(Adding(gap=9), cell, seed, gradient_noise=eta, noise_decay=0.1 + eta, **PLAIN | options)
        for seed, eta in enumerate(noises)
    ]


def test_it_comes_behind_clipping_and_is_in_no_norm() -> None:
    specs = runs(RNN(hidden_size=4))
    pack, plain = make_pack(*specs), make_pack(*(run_spec(s.task, s.cell, s.seed, **PLAIN) for s in specs))
    for update in range(2):
        before = pack.theta.clone()
        pack.step()
        if update == 0:
            plain.step()
            assert all(torch.equal(pack.sums[name], value) for name, value in plain.sums.items())
            assert torch.equal(plain.sums["grad_norm_clipped"] < 1.1e-3, torch.ones(3, dtype=torch.bool))
            eta, gamma = (
                torch.tensor([[getattr(s.optimizer, n)] for s in specs]) for n in ("gradient_noise", "noise_decay")
            )
            noise = noisy(torch.zeros_like(before), pack.seeds, torch.tensor(0), eta, gamma)
            torch.testing.assert_close(plain.theta - pack.theta, noise, rtol=0, atol=1e-6)
        assert float((before - pack.theta).abs().max()) > 0.1


@pytest.mark.parametrize("options", [{}, {"precision": "float64"}, {"h_detach": 0.5}], ids=str)
def test_a_run_alone_is_the_run_in_a_pack_and_goes_on_as_it_would_have(options: dict[str, Any]) -> None:
    cell = LSTM(hidden_size=4) if "h_detach" in options else RNN(hidden_size=4)
    specs = runs(cell, lr=0.01, **options)
    alone, pack = alone_and_resumed(specs, updates=8, select_at=3, restore_at=5)
    assert torch.equal(pack.theta, torch.cat([alone[0].theta, alone[2].theta]))
