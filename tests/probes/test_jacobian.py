"""The probe ``jacobian``: its table against numpy's quantiles, and what must not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import LeakyRNN, Noise, Traced, orthogonal, run_of, still, subject
from helpers import CELLS as BUILT_IN
from helpers import EPS64, random_parameters

from lrd.cells import LSTM, RNN
from lrd.gradients.jacobian_products import jacobian_products, log10_singular_values
from lrd.gradients.schema import QUANTILES
from lrd.options import OptionError
from lrd.probes.jacobian import Jacobian, log_spaced_lags
from lrd.tasks import Adding, Copy, Delay

CELLS = BUILT_IN | {"leaky": LeakyRNN(hidden_size=5), "traced": Traced(hidden_size=4)}
BLOCKS = {
    "lstm": ["whole", "h->h", "h->c", "c->h", "c->c"],
    "traced": ["whole", "h->h", "h->m", "m->h", "m->m"],
}


@pytest.mark.parametrize("task", [Copy(gap=4, items=3, symbols=4), Adding(gap=12), Delay(gap=5, tokens=3, alphabet=4)])
@pytest.mark.parametrize("cell", CELLS)
def test_table(cell: str, task: Copy | Adding | Delay) -> None:
    """A row a lag and index of each block; quantiles by nearest rank, over samples, of what the products give."""
    kind = CELLS[cell]
    probe = Jacobian(samples=6, lags=3, values=2)
    seen = subject(task, kind, random_parameters(kind, task.input_size, 2))
    tables = probe.measure(seen)
    lags = log_spaced_lags(task.largest_lag, 3)
    batch = seen.sequences(6)
    last = task.answer_steps(batch, -1)
    sigma = log10_singular_values(kind, jacobian_products(kind, seen.params, batch.inputs, last, lags))
    for run, table in enumerate(tables):
        assert set(table) == set(Jacobian.columns)
        assert {len(column) for column in table.values()} == {len(table["lag"])}
        assert list(dict.fromkeys(table["block"])) == BLOCKS.get(cell, ["whole"])
        for name, values in sigma.items():
            mine = (table["block"] == name) & (table["quantity"] == "sigma")
            assert table["lag"][mine].tolist() == [lag for lag in lags for _ in range(2)]
            assert table["index"][mine].tolist() == [1, 2] * len(lags)
            for column, q in QUANTILES.items():
                known = np.nan_to_num(values[:, run, :, :2].numpy(), nan=-1e9)  # unresolved ones are small
                expected = np.quantile(known, q, axis=1, method="inverted_cdf").flatten()
                np.testing.assert_array_equal(table[column][mine], np.where(expected == -1e9, np.nan, expected))
            condition = (table["block"] == name) & (table["quantity"] == "condition")
            ratio = (values[:, run, :, 0] - values[:, run, :, -1]).numpy()
            expected = np.quantile(np.nan_to_num(ratio, nan=np.inf), 0.5, axis=1, method="inverted_cdf")
            np.testing.assert_array_equal(np.nan_to_num(table["log10_q50"][condition], nan=np.inf), expected)
        bounded = set(table["quantity"]) == {"sigma", "condition", "bound", "bound_slopes"}
        assert bounded == isinstance(kind, RNN)
        assert (table["samples"] == 6).all()


def test_bounds_stand_above_the_largest_singular_value() -> None:
    cell = RNN(hidden_size=6)
    (table,) = Jacobian(samples=4).measure(subject(Noise(gap=30), cell, random_parameters(cell, 1, 1)))
    of = {name: table["quantity"] == name for name in ("sigma", "bound", "bound_slopes")}
    of["sigma"] &= table["index"] == 1
    for column in QUANTILES:
        sigma, bound, slopes = (table[column][of[name]] for name in ("sigma", "bound", "bound_slopes"))
        assert len(sigma) == len(bound) == len(slopes) == 6
        assert (sigma < slopes).all()
        assert (slopes < bound).all()


def test_an_orthogonal_linear_network_has_condition_number_1() -> None:
    cell = RNN(hidden_size=6, activation="identity")
    (table,) = Jacobian(lags=4, values=6).measure(subject(Noise(gap=2000), cell, still(0.5 * orthogonal(6)[None])))
    sigma, condition = (table["quantity"] == name for name in ("sigma", "condition"))
    expected = np.repeat([1, 13, 159, 2000], 6) * math.log10(0.5)
    np.testing.assert_allclose(table["log10_q50"][sigma], expected, rtol=4 * EPS64, atol=2000 * 12 * EPS64)
    np.testing.assert_allclose(table["log10_q95"][condition], 0, rtol=0, atol=2000 * 12 * EPS64)


def test_lags_that_only_longer_samples_have_count_only_those() -> None:
    task, cell = Adding(gap=30, convention="hochreiter1997"), RNN(hidden_size=4)
    seen = subject(task, cell, random_parameters(cell, task.input_size, 1))
    (table,) = Jacobian(samples=20, lags=8).measure(seen)
    last = task.answer_steps(seen.sequences(20), -1)
    for lag, samples in zip(table["lag"], table["samples"], strict=True):
        assert samples == int((last >= int(lag)).sum()) > 0


def test_samples_without_finite_states_are_left_out() -> None:
    w = torch.tensor([[[2e200, -1e200], [2e200, 1e200]], [[0.5, 0.1], [0.1, 0.5]]], dtype=torch.float64)
    lost, found = Jacobian(lags=1).measure(subject(Noise(), RNN(hidden_size=2, activation="relu"), still(w, 1.0)))
    assert len(lost["lag"]) == 0
    assert (found["samples"] == 8).all()


def test_lags_are_log_spaced() -> None:
    assert log_spaced_lags(100, 3) == [1, 10, 100]
    assert log_spaced_lags(100, 1) == [100]
    assert log_spaced_lags(4, 10) == [1, 2, 3, 4]
    assert log_spaced_lags(1, 5) == [1]


def test_options_have_bounds() -> None:
    for wrong in ({"lags": 0}, {"values": 0}, {"samples": 0}):
        with pytest.raises(OptionError):
            Jacobian(**wrong)


@pytest.mark.parametrize("cell", BUILT_IN)
@pytest.mark.parametrize("group_bytes", [1, 2**26])
def test_companions_do_not_matter(cell: str, group_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrd.probes.jacobian._GROUP_BYTES", group_bytes)
    task, probe = Delay(gap=6, tokens=4), Jacobian(samples=3)
    whole = subject(task, BUILT_IN[cell], random_parameters(BUILT_IN[cell], task.input_size, 3))
    for run, table in enumerate(probe.measure(whole)):
        (alone,) = probe.measure(run_of(whole, run))
        for name, column in table.items():
            np.testing.assert_array_equal(alone[name], column)


@pytest.mark.parametrize("cell", CELLS)
def test_looking_changes_nothing(cell: str) -> None:
    task = Noise(features=2)
    given = random_parameters(CELLS[cell], 2, 2, dtype=torch.float32)
    for params in (given, {name: p.double().requires_grad_() for name, p in given.items()}):
        kept = {name: p.detach().clone() for name, p in params.items()}
        state = torch.get_rng_state()
        Jacobian().measure(subject(task, CELLS[cell], params))
        assert all(torch.equal(params[name], kept[name]) and params[name].grad is None for name in kept)
        assert torch.equal(torch.get_rng_state(), state)


def test_the_probe_of_an_lstm_has_all_blocks_even_where_they_are_zero() -> None:
    bias = torch.tensor([0.3, 1.0, 0.4, 0.2], dtype=torch.float64).repeat_interleave(3)[None]
    (table,) = Jacobian(lags=2).measure(subject(Noise(), LSTM(hidden_size=3), still(torch.zeros(1, 12, 3), bias)))
    zero = (table["block"] == "h->c") & (table["quantity"] == "sigma")
    assert np.isneginf(table["log10_q50"][zero]).all()
    assert (table["unresolved"][zero] == 0).all()
    condition = (table["block"] == "h->c") & (table["quantity"] == "condition")
    assert np.isnan(table["log10_q50"][condition]).all()
