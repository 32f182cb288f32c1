"""Every probe on the ungated cells: what they see is the cell's own step by plain autograd, without its bookkeeping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import autograd_jacobian, generator
from helpers import OF_TEXTS, one
from reference import plain_flow
from subjects import assert_equal_tables
from torch.func import vmap

from lrd.cells import RNN, Cell, Parameters, State, readout_parameters
from lrd.cells.attentive import Attentive
from lrd.cells.clockwork import Clockwork
from lrd.cells.orthogonal import Orthogonal
from lrd.gradients.flow import gradient_flow
from lrd.gradients.jacobian_products import jacobian_products
from lrd.kernels import loop
from lrd.probes import PROBES, Jacobian, Lyapunov, Retention, Subject
from lrd.probes.lyapunov import local_rates
from lrd.shapes import Tensor
from lrd.tasks import Copy, Delay, Task

TASK = Copy(gap=3, items=2, symbols=3)
SEEDS = torch.tensor([3, 8])
CELLS = {
    "irnn": RNN(hidden_size=4, activation="relu", init="identity", input_std=0.3),
    "orthogonal": Orthogonal(hidden_size=4),
    "orthogonal-tanh": Orthogonal(hidden_size=5, activation="tanh", map="cayley", init="haar"),
    "clockwork": Clockwork(hidden_size=5, modules=3),
    "attentive": Attentive(hidden_size=3),
    "attentive-window": Attentive(hidden_size=3, memory=2),
}


def seen(name: str, task: Task = TASK) -> Subject:
    cell = CELLS[name].for_length(task.sequence_length)
    each = []
    for seed in SEEDS.tolist():
        g = generator(seed)
        each.append(cell.parameters(task.input_size, g) | readout_parameters(cell, task.output_size, g))
    return Subject.of(task, cell, {n: torch.stack([p[n] for p in each]) for n in each[0]}, SEEDS)


def own_states(cell: Cell, p: Parameters, xs: Tensor, state: State | None = None) -> list[State]:
    """States of one run after every step by the cell's own step; all can be asked for their gradient."""
    state = state or tuple(xs.new_zeros(xs.shape[1], size) for size in cell.state_sizes())
    states = []
    for x in xs:
        state = vmap(cell.step, in_dims=(None, 0, 0))(p, x, state)
        state = tuple(s if s.requires_grad else s.requires_grad_() for s in state)
        states.append(state)
    return states


def measured(cell: Cell, whole: Tensor) -> Tensor:
    """Rows and columns of a Jacobian of the whole state, without bookkeeping."""
    names = np.repeat(cell.state_names, cell.state_sizes())
    kept = torch.tensor(np.flatnonzero(~np.isin(names, list(cell.bookkeeping))))
    return whole[kept][:, kept]


