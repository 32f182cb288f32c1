"""One unit that latches, x_t = tanh(w x_{t-1} + h_t), against the closed forms of Bengio, Simard, Frasconi 1994.

For w > 1 and a constant input -b the map has a fixed point on the positive side as long as b stays below
b* = w s - artanh(s), s = sqrt(1 - 1/w), where it touches the diagonal at x = s: there the information is lost. Where it
is held, at the stable fixed point x*, d x_t / d x_{t-1} = w (1 - x*^2) < 1: what is latched has a vanishing gradient.
"""

from __future__ import annotations

import math

import pytest
import torch
from cases import still
from helpers import EPS64
from scipy.optimize import brentq

from lrd.cells import RNN, Parameters
from lrd.gradients.jacobian_products import jacobian_products, log10_singular_values
from lrd.probes.lyapunov import local_rates
from lrd.probes.states import along, unroll
from lrd.shapes import Tensor

CELL = RNN(hidden_size=1)
PUBLISHED = [(1.25, 0.0778), (2.0, 0.5328), (5.0, 3.0285)]
every_w = pytest.mark.parametrize("w", [w for w, _ in PUBLISHED])
SETTLE = 60


def unit(w: float) -> Parameters:
    """One run whose single input goes straight into its unit."""
    return still(torch.full((1, 1, 1), w, dtype=torch.float64)) | {"U": torch.ones(1, 1, 1, dtype=torch.float64)}


def saddle(w: float) -> float:
    """s, where the map touches the diagonal."""
    return math.sqrt(1 - 1 / w)


def limit(w: float) -> float:
    """b*, the constant input against the state that is just held."""
    return w * saddle(w) - math.atanh(saddle(w))


def opposed(b: Tensor, steps: int) -> Tensor:
    """Inputs that set the unit to its positive fixed point and then are -b for so many steps, a sample for each b."""
    inputs = torch.zeros(SETTLE + steps, 1, len(b), 1, dtype=torch.float64)
    inputs[: SETTLE // 6] = 3.0
    inputs[SETTLE:, 0, :, 0] = -b
    return inputs


def fixed_point(w: float, b: float, low: float, high: float) -> float:
    return float(brentq(lambda x: math.tanh(w * x - b) - x, low, high, xtol=1e-15, rtol=4 * EPS64))


@pytest.mark.slow_but(1)
@pytest.mark.parametrize(("w", "published"), PUBLISHED)
def test_what_is_just_held_and_just_lost(w: float, published: float) -> None:
    """Near x = s the map is x - d / w - w s (x - s)^2 with d = b - b*: from one end of the line to the other that takes
    pi / sqrt(d s) steps. So within T steps x changes sign for d above (pi / T)^2 / s, a little less since the way
    begins and ends near s: it is c steps shorter, c = (1 / (x* - s) + 1 / s) / (w s) in the same expansion, whose next
    order is in log(T) / T. T = 2000 makes 1 - 2 c / T >= .989; 1 % more is allowed for.
    """
    steps, held, lost = 2000, 0.0, w
    for _ in range(6):  # each finds the threshold 64 times as exactly, to w / 64^6 = 7e-11 at the most
        b = torch.linspace(held, lost, 65, dtype=torch.float64)
        with torch.no_grad():
            *_, (last,) = unroll(CELL, unit(w), opposed(b, steps))
        holds = last[0, :, 0] > 0
        count = int(holds.sum())
        assert holds[:count].all()
        assert 0 < count < 65
        held, lost = float(b[count - 1]), float(b[count])
    s, b_star = saddle(w), limit(w)
    assert b_star == pytest.approx(published, abs=5e-5)
    excess = (math.pi / steps) ** 2 / s
    c = (1 / (fixed_point(w, 0.0, s, 1) - s) + 1 / s) / (w * s)
    assert 2 * c / steps < 0.011
    assert lost - held < 1e-3 * excess
    assert b_star < held
    assert (0.99 - 2 * c / steps) * excess < held - b_star < lost - b_star < excess
    assert held == pytest.approx(published, abs=5e-5 + 1.1 * excess)


@every_w
def test_below_the_limit_it_is_held_for_any_time(w: float) -> None:
    """At b* less 1e-6 the fixed point lies sqrt(1e-6 / (w^2 s)) above s, and nothing comes nearer."""
    b = limit(w) - 1e-6
    with torch.no_grad():
        states = along(CELL, unit(w), opposed(torch.tensor([b], dtype=torch.float64), 5000))["h"][SETTLE:, 0, 0, 0]
    rest = fixed_point(w, b, saddle(w), 1)
    assert rest - saddle(w) == pytest.approx(math.sqrt(1e-6 / (w**2 * saddle(w))), rel=0.01)
    assert (states.diff() <= 4 * EPS64).all()
    assert states.min() >= rest - 100 * EPS64 / (1 - w * (1 - rest**2))  # rounding errors, summed over its relaxation


@pytest.mark.parametrize("part", [0.0, 0.5, 0.9, 0.999])
@every_w
def test_what_is_held_vanishes_at_the_rate_of_its_fixed_point(w: float, part: float) -> None:
    """d x_t / d x_{t-k} = (w (1 - x*^2))^k: the Jacobian's only singular value, and the Lyapunov exponent's exp.

    The state is left until it is 1e-14 from x*, and a slope, w (1 - x^2), is as much times 2 w x / slope from its own.
    """
    b = part * limit(w)
    rest = fixed_point(w, b, saddle(w), 1)
    slope = w * (1 - rest**2)
    assert slope < 1
    settled = math.ceil(math.log(1e-14) / math.log(slope))
    error = 1e-13 * w / slope
    inputs, lags = opposed(torch.tensor([b], dtype=torch.float64), settled + 110), [1, 10, 100]
    last = torch.full((1, 1), len(inputs) - 1)
    sigma = log10_singular_values(CELL, jacobian_products(CELL, unit(w), inputs, last, lags))["whole"][:, 0, 0, 0]
    for value, lag in zip(sigma.tolist(), lags, strict=True):
        assert value == pytest.approx(lag * math.log10(slope), abs=lag * error)
        assert value < 0
    state = (torch.full((1, 1, 1), rest, dtype=torch.float64),)
    rates, (end,) = local_rates(CELL, unit(w), inputs[-100:], state, 1)
    assert rates.mean().item() == pytest.approx(math.log(slope), abs=error)
    assert end.item() == pytest.approx(rest, abs=1e-13)


@every_w
def test_what_divides_the_basins_is_not_held_and_explodes(w: float) -> None:
    """At the unstable fixed point, between b and the saddle, the slope is above 1, and exactly 1 where both meet."""
    for part in (0.0, 0.5, 0.9):
        b = part * limit(w)
        middle = fixed_point(w, b, 0.0, saddle(w)) if part else 0.0
        slope = w * (1 - middle**2)
        assert slope > 1
        state = (torch.full((1, 1, 1), middle, dtype=torch.float64),)
        rates, _ = local_rates(CELL, unit(w), torch.full((1, 1, 1, 1), -b, dtype=torch.float64), state, 1)
        assert rates.item() == pytest.approx(math.log(slope), abs=1e-13 * w)
    state = (torch.full((1, 1, 1), saddle(w), dtype=torch.float64),)
    rates, _ = local_rates(CELL, unit(w), torch.full((1, 1, 1, 1), -limit(w), dtype=torch.float64), state, 1)
    assert rates.item() == pytest.approx(0, abs=1e-13 * w)
