"""Gradients beyond the range of any float, against closed forms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from helpers import EPS64, one, random_parameters

from lrd.cells import LSTM, RNN, Parameters
from lrd.gradients.flow import Flow, gradient_flow
from lrd.gradients.summary import fit, over_samples
from lrd.options import option
from lrd.probes import log_spaced
from lrd.probes.gradient_flow import profile_columns
from lrd.shapes import Tensor
from lrd.tasks import Batch, Task


@dataclass(frozen=True)
class Ask(Task):
    """Numbers are asked for at the last ``asked`` steps of ``gap`` steps, whose inputs are noise or nothing."""

    gap: int = option(10, "length", ge=1)
    asked: int = option(1, "answers", ge=1)
    targets: tuple[float, ...] = option((1.0,), "one an answer, or one for all")
    noise: float = option(0.0, "standard deviation of the inputs")

    name, classification, criterion = "ask", False, "none"
    input_size = output_size = 1

    @property
    def sequence_length(self) -> int:
        return self.gap

    smallest_lag = largest_lag = sequence_length

    @property
    def loss_steps(self) -> range:
        return range(self.gap - self.asked, self.gap)

    @property
    def answers(self) -> int:
        return self.asked

    def draw(self, stream: object, batch_size: int) -> Batch:
        runs = len(stream.seeds)
        targets = torch.tensor(self.targets)[:, None, None, None].expand(self.asked, runs, batch_size, 1)
        return Batch(stream.normal(self.gap, batch_size, 1).transpose(0, 1) * self.noise, targets.contiguous())

    def metrics(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.loss(outputs, batch)}

    def chance(self) -> dict[str, float]:
        return {"loss": 1.0}

    def solved(self, metrics: Mapping[str, Tensor]) -> Tensor:
        return metrics["loss"] < 0


def still(n: int, w: Tensor, b: float = 0.0) -> Parameters:
    """One run whose inputs go nowhere and whose readout is the sum of its units."""
    bias = torch.full((1, len(w)), b, dtype=torch.float64)
    p = {"U": torch.zeros(1, len(w), 1), "W": w[None].double(), "b": bias}
    return p | {"V": torch.ones(1, 1, n), "V_bias": torch.zeros(1, 1)}


def measured(task: Task, cell: RNN | LSTM, params: Parameters, answer: str | int = "last", samples: int = 1) -> Flow:
    return gradient_flow(task, cell, params, task.batch(torch.tensor([0]), "probe", 0, samples), answer)


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("g", [1e-3, 0.6, 1.0, 1.5, 1e3, 1e-150, 1e150])
def test_linear_network_vanishes_and_explodes_as_the_power_of_its_gain(g: float) -> None:
    """W = g Q, Q orthogonal: the norm k steps back is exactly g^k of the first, from 1e-300000 to 1e+300000.

    Each of 2,000 products of 8 terms is off by 8 eps at most and Q by as much from orthogonal (a relative error of
    2000 * 16 eps = 7e-12 in all); the logarithm of up to 3e5 is a float64 itself (3e5 eps = 7e-11, a few times).
    """
    q = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[0]
    flow = measured(Ask(gap=2001), RNN(hidden_size=8, activation="identity"), still(8, g * q))
    norms = flow.total["h"][:, 0, 0].numpy()
    expected = norms[-1] + flow.lags.numpy() * math.log10(g)
    assert 10 ** norms[-1] == pytest.approx(2 * 8**0.5, rel=1e-14)
    np.testing.assert_allclose(norms, expected, rtol=0, atol=7e-12 + 4 * EPS64 * np.abs(expected).max())
    assert fit(Ask(gap=2001), flow, "h", 0).slope == pytest.approx(-math.log10(g), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("forget", [1.0, 5.0])
def test_lstm_without_recurrence_keeps_the_product_of_its_forget_gates(forget: float) -> None:
    """sigmoid(1)^100 = 2.48e-14, sigmoid(5)^100 = .511; h itself gets nothing from later steps."""
    b = torch.tensor([[0.3, forget, 0.4, 0.2]]).repeat_interleave(3, 1).double()
    params = still(3, torch.zeros(12, 3)) | {"b": b}
    flow = measured(Ask(gap=101), LSTM(hidden_size=3), params)
    c = flow.total["c"][:, 0, 0]
    assert 10 ** float(c[0] - c[-1]) == pytest.approx({1.0: 2.48e-14, 5.0: 0.511}[forget], rel=2e-3, abs=0)
    expected = float(c[-1]) - flow.lags.double() * math.log10(1 + math.exp(-forget))
    torch.testing.assert_close(c, expected, rtol=0, atol=100 * 4 * EPS64 * 14)
    assert flow.total["h"][:-1].isneginf().all()
    assert flow.total["h"][-1].isfinite().all()


def test_lstm_without_recurrence_and_with_inputs() -> None:
    """dc_t/dc_{t-k} is the product of the k forget gates between, unit by unit, also where they differ."""
    cell, task = LSTM(hidden_size=4), Ask(gap=60, noise=2.0)
    params = random_parameters(cell, 1, 1, outputs=1)
    params["W"].zero_()
    batch = task.batch(torch.tensor([0]), "probe", 0, 2)
    flow = gradient_flow(task, cell, params, batch)
    p = one(params, 0)
    a = batch.inputs[:, 0].double() @ p["U"].T + p["b"]
    i, f, g, o = a.chunk(4, -1)
    i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
    c = torch.zeros(2, 4, dtype=torch.float64)
    for t in range(60):
        c = f[t] * c + i[t] * g[t]
    y = (o[-1] * c.tanh()) @ p["V"].T + p["V_bias"]
    gradient = 2 * (y - 1) * p["V"] * o[-1] * (1 - c.tanh() ** 2)
    for t in range(59, -1, -1):
        expected = gradient.norm(dim=-1).log10()
        torch.testing.assert_close(flow.total["c"][t, 0], expected, rtol=0, atol=1e-11)  # 60 steps, 10 eps each
        gradient = gradient * f[t]


@pytest.mark.parametrize(("activation", "bias"), [("sigmoid", -200.0), ("sigmoid", -700.0), ("sigmoid", 30.0)])
def test_saturated_units_lose_hundreds_of_orders_in_one_step(activation: str, bias: float) -> None:
    """h = sigmoid(b), and each step back multiplies by h (1 - h): 1e-87, 1e-304, 1e-13."""
    flow = measured(Ask(gap=40), RNN(hidden_size=1, activation=activation), still(1, torch.ones(1, 1), bias))
    small = math.exp(-abs(bias + (1 if bias > 0 else 0)))  # 1 - h, or h
    norms = flow.total["h"][1:, 0, 0]  # the first step starts from 0, not from h
    expected = norms[-1] + flow.lags[1:].double() * math.log10(small)
    # 1 - h is a difference of numbers near 1: good to eps / small, in each of 40 steps.
    tolerance = 40 * EPS64 / small if bias > 0 else 40 * 800 * EPS64
    torch.testing.assert_close(norms, expected, rtol=0, atol=tolerance)


def test_subnormal_slopes_and_weights_are_no_zeros() -> None:
    flow = measured(
        Ask(gap=9),
        RNN(hidden_size=1, activation="identity"),
        still(1, torch.full((1, 1), 2.0**-1060, dtype=torch.float64)),
    )
    expected = flow.total["h"][-1] - flow.lags.double()[:, None, None] * 1060 * math.log10(2)
    torch.testing.assert_close(flow.total["h"], expected, rtol=1e-14, atol=0)
    shut = torch.tensor([[0.0, -300.0, 0.5, -300.0]]).double()  # forget and output gates of 1e-130
    flow = measured(Ask(gap=4), LSTM(hidden_size=1), still(1, torch.zeros(4, 1)) | {"b": shut})
    assert flow.direct["c"][-1, 0, 0] == pytest.approx(-300 * math.log10(math.e) + math.log10(2), abs=0.1)
    assert float(flow.total["c"][0] - flow.total["c"][-1]) == pytest.approx(-3 * 300 * math.log10(math.e), rel=1e-12)


@pytest.mark.parametrize("power", [-1000, -400, 0, 400, 800])
def test_answers_of_which_one_is_1e400_times_the_other(power: int) -> None:
    """One linear unit, w = 2^power: dL/dh_t = d_t + w d_{t+1} + w^2 d_{t+2}, here by exact fractions."""
    task, w = Ask(gap=6, asked=3, targets=(1.0, -3.0, 0.25)), math.ldexp(1.0, power)
    flow = measured(
        task, RNN(hidden_size=1, activation="identity"), still(1, torch.full((1, 1), w, dtype=torch.float64)), "all"
    )
    arriving, into = Fraction(0), {3: -2 * Fraction(1), 4: 2 * Fraction(3), 5: -2 * Fraction(1, 4)}
    for t in range(5, -1, -1):
        arriving = arriving * Fraction(w) + into.get(t, 0)
        size = abs(arriving)
        expected = (math.log(size.numerator) - math.log(size.denominator)) / math.log(10) if size else -math.inf
        assert float(flow.total["h"][t, 0, 0]) == pytest.approx(expected, rel=1e-13, abs=1e-13)
        direct = math.log10(abs(into[t])) if t in into else -math.inf
        assert float(flow.direct["h"][t, 0, 0]) == pytest.approx(direct, rel=1e-14)


def test_a_gradient_of_exactly_zero_is_minus_infinity_and_not_the_end() -> None:
    """The last answer is right (its loss has no gradient), the one before is not."""
    task, cell = Ask(gap=5, asked=2, targets=(2.0, 0.0)), RNN(hidden_size=2, activation="identity")
    params = still(2, 0.5 * torch.eye(2))
    assert measured(task, cell, params).total["h"].isneginf().all()
    both, first = measured(task, cell, params, "all").total["h"], measured(task, cell, params, 0).total["h"]
    assert both[-1].isneginf().all()
    assert torch.equal(both[:-1], first)
    dead = measured(task, RNN(hidden_size=2, activation="relu"), still(2, torch.eye(2), -1.0), 0).total["h"]
    assert dead[-1].isfinite().all()
    assert dead[:-1].isneginf().all()


def test_states_beyond_float64_give_nan_not_an_error() -> None:
    task, cell = Ask(gap=600, noise=1.0), RNN(hidden_size=2, activation="identity")
    params = still(2, 1e3 * torch.eye(2)) | {"U": torch.ones(1, 2, 1)}
    flow = measured(task, cell, params, samples=3)
    assert not flow.total["h"].isfinite().any()
    assert math.isnan(fit(task, flow, "h", 0).slope)
    assert len(profile_columns(flow, 0)["t"]) <= 600


def test_statistics_of_norms_far_apart() -> None:
    norms = torch.tensor([[-5000.0, -5001.0, -5002.0, -math.inf]]).double()
    got = {name: float(v) for name, v in over_samples(norms).items()}
    assert got["log10_mean"] == pytest.approx(-5000 + math.log10(1.11 / 4), rel=1e-15)
    assert got["log10_gmean"] == pytest.approx(-5001, rel=1e-15)


@pytest.mark.parametrize(
    ("last", "per_decade", "moments"),
    [
        (100, 3, [0, 1, 2, 5, 10, 20, 50, 100]),
        (30, 1, [0, 1, 10, 30]),
        (1, 3, [0, 1]),
        (70, 0, [0, 70]),
        (2000, 3, [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]),
    ],
)
def test_log_spaced(last: int, per_decade: int, moments: list[int]) -> None:
    assert log_spaced(last, per_decade) == moments
    longer = log_spaced(10 * last + 3, per_decade)
    assert set(moments) - {last} <= set(longer) - {10 * last + 3}
    assert all(moment in range(10**6 + 1) for moment in log_spaced(10**6, 20))


@pytest.mark.parametrize(("activation", "bias"), [("sigmoid", -150.0), ("tanh", -60.0)])
def test_what_float32_cannot_hold_is_measured_in_float64(activation: str, bias: float) -> None:
    """Units saturated beyond |a| = 103 (sigmoid) or 52 (tanh) have slopes below the smallest float32."""
    task, cell, params = Ask(gap=9), RNN(hidden_size=1, activation=activation), still(1, torch.ones(1, 1), bias)
    batch = task.batch(torch.tensor([0]), "probe", 0, 1)
    coarse, exact = (
        gradient_flow(task, cell, params, batch, dtype=d).total["h"] for d in (torch.float32, torch.float64)
    )
    assert exact.isfinite().all()
    assert torch.equal(coarse, exact)
