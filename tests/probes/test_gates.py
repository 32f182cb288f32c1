"""Gates and products of forget gates against plain loops and closed forms, and beside the measured dL/dc_t."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers import EPS64
from subjects import (
    CELLS,
    SEEDS,
    TASKS,
    assert_looking_changes_nothing,
    assert_no_companion_matters,
    parameters_of,
    permuted,
    plain_gates,
    subject_of,
)

from lrd.cells import LSTM, RNN, Cell
from lrd.gradients.flow import gradient_flow
from lrd.probes.base import Columns
from lrd.probes.gates import QUANTILES, Gates, forget_products, gates_along
from lrd.tasks import Adding, Copy, Delay

GATED = [name for name in CELLS if name != "rnn"]


def rows(table: Columns, quantity: str, gate: str) -> dict[str, np.ndarray]:
    mine = (table["quantity"] == quantity) & (table["gate"] == gate)
    return {name: column[mine] for name, column in table.items()}


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("cell", GATED)
@pytest.mark.parametrize("task", TASKS)
def test_every_number_by_a_plain_loop(task: str, cell: str) -> None:
    """Gates to 1e-13 (as the states, whose own tests say so), sums of 34 logarithms to 1e-11."""
    what, subject = TASKS[task], subject_of(TASKS[task], CELLS[cell])
    batch = what.batch(SEEDS, "probe", 0, 5)
    last, shown = what.answer_steps(batch, -1), what.shown(batch)
    kept = "forget" if cell == "lstm" else "keep"
    for run, table in enumerate(Gates(samples=5).measure(subject)):
        gates = plain_gates(CELLS[cell], subject.params, run, batch.inputs[:, run])
        assert {*table["gate"]} == set(gates)
        assert {*table["quantity"]} == {"gate", "since_store", "to_answer"}
        latest = what.loss_steps[-1]
        for gate, quantity in [*((gate, "gate") for gate in gates), (kept, "since_store"), (kept, "to_answer")]:
            mine, j = rows(table, quantity, gate), 0
            assert {*mine["variable"]} == ({{"lstm": "c", "leaky": "m"}[cell]} if gate == kept else {""})
            for lag in range(latest, -1, -1):
                values = []
                for sample in range(5):
                    answer, store = int(last[run, sample]), max(int(i.steps[run, sample]) for i in shown)
                    t, log10 = answer - lag, np.log10(gates[gate][:, sample])
                    if t >= 0 and quantity == "gate":
                        values += gates[gate][t, sample].tolist()
                    elif t >= 0 and quantity == "to_answer":
                        values += log10[t + 1 : answer + 1].sum(0).tolist()
                    elif t >= store and quantity == "since_store":
                        values += log10[store + 1 : t + 1].sum(0).tolist()
                if not values:
                    continue
                assert (mine["lag"][j], mine["t"][j]) == (lag, latest - lag)
                assert mine["mean"][j] == pytest.approx(np.mean(values), rel=0, abs=1e-11)
                for name, q in QUANTILES.items():
                    expected = np.quantile(values, q, method="inverted_cdf")
                    assert mine[name][j] == pytest.approx(expected, rel=0, abs=1e-11)
                j += 1
            assert j == len(mine["t"])


def unfed(forget: float, hidden: int = 3) -> dict[str, torch.Tensor]:
    """An LSTM without recurrent weights or inputs: every gate is constant."""
    bias = torch.tensor([[0.3, forget, 0.4, 0.2]]).double().repeat_interleave(hidden, 1)
    zeros = {"U": torch.zeros(1, 4 * hidden, 10), "W": torch.zeros(1, 4 * hidden, hidden)}
    return zeros | {"b": bias, "V": torch.ones(1, 9, hidden), "V_bias": torch.zeros(1, 9)}


@pytest.mark.parametrize(("forget", "published"), [(1.0, 2.48e-14), (5.0, 0.511)])
def test_constant_gates_keep_their_power(forget: float, published: float) -> None:
    """sigmoid(b)^k after k steps: 100 sums of one logarithm, each rounded at no more than 14 in size."""
    task = Copy(gap=99, items=1)  # shown at step 0, asked for at step 100
    (table,) = Gates(samples=2).measure(subject_of(task, LSTM(hidden_size=3), unfed(forget)))
    since, until = (rows(table, quantity, "forget") for quantity in ("since_store", "to_answer"))
    power = -math.log10(1 + math.exp(-forget))
    for name in ("mean", *QUANTILES):
        np.testing.assert_allclose(since[name], since["t"] * power, rtol=0, atol=100 * 14 * EPS64)
        np.testing.assert_allclose(until[name], until["lag"] * power, rtol=0, atol=100 * 14 * EPS64)
    assert 10 ** since["mean"][-1] == pytest.approx(published, rel=2e-3, abs=0)  # three digits are printed
    assert since["mean"][0] == until["mean"][-1] == 0
    values = rows(table, "gate", "forget")
    np.testing.assert_allclose(values["q05"], 1 / (1 + math.exp(-forget)), rtol=4 * EPS64)


@pytest.mark.parametrize("task", ["copy-arjovsky2016", "adding-pascanu2013", "delay-gu2022"])
def test_the_product_is_the_measured_gradient_only_without_recurrent_weights(task: str) -> None:
    """One unit, sample by sample: log10 of dL/dc_t over dL/dc_answer, in some 30 steps of 10 eps each, to 1e-12."""
    what, cell = TASKS[task], LSTM(hidden_size=1)
    batch = what.batch(SEEDS, "probe", 0, 6)
    last, items = what.answer_steps(batch, -1), what.shown(batch)
    stored = torch.stack([item.steps for item in items]).amax(0)
    gaps = {}
    for scale in (0.0, 1.0):
        params = parameters_of(cell, what, scale=1.2)
        params["W"] *= scale
        p = {name: value.double() for name, value in params.items()}
        flow = gradient_flow(what, cell, params, batch)
        measured = flow.total["c"] - flow.total["c"][-1]
        _, until = forget_products(gates_along(cell, p, batch.inputs.double())["forget"], stored, last)
        t = last - flow.lags[:, None, None]
        product = until[..., 0].gather(0, t.clamp(min=0))
        assert bool((t >= 0).any(0).all())
        gaps[scale] = (product - measured)[t >= 0].abs().max()
    assert gaps[0.0] < 1e-12
    assert gaps[1.0] > 0.01  # 2 % at the least: the recurrent weights are of order 1


def test_the_measured_gradient_lies_within_the_products_of_its_units() -> None:
    """Without recurrent weights each unit goes its own way: the norm's ratio lies between the least and the largest."""
    task, cell = Delay(gap=30, tokens=1), LSTM(hidden_size=5)
    params = parameters_of(cell, task, runs=1)
    params["W"].zero_()
    flow = gradient_flow(task, cell, params, task.batch(SEEDS[:1], "probe", 0, 1))
    forget = gates_along(cell, params, task.batch(SEEDS[:1], "probe", 0, 1).inputs)["forget"].double()
    step = torch.zeros(1, 1, dtype=torch.int64)
    product = forget_products(forget, step, step + 30)[1][:, 0, 0]
    ratio = (flow.total["c"] - flow.total["c"][-1])[:, 0, 0]
    slack = 31 * 2**-23  # gates were taken in float32 here
    assert bool((ratio >= product.min(-1).values - slack).all())
    assert bool((ratio <= product.max(-1).values + slack).all())


