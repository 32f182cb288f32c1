"""Gradient flow of every task and cell against autograd through a plain loop of cells, and what must not change it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from helpers import CELLS, make_pack, random_parameters, run_spec
from reference import answers_of, by_lag, plain_flow

from lrd.cells import LSTM, RNN, Cell, Parameters, State
from lrd.gradients.adjoint import Adjoint, LSTMAdjoint, RNNAdjoint, adjoint
from lrd.gradients.flow import Flow, answer_numbers, gradient_flow
from lrd.gradients.summary import fit
from lrd.probes.gradient_flow import profile_columns
from lrd.shapes import Float, Tensor
from lrd.tasks import Adding, ContinualReber, Copy, Delay, Task, Warp

TASKS = {
    **{f"copy-{c}": Copy(gap=4, items=3, symbols=4, convention=c) for c in ("arjovsky2016", "lezcano2019", "gu2020")},
    "copy-bai2018": Copy(gap=1, items=1, symbols=2, convention="bai2018"),
    **{f"adding-{c}": Adding(gap=12, convention=c) for c in ("arjovsky2016", "bai2018")},
    **{f"adding-{c}": Adding(gap=30, convention=c) for c in ("hochreiter1997", "pascanu2013")},
    "delay-echo": Delay(gap=5, tokens=3, alphabet=4),
    "delay-gu2022": Delay(gap=3, convention="gu2022"),
    "delay-voelker2019": Delay(gap=21, convention="voelker2019"),
    "continual_reber": ContinualReber(strings=2),
    "warp-variable_padded": Warp(gap=3, length=12, convention="variable_padded"),
}
SEEDS = torch.tensor([3, 4])


def setting(task: Task, cell: Cell, samples: int = 4) -> tuple[Parameters, object]:
    p = random_parameters(cell, task.input_size, 2, task.output_size, seed=11, dtype=torch.float32)
    return p, task.batch(SEEDS, "probe", 0, samples)


def assert_flow(
    flow: Flow, task: Task, cell: Cell, params: Parameters, batch: object, answer: str | int, **how
) -> None:
    """To 1e-10 relative: float64, at most 67 steps of 5 units, each step a relative error of some 10 eps = 2e-15."""
    lags = flow.lags.numpy()
    assert lags.tolist() == list(range(lags[0], -1, -1))
    last = torch.stack([task.answer_steps(batch, k) for k in answers_of(task, answer)]).amax(0)
    for run in range(len(last)):
        plain_parts = plain_flow(task, cell, params, batch, answer, run, **how)
        for mine, plain in zip((flow.total, flow.direct), plain_parts, strict=True):
            assert set(mine) == set(cell.state_names)
            for name, norms in plain.items():
                expected = by_lag(norms, last[run].numpy(), lags)
                np.testing.assert_allclose(mine[name][:, run].numpy(), expected, rtol=0, atol=1e-10 / np.log(10))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_against_autograd_through_a_loop_of_cells(task: str, cell: str) -> None:
    params, batch = setting(TASKS[task], CELLS[cell])
    answers = ["last", "all"] if task.startswith("adding") else ["last", "first", "all", TASKS[task].answers // 2]
    for answer in answers:
        flow = gradient_flow(TASKS[task], CELLS[cell], params, batch, answer)
        assert_flow(flow, TASKS[task], CELLS[cell], params, batch, answer)


@pytest.mark.parametrize("cell", CELLS)
def test_one_unit_one_sample_one_step_before_the_answer(cell: str) -> None:
    kind = CELLS[cell]
    small = LSTM(hidden_size=1) if isinstance(kind, LSTM) else RNN(hidden_size=1, activation=kind.activation)
    task = Adding(gap=2)
    params, batch = setting(task, small, samples=1)
    assert_flow(gradient_flow(task, small, params, batch), task, small, params, batch, "last")


@pytest.mark.parametrize("cell", CELLS)
def test_generic_adjoint_is_the_closed_form(cell: str) -> None:
    task = TASKS["delay-echo"]
    params, batch = setting(task, CELLS[cell])
    params = {name: p.double() for name, p in params.items() if not name.startswith("V")}
    inputs = batch.inputs.double()
    closed, generic = adjoint(CELLS[cell], params, inputs), Adjoint(CELLS[cell], params, inputs)
    assert type(closed) is (LSTMAdjoint if cell == "lstm" else RNNAdjoint)
    torch.testing.assert_close(closed.h, generic.h, rtol=0, atol=1e-13)
    generator = torch.Generator().manual_seed(0)
    for t in (0, 3, len(inputs) - 1):
        grads = tuple(torch.randn(z.shape, dtype=z.dtype, generator=generator) for z in closed.zero_gradients())
        for mine, other in zip(closed.pull(t, grads), generic.pull(t, grads), strict=True):
            for a, b in zip(mine, other, strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=1e-13)  # sums of 20 products below 5


@dataclass(frozen=True)
class GRU(Cell):
    """A cell that lrd knows nothing of, with one gate, a state h and a slow trace m that feeds h at the same step."""

    name = "gru"
    state_names = ("h", "m")

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        n, k = self.hidden_size, self.hidden_size + input_size
        return {name: torch.randn(n, k, generator=generator) / k**0.5 for name in ("Z", "H")}

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        h, m = state
        z = torch.sigmoid(p["Z"] @ torch.cat([x, h]))
        m = 0.9 * m + z * h
        return (1 - z) * h + z * torch.tanh(p["H"] @ torch.cat([x, h * z])) + 0.3 * m, m


def loop_of_steps(cell: Cell, p: Parameters, x: Tensor, state: State | None = None) -> list[State]:
    state = state or tuple(x.new_zeros(x.shape[1], cell.hidden_size) for _ in cell.state_names)
    states = []
    for now in x:
        z = torch.sigmoid(torch.cat([now, state[0]], -1) @ p["Z"].T)
        m = 0.9 * state[1] + z * state[0]
        new = torch.tanh(torch.cat([now, state[0] * z], -1) @ p["H"].T)
        state = ((1 - z) * state[0] + z * new + 0.3 * m, m)
        states.append(state)
    return states


@pytest.mark.parametrize("task", ["copy-arjovsky2016", "adding-pascanu2013", "delay-voelker2019"])
def test_a_cell_of_ones_own_needs_nothing_but_its_step(task: str) -> None:
    pack = make_pack(*(run_spec(TASKS[task], GRU(hidden_size=4), seed=seed) for seed in SEEDS.tolist()))
    params, batch = pack.parameters(pack.theta.detach()), TASKS[task].batch(SEEDS, "probe", 0, 3)
    for answer in ("last", "all"):
        flow = gradient_flow(TASKS[task], pack.cell, params, batch, answer)
        assert_flow(flow, TASKS[task], pack.cell, params, batch, answer, states_of=loop_of_steps)


@pytest.mark.parametrize("cell", CELLS)
def test_measuring_changes_nothing(cell: str) -> None:
    task = TASKS["adding-hochreiter1997"]
    params, batch = setting(task, CELLS[cell])
    for given in (params, {name: p.double().requires_grad_() for name, p in params.items()}):
        kept = {name: p.detach().clone() for name, p in given.items()}
        inputs, targets = batch.inputs.clone(), batch.targets.clone()
        gradient_flow(task, CELLS[cell], given, batch)
        assert all(torch.equal(given[name], kept[name]) and given[name].grad is None for name in kept)
        assert torch.equal(batch.inputs, inputs)
        assert torch.equal(batch.targets, targets)


@pytest.mark.parametrize("cell", CELLS)
def test_the_order_of_hidden_units_does_not_matter(cell: str) -> None:
    task, order = TASKS["copy-gu2020"], torch.tensor([3, 0, 4, 1, 2])
    params, batch = setting(task, CELLS[cell])
    rows = torch.cat([order + 5 * gate for gate in range(4 if cell == "lstm" else 1)])
    permuted = {
        "U": params["U"][:, rows],
        "W": params["W"][:, rows][..., order],
        "b": params["b"][:, rows],
        "V": params["V"][..., order],
        "V_bias": params["V_bias"],
    }
    a, b = (gradient_flow(task, CELLS[cell], p, batch, "all") for p in (params, permuted))
    for part in ("total", "direct"):
        for name, norms in getattr(a, part).items():
            torch.testing.assert_close(norms, getattr(b, part)[name], rtol=0, atol=1e-11)  # sums in another order


COMPANIONS = [
    (Adding(gap=300, convention="pascanu2013"), LSTM(hidden_size=3), 2),
    (Delay(gap=6, tokens=4), RNN(hidden_size=5, activation="sigmoid"), 1),
    (Delay(gap=5, convention="gu2022"), RNN(hidden_size=32), 32),
    (Adding(gap=10), LSTM(hidden_size=32), 32),
]


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("group_bytes", [1, 2**26])
@pytest.mark.parametrize(("task", "cell", "samples"), COMPANIONS)
def test_companions_do_not_matter(
    task: Task, cell: Cell, samples: int, group_bytes: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even to the rows of the table, where the longest sequence of each run has another length."""
    monkeypatch.setattr("lrd.gradients.flow._GROUP_BYTES", group_bytes)
    seeds = torch.arange(4)
    params = random_parameters(cell, task.input_size, 4, task.output_size, dtype=torch.float32)
    together = gradient_flow(task, cell, params, task.batch(seeds, "probe", 0, samples), dtype=dtype)
    for run in range(4):
        only = slice(run, run + 1)
        one = {name: p[only] for name, p in params.items()}
        alone = gradient_flow(task, cell, one, task.batch(seeds[only], "probe", 0, samples), dtype=dtype)
        mine, theirs = profile_columns(alone, 0), profile_columns(together, run)
        for name, column in mine.items():
            np.testing.assert_array_equal(column, theirs[name])
        assert fit(task, alone, "h", 0) == fit(task, together, "h", run)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", ["copy-arjovsky2016", "adding-hochreiter1997", "delay-voelker2019"])
