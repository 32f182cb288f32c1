"""Memory capacity against a plain numpy loop, in closed form, and never above the number of units."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers import random_parameters
from hypothesis import given, settings
from hypothesis import strategies as st
from subjects import (
    CELLS,
    TASKS,
    assert_looking_changes_nothing,
    assert_no_companion_matters,
    linear,
    parameters_of,
    permuted,
    plain_fit,
    plain_states,
    subject_of,
)

from lrd.cells import LSTM, RNN, Cell, Parameters
from lrd.probes.base import Columns
from lrd.probes.memory_capacity import TESTING, TRAINING, MemoryCapacity, capacity, past, signal
from lrd.tasks import Adding, Delay

SCALAR = Delay(gap=3, convention="gu2022")


def measure(cell: Cell, params: Parameters, **options: float) -> Columns:
    return MemoryCapacity(**options).measure(subject_of(SCALAR, cell, params))[0]


def allowance(table: Columns) -> float:
    """How far a held-out capacity may lie above that of the best readout: 4.5 standard errors of the sum, and what is
    gained by counting no score below 0, some .4 of each score's standard error where it is 0 in truth."""
    return 4.5 * table["capacity_error"][-1] + 0.4 * table["error"].sum()


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("ridge", [None, 0.01])
def test_every_number_by_a_plain_loop(cell: str, ridge: float | None) -> None:
    task = Adding(gap=5)  # the number goes into the first of two inputs
    params = parameters_of(CELLS[cell], task)
    subject = subject_of(task, CELLS[cell], params)
    tables = MemoryCapacity(samples=3, steps=40, largest=5, ridge=ridge).measure(subject)
    for run, table in enumerate(tables):
        u = [signal(subject.seeds[run : run + 1], n, 45, 3)[:, 0].numpy() for n in (TRAINING, TESTING)]
        for variable in CELLS[cell].state_names:
            mine = {name: column[table["variable"] == variable] for name, column in table.items()}
            inputs = [torch.from_numpy(np.stack([v, np.zeros_like(v)], -1)) for v in u]
            xs = [plain_states(CELLS[cell], params, run, v)[variable][5:].reshape(120, -1) for v in inputs]
            rms = np.sqrt(np.square(xs[0]).mean())
            x, x_test = (v / rms for v in xs)
            total, influence = 0.0, np.zeros(3)
            for k in range(6):
                y, y_test = (np.stack([v[t - k] for t in range(5, 45)]).reshape(120) for v in u)
                v, x_mean, y_mean = (a.squeeze() for a in plain_fit(x, y[:, None], ridge))
                errors = np.square((x_test - x_mean) @ v + y_mean - y_test).reshape(40, 3).mean(0)
                spread = np.square(y_mean - y_test).reshape(40, 3).mean(0)
                score = 1 - errors.mean() / spread.mean()
                mine_k = ((1 - score) * spread - errors) / spread.mean()
                if score > 0:
                    total, influence = total + score, influence + mine_k
                expected = [mine_k.std(ddof=1) / 3**0.5, total, influence.std(ddof=1) / 3**0.5]
                got = [mine[name][k] for name in ("score", "error", "capacity", "capacity_error")]
                assert got == pytest.approx([score, *expected], rel=1e-6, abs=1e-6)  # as for retention


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.8])
def test_one_unit_in_closed_form(decay: float) -> None:
    """h_t = sum of lambda^k u_{t-k}: R^2_k = (1 - lambda^2) lambda^2k, whose sum is 1; .8^60 = 2e-6 of it is later."""
    table = measure(*linear(torch.tensor([[decay]]), torch.ones(1, 1)), largest=29, samples=128)
    k = np.arange(30)
    expected = (1 - decay**2) * decay ** (2.0 * k)
    # A weight fitted to 12,800 steps, whose states are correlated over 1 / (1 - lambda^2) of them at most.
    assert (np.abs(table["score"] - expected) < 4.5 * table["error"] + 10 / 12_800).all()
    assert abs(table["capacity"][-1] - 1) < allowance(table) < 0.25
    assert (table["k"] == k).all()


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_a_shift_register_has_the_capacity_of_its_length(n: int) -> None:
    """R^2 is 1 for k < n, less the square of the strength's share: (1e-6 / (1/3))^2 of 1; nothing is left later."""
    w, u = torch.eye(n).roll(1, 0).tril(-1), torch.eye(n)[:, :1]
    table = measure(*linear(w, u))
    assert table["k"].tolist() == list(range(2 * n + 1))
    np.testing.assert_allclose(table["score"][:n], 1, rtol=0, atol=1e-10)
    assert (np.abs(table["score"][n:]) < 4.5 * table["error"][n:] + 2 * n / 3200).all()
    assert n - 1e-9 < table["capacity"][-1] < n + allowance(table)
    assert allowance(table) < 0.05 * n + 0.05