@pytest.mark.parametrize("answer", ["last", "all"])
@pytest.mark.parametrize("name", CELLS)
def test_gradient_flow_is_autograds(name: str, answer: str) -> None:
    subject = seen(name)
    batch = subject.sequences(3)
    flow = gradient_flow(TASK, subject.cell, subject.params, batch, answer)
    assert tuple(flow.total) == tuple(n for n in subject.cell.state_names if n not in ("clock", "count"))
    for run in range(len(SEEDS)):
        total, direct = plain_flow(TASK, subject.cell, subject.params, batch, answer, run, own_states)
        for variable in flow.total:
            # float64 along a dozen steps of sums of a few tens of terms.
            for mine, theirs in ((flow.total, total), (flow.direct, direct)):
                np.testing.assert_allclose(mine[variable][:, run], theirs[variable], rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_jacobian_products_are_autograds(name: str) -> None:
    subject = seen(name)
    cell, params, inputs = subject.cell, subject.parameters(), subject.sequences(2).inputs
    last = TASK.sequence_length - 1
    products = jacobian_products(cell, params, inputs, torch.full((2, 2), last), [1, 4])
    for run in range(2):
        states = own_states(cell, one(params, run), inputs[:, run])
        for row, lag in enumerate(products.lags):
            for sample in range(2):
                before = tuple(s[sample].detach() for s in states[last - lag])
                whole = autograd_jacobian(cell, one(params, run), inputs[last - lag + 1 :, run, sample], before)
                found = products.matrix[row, run, sample] * 2.0 ** float(products.power[row, run, sample])
                torch.testing.assert_close(found, measured(cell, whole), rtol=0, atol=1e-12)
    blocks = set(Jacobian(samples=2).measure(subject)[0]["block"])
    assert not any("clock" in block or "count" in block for block in blocks)
    assert ("h->past" in blocks) == name.startswith("attentive")


@pytest.mark.parametrize("name", CELLS)
def test_growth_rates_are_those_of_autograds_jacobians(name: str) -> None:
    subject = seen(name)
    cell, params, inputs = subject.cell, subject.parameters(), subject.sequences(2).inputs[:6]
    number = 1 if name == "irnn" else 2  # dead rectifiers leave fewer directions than that
    rates, _ = local_rates(cell, params, inputs, loop.zero_state(cell, inputs), number)
    size = sum(s for n, s in zip(cell.state_names, cell.state_sizes(), strict=True) if n not in cell.bookkeeping)
    start = torch.linalg.qr(torch.randn(size, number, dtype=torch.float64, generator=generator(0)))[0]
    for run in range(2):
        states = own_states(cell, one(params, run), inputs[:, run])
        frame, state = start, tuple(s[run, 0] for s in loop.zero_state(cell, inputs))
        for t in range(len(inputs)):
            whole = autograd_jacobian(cell, one(params, run), inputs[t : t + 1, run, 0], state)
            frame, r = torch.linalg.qr(measured(cell, whole) @ frame)
            expected = r.diagonal().abs().log()
            torch.testing.assert_close(rates[t, run, 0], expected, rtol=0, atol=1e-9, equal_nan=True)
            state = tuple(s[0].detach() for s in states[t])


SMALL: dict[str, dict[str, int]] = {  # of every probe that measures any task
    "gradient_flow": {"samples": 3},
    "parameter_gradient": {"samples": 3},
    "jacobian": {"samples": 2, "lags": 3},
    "lyapunov": {"samples": 2, "steps": 12, "transient": 2},
    "gates": {"samples": 3},
    "retention": {"samples": 30, "test_samples": 30},
    "memory_capacity": {"samples": 4, "steps": 20, "largest": 3},
}


@pytest.mark.slow_but(3)
@pytest.mark.parametrize("task", [TASK, Delay(gap=3, convention="gu2022")], ids=lambda task: task.name)
@pytest.mark.parametrize("probe", SMALL)
@pytest.mark.parametrize("name", CELLS)
def test_a_run_is_measured_without_its_companions_and_its_bookkeeping(name: str, probe: str, task: Task) -> None:
    """Of the two tasks one has a single input: products with vectors have a way of their own in the libraries."""
    subject, measurement = seen(name, task), PROBES[probe](**SMALL[probe])
    tables = measurement.measure(subject)
    for run in range(2):
        only = slice(run, run + 1)
        params = {n: p[only].clone() for n, p in subject.params.items()}
        assert_equal_tables(measurement.measure(Subject(task, subject.cell, params, SEEDS[only]))[0], tables[run])
    variables = set(tables[0].get("variable", ())) - {""}
    assert not variables & {"clock", "count"}
    assert ("past" in variables) == (name.startswith("attentive") and bool(variables))


def test_the_parameters_that_steps_get_are_measured() -> None:
    def names(name: str) -> set[str]:
        return set(PROBES["parameter_gradient"](samples=2).measure(seen(name))[0]["parameter"])

    assert names("orthogonal") == names("orthogonal-tanh") == names("clockwork") == {"U", "W", "b"}
    assert names("attentive") == names("attentive-window") == {"U", "W", "b", "P", "Q", "R"}


def test_probes_see_what_training_runs() -> None:
    """Subject.of prepares in float64 what a pack prepares in float32, and nothing for a cell that prepares nothing."""
    subject = seen("orthogonal")
    assert subject.params["W"].dtype == torch.float64
    assert subject.cell == CELLS["orthogonal"]
    assert seen("orthogonal-tanh").cell == RNN(hidden_size=5, activation="tanh")
    assert seen("irnn").params["W"].dtype == torch.float32


def test_the_state_of_an_attentive_cell_is_as_large_as_its_window() -> None:
    subject = seen("attentive-window")
    exponents = Lyapunov(samples=1, steps=4, transient=0, exponents=50).measure(subject)[0]
    assert len(exponents["index"]) == 2 * (3 + 2 * 3)
    retention = Retention(samples=20, test_samples=20).measure(subject)[0]
    assert set(retention["variable"]) == {"h", "past"}


def test_every_probe_is_among_them() -> None:
    assert set(SMALL) == set(PROBES) - set(OF_TEXTS)