def test_float32_is_the_same_to_float32(task: str, cell: str) -> None:
    params, batch = setting(TASKS[task], CELLS[cell])
    exact, fast = (
        gradient_flow(TASKS[task], CELLS[cell], params, batch, "all", d) for d in (torch.float64, torch.float32)
    )
    for part in ("total", "direct"):
        for name, norms in getattr(exact, part).items():
            got = getattr(fast, part)[name]
            assert got.dtype == torch.float64
            # Up to 50 steps whose errors, some 20 eps32 each, grow with the sensitivity of the states: 1e-4 relative.
            torch.testing.assert_close(got, norms, rtol=0, atol=5e-5, equal_nan=True)


def test_answer_numbers() -> None:
    task = Copy(items=10)
    names = {"first": [0], "last": [9], "all": list(range(10)), 3: [3], -1: [9], "3": [3], -10: [0]}
    assert {name: list(answer_numbers(task, name)) for name in names} == names
    assert list(answer_numbers(Adding(), "all")) == [0]
    for wrong in (10, -11, "10"):
        with pytest.raises(ValueError, match="task's number of answers, 10, got"):
            answer_numbers(task, wrong)
    for wrong in ("frist", "1.5", ""):
        with pytest.raises(ValueError, match="must be first, last, all or a number, got"):
            answer_numbers(task, wrong)