@pytest.mark.parametrize(("n", "g"), [(3, 0.9), (6, 0.95), (6, 0.7)])
def test_an_orthogonal_network_with_decay_has_the_capacity_of_its_size(n: int, g: float) -> None:
    """With v_k = W^k U and S = sum of v_k v_k^T: R^2_k = v_k^T S^-1 v_k, whose sum over all k is n (White et al. 2004).

    The floor takes the square of 1e-6 / (3e-3), the least of the relative variances.
    """
    generator = torch.Generator().manual_seed(n)
    w = g * torch.linalg.qr(torch.randn(n, n, generator=generator))[0]
    u = torch.randn(n, 1, generator=generator)
    powers, w64 = [u[:, 0].double().numpy()], w.double().numpy()
    while len(powers) < 900:
        powers.append(w64 @ powers[-1])
    inverse = np.linalg.inv(sum(np.outer(v, v) for v in powers))
    expected = np.array([v @ inverse @ v for v in powers])
    assert expected.sum() == pytest.approx(n, rel=1e-10)
    table = measure(*linear(w, u), largest=40, samples=300)
    lost = n / 30_000  # each of n fitted weights costs 1 / 30,000 of every score
    assert (np.abs(table["score"] - expected[:41]) < 4.5 * table["error"] + 4 * lost).all()
    assert abs(table["capacity"][-1] - expected[:41].sum()) < allowance(table) + 41 * lost < 0.1 * n + 0.1


@settings(max_examples=30)
@given(
    st.integers(1, 6),
    st.sampled_from(["tanh", "relu", "identity", "sigmoid"]),
    st.floats(0.1, 1.0),
    st.integers(0, 10**6),
)
def test_held_out_it_is_never_above_the_number_of_units(n: int, activation: str, scale: float, seed: int) -> None:
    cell = RNN(hidden_size=n, activation=activation)
    params = random_parameters(cell, 1, 1, seed=seed, scale=scale)
    params["W"] *= 0.9 / max(1.0, float(torch.linalg.matrix_norm(params["W"][0], 2)))  # states that stay numbers
    table = measure(cell, params, largest=20, samples=16, steps=60)
    assert 0 <= table["capacity"][-1] <= n + allowance(table)
    assert (np.diff(table["capacity"]) >= 0).all()
    assert (table["score"] <= 1).all()


@pytest.mark.parametrize("variable", ["h", "c"])
def test_an_lstm_is_bounded_too_in_each_of_its_variables(variable: str) -> None:
    cell = LSTM(hidden_size=5)
    table = measure(cell, random_parameters(cell, 1, 1, scale=0.8))
    mine = {name: column[table["variable"] == variable] for name, column in table.items()}
    assert 1 < mine["capacity"][-1] <= 5 + allowance(mine)


def test_in_sample_the_bound_breaks_which_is_why_readouts_are_held_out() -> None:
    """10 units, 200 points, 200 lags: noise alone gives each lag 10/200."""
    seeds, n = torch.tensor([1]), 10
    w, u = torch.eye(n).roll(1, 0).tril(-1), torch.eye(n)[:, :1]
    drawn = [past(signal(seeds, number, 400, 1)[:, 0], 199)[:200] for number in (TRAINING, TESTING)]
    states = [d[..., :n] for d in drawn]  # a shift register holds just these
    assert torch.equal(w @ states[0][4, 0].float() + u[:, 0] * drawn[0][5, 0, 0].float(), states[0][5, 0].float())
    inside = capacity(states[0], drawn[0], states[0], drawn[0], 1e-6)["capacity"][-1]
    outside = capacity(states[0], drawn[0], states[1], drawn[1])["capacity"][-1]
    assert inside > 1.5 * n
    assert outside < inside - 0.4 * n


def test_past_by_hand() -> None:
    u = torch.arange(5.0)[:, None]
    assert past(u, 2)[:, 0].tolist() == [[2, 1, 0], [3, 2, 1], [4, 3, 2]]


def test_the_signal_is_uniform_and_no_two_draws_share_it() -> None:
    u = signal(torch.tensor([1, 2]), TRAINING, 50, 400)
    assert u.shape == (50, 2, 400)
    assert -1 <= float(u.min()) < -0.999
    assert 0.999 < float(u.max()) < 1
    assert abs(float(u.square().mean()) - 1 / 3) < 4.5 * math.sqrt(4 / 45 / u.numel())  # var u^2 = 1/5 - 1/9
    assert not torch.equal(u, signal(torch.tensor([1, 2]), TESTING, 50, 400))


@pytest.mark.parametrize("cell", CELLS)
def test_looking_changes_nothing_and_companions_do_not_matter(cell: str) -> None:
    probe = MemoryCapacity(samples=4, steps=10)
    assert_looking_changes_nothing(probe, TASKS["delay-echo"], CELLS[cell])
    assert_no_companion_matters(probe, TASKS["delay-echo"], CELLS[cell])


def test_the_order_of_hidden_units_does_not_matter() -> None:
    cell = LSTM(hidden_size=4)
    params = parameters_of(cell, SCALAR, runs=1)
    one, other = (measure(cell, p) for p in (params, permuted(cell, params, [2, 0, 3, 1])))
    for name in ("score", "error", "capacity", "capacity_error"):
        np.testing.assert_allclose(one[name], other[name], rtol=0, atol=1e-7)


def test_states_beyond_float64_are_nan_and_no_error() -> None:
    table = measure(*linear(torch.tensor([[1e3]]), torch.ones(1, 1)), largest=2, steps=400)
    assert np.isnan(table["score"]).all()
    assert np.isnan(table["capacity"]).all()
    assert np.isnan(table["capacity_error"]).all()
