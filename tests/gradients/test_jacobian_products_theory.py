"""The closed forms that probes must meet, and where each is tested; here stand those that no other file has.

============================================================  ========================================================
closed form                                                   tests (of tests/probes unless said)
============================================================  ========================================================
linear RNN, W = g Q: the norm ratio over k steps is g^k       test_exponents, test_jacobian_theory,
                                                              test_lyapunov_theory, tests/stats/test_fits
fresh Gaussian matrix at each step: E = g^(2k)                test_jacobian_theory
the same: ln g + [psi(N/2) - ln(N/2)] / 2 a step              test_lyapunov_theory (N = 12), here (N = 128)
the same Gaussian matrix at every step: not g^(2k)            test_jacobian_theory (numpy's powers), here (the spread)
mean field, tanh, ln(chi) / 2                                 test_lyapunov_theory, tests/stats/test_mean_field
LSTM without recurrent weights: product of forget gates       test_gates, test_exponents, test_jacobian_theory,
                                                              test_lyapunov_theory
LSTM with recurrent weights: not that product alone           test_gates
latch, w sqrt(1 - 1/w) - artanh sqrt(1 - 1/w)                 test_latch_theory
memory capacity <= units, held out                            test_memory_capacity
one linear unit under white input, E h^2 and E (dh/dlambda)^2  test_states
============================================================  ========================================================
"""

from __future__ import annotations

import math

import pytest
import torch
from cases import FreshGaussian, generator, still

from lrd.cells import RNN
from lrd.gradients.jacobian_products import jacobian_products, log10_singular_values
from lrd.kernels import loop


def test_the_typical_rate_of_fresh_gaussian_matrices_of_128_units() -> None:
    """|h_t|^2 / |h_{t-1}|^2 is chi^2_N / N whatever h was: its log has the mean psi(N/2) - ln(N/2) and the variance
    psi'(N/2). With 4096 independent steps the mean rate has an error of .001, 4.5 of which are allowed."""
    n, samples, steps = 128, 256, 16
    draw, cell = generator(1), FreshGaussian(hidden_size=n)
    state = (torch.randn(1, samples, n, dtype=torch.float64, generator=draw),)
    rates = []
    for _ in range(steps):
        matrices = torch.randn(1, 1, samples, n * n, generator=draw).double()
        ((h,),) = loop.unroll(cell, {"unused": torch.zeros(1, 1)}, matrices, state)
        rates.append((h.norm(dim=-1) / state[0].norm(dim=-1)).log())
        state = (h,)
    half = torch.tensor(n / 2, dtype=torch.float64)
    expected = float(torch.digamma(half) - half.log()) / 2
    assert expected == pytest.approx(-0.00392, abs=5e-6)
    error = math.sqrt(float(torch.polygamma(1, half)) / 4 / (samples * steps))
    assert error < 0.001
    assert float(torch.stack(rates).mean()) == pytest.approx(expected, abs=4.5 * error)


@pytest.mark.slow
def test_the_same_gaussian_matrix_at_every_step_leaves_its_power_law_beyond_sqrt_n() -> None:
    """g = 1, N = 100, |W^k|^2 / N over 100 matrices: near 1 while k is far below 10, then apart by orders of magnitude.

    The variance of |W|^2 / N is 2 / N^2. The published 1.06, 3.8 and 260 at k = 10, 20, 40 are means of a quantity
    whose mean is carried by rare matrices (and so of no use as a target to so many digits): each is asked to lie among
    what single matrices give, between the 2nd and the 99th of a hundred.
    """
    n, matrices, published = 100, 100, {10: 1.06, 20: 3.8, 40: 260.0}
    w = torch.randn(matrices, n, n, dtype=torch.float64, generator=generator(2)) / n**0.5
    lags = [1, *published]
    cell, silence = RNN(hidden_size=n, activation="identity"), torch.zeros(41, matrices, 1, 1, dtype=torch.float64)
    products = jacobian_products(cell, still(w), silence, torch.full((matrices, 1), 40), lags)
    sigma = log10_singular_values(cell, products)["whole"][:, :, 0]
    squares = dict(zip(lags, ((100 ** sigma.nan_to_num(-math.inf)).sum(-1) / n).sort().values, strict=True))
    assert float(squares[1].mean()) == pytest.approx(1, abs=4.5 * math.sqrt(2 / n**2 / matrices))
    for lag, value in published.items():
        assert squares[lag][1] < value < squares[lag][-2]
    spread = {lag: float((squares[lag][74] / squares[lag][24]).log10()) for lag in lags}
    assert spread[1] < 0.02 < 1 < spread[40]  # of the quartiles: sqrt(2) / N of 1.35 deviations, a factor of 10
    assert float(squares[40].mean()) > 10 > 2 > float(squares[10].mean())
