"""Ridge readouts against numpy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from subjects import plain_fit, plain_fits

from lrd.probes.ridge import STRENGTHS, fit_ridge, out_of_sample, standard_error, unit


def data(samples: int, size: int, targets: int, seed: int, noise: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x, v = (torch.randn(s, dtype=torch.float64, generator=generator) for s in ((samples, size), (size, targets)))
    error = torch.randn(samples, targets, dtype=torch.float64, generator=generator)
    return x + 0.7, x @ v + noise * error - 2


@settings(max_examples=60)
@given(st.integers(2, 30), st.integers(1, 6), st.integers(1, 3), st.integers(0, 99), st.sampled_from([0.01, 1, 30]))
def test_weights_and_the_choice_of_strength_are_the_textbooks(n: int, size: int, k: int, seed: int, s: float) -> None:
    x, y = data(n, size, k, seed, noise=s)
    for strength in (1e-3, 10.0):
        weights, x_mean, y_mean = plain_fit(x.numpy(), y.numpy(), strength)
        got = fit_ridge(x, y, strength=strength)
        # The condition of the matrix is below 1e5 and its entries below 100.
        np.testing.assert_allclose(got.weights, weights, rtol=0, atol=1e-9)
        np.testing.assert_allclose(got(x), (x.numpy() - x_mean) @ weights + y_mean, rtol=0, atol=1e-9)
    tried = plain_fits(x.numpy(), y.numpy(), STRENGTHS)
    least = min(score for score, _ in tried)
    # With fewer samples than inputs several strengths score the same up to 1e-5: any of them is right.
    good = [weights for score, weights in tried if score <= least * (1 + 1e-4)]
    chosen = fit_ridge(x, y).weights.numpy()
    assert any(np.allclose(chosen, weights, rtol=0, atol=1e-6) for weights in good)  # a condition of up to 1e8


def test_samples_that_cannot_tell_strengths_apart_get_the_largest() -> None:
    x, y = data(2, 3, 1, 0)
    torch.testing.assert_close(fit_ridge(x, y).weights, fit_ridge(x, y, strength=STRENGTHS[-1]).weights)


def test_each_group_has_its_own_strength() -> None:
    x, signal = data(40, 5, 1, 0, noise=0.01)
    noise = torch.randn(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y, group = torch.cat([noise[:, :1], signal, noise[:, 1:]], 1), torch.tensor([0, 1, 0])
    together = fit_ridge(x, y, group).weights
    apart = fit_ridge(x, y[:, [0, 2]]).weights, fit_ridge(x, y[:, 1:2]).weights
    torch.testing.assert_close(together[:, [0, 2]], apart[0], rtol=0, atol=1e-14)
    torch.testing.assert_close(together[:, 1:2], apart[1], rtol=0, atol=1e-14)
    # With one strength for all, the noise would have the signal shrunk as well.
    assert float(fit_ridge(x, y).weights[:, 1].norm()) < 0.99 * float(together[:, 1].norm())


def test_one_input_in_closed_form() -> None:
    """v = cov(x, y) / (var(x) + s)."""
    x, y = torch.tensor([[0.0], [1.0], [2.0], [3.0]]).double(), torch.tensor([[1.0], [3.0], [5.0], [7.0]]).double()
    readout = fit_ridge(x, y, strength=0.5)
    assert float(readout.weights) == pytest.approx(2.5 / 1.75, rel=1e-15)
    assert float(readout(torch.tensor([[1.5]]).double())) == 4.0  # the mean is not shrunk


def test_nothing_to_read_gives_the_mean_exactly() -> None:
    _, y = data(9, 1, 2, 3)
    x = torch.zeros(9, 4, dtype=torch.float64)
    assert torch.equal(fit_ridge(x, y)(x), y.mean(0).expand(9, 2))


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_states_that_overflow_give_nan_and_no_error(wrong: float) -> None:
    x, y = data(9, 3, 2, 3)
    x[4, 1] = wrong
    assert fit_ridge(x, y)(x).isnan().all()


@pytest.mark.parametrize("size", [1e-200, 1e-3, 1.0, 1e200])
def test_unit_is_the_root_mean_square_of_any_number(size: float) -> None:
    assert unit(size * torch.tensor([[3.0, -4.0], [0.0, 0.0]]).double()) == pytest.approx(2.5 * size, rel=1e-14)
    assert unit(torch.zeros(3)) == 1
    assert math.isnan(unit(torch.tensor([1.0, math.nan])))


def test_out_of_sample_by_hand() -> None:
    errors, deviations = (
        torch.tensor([[1.0, 8.0], [3.0, 8.0]]).double(),
        torch.tensor([[4.0, 2.0], [4.0, 6.0]]).double(),
    )
    score, influences = out_of_sample(errors, deviations)
    assert score.tolist() == [0.5, -1.0]
    assert influences.tolist() == [[0.25, -1.0], [-0.25, 1.0]]
    torch.testing.assert_close(standard_error(influences), torch.tensor([0.25, 1.0]).double())
    assert standard_error(influences[:1]).isnan().all()


def test_standard_error_of_r_squared_is_its_spread_over_samples() -> None:
    """2,000 draws of 200 samples: the spread is known to 1 / sqrt(4000) = 1.6 %, the first order to some 1 / 200."""
    generator = torch.Generator().manual_seed(2)
    y, noise = (torch.randn(2000, 200, dtype=torch.float64, generator=generator) for _ in range(2))
    scores, errors = [], []
    for truth, wrong in zip(y, noise, strict=True):
        score, influences = out_of_sample((0.5 * wrong[:, None]).square(), truth[:, None].square())
        scores.append(float(score))
        errors.append(float(standard_error(influences)))
    assert np.mean(errors) == pytest.approx(np.std(scores), rel=4.5 * 0.016 + 0.02)