def test_a_gate_of_zero_forgets_everything_before_it_and_nothing_after() -> None:
    forget = torch.full((6, 1, 1, 1), 0.1, dtype=torch.float64)
    forget[3] = 0
    since, until = forget_products(forget, torch.tensor([[1]]), torch.tensor([[5]]))
    nan, inf = math.nan, math.inf
    np.testing.assert_array_equal(since.flatten(), [nan, 0, -1, -inf, -inf, -inf])
    np.testing.assert_array_equal(until.flatten(), [-inf, -inf, -inf, -2, -1, 0])


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_without_gates_has_an_empty_table_and_looking_changes_nothing(cell: str) -> None:
    assert_looking_changes_nothing(Gates(samples=3), TASKS["adding-hochreiter1997"], CELLS[cell])
    (table, *_) = Gates().measure(subject_of(TASKS["delay-echo"], CELLS[cell]))
    assert (len(table["t"]) == 0) == (cell == "rnn")


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("samples", [1, 4])
def test_companions_do_not_matter(cell: str, samples: int) -> None:
    assert_no_companion_matters(Gates(samples=samples), TASKS["adding-pascanu2013"], CELLS[cell])


def test_the_order_of_hidden_units_does_not_matter() -> None:
    task, cell = Adding(gap=20), LSTM(hidden_size=4)
    params = parameters_of(cell, task)
    tables = [Gates().measure(subject_of(task, cell, p))[0] for p in (params, permuted(cell, params, [2, 0, 3, 1]))]
    for name in ("mean", *QUANTILES):
        np.testing.assert_allclose(tables[0][name], tables[1][name], rtol=0, atol=1e-11)  # sums in another order


@pytest.mark.parametrize("cell", [RNN(), LSTM()])
def test_what_a_cell_keeps_is_one_of_its_variables_and_gates(cell: Cell) -> None:
    params = cell.parameters(2, torch.Generator())
    gates = cell.gates(params, torch.zeros(2), tuple(torch.zeros(n) for n in cell.state_sizes()))
    assert set(cell.keeps) <= set(cell.state_names)
    assert set(cell.keeps.values()) <= set(gates)
