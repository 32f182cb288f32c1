"""Contributions of single steps to a parameter's gradient, against autograd with a copy of the parameters a step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from helpers import CELLS, one, random_parameters
from reference import answers_of, losses_of

from lrd.cells import RNN, Cell, Parameters, State
from lrd.gradients.adjoint import Adjoint, adjoint
from lrd.gradients.summary import over_samples
from lrd.options import option
from lrd.probes import Subject
from lrd.probes.parameter_gradient import ParameterGradient
from lrd.shapes import Tensor
from lrd.tasks import Adding, Copy, Delay, Task


@dataclass(frozen=True)
class Leaky(Cell):
    """A cell that has no fast path."""

    name, state_names = "leaky", ("h",)
    leak: float = option(0.3, "the rate", gt=0, le=1)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        n = self.hidden_size
        return {"U": torch.zeros(n, input_size), "W": torch.zeros(n, n), "b": torch.zeros(n)}

    def step(self, p: Parameters, x: Tensor, state: State) -> State:
        return ((1 - self.leak) * state[0] + self.leak * torch.tanh(p["U"] @ x + p["W"] @ state[0] + p["b"]),)


CELLS = {**CELLS, "leaky": Leaky(hidden_size=4)}
TASKS = {
    "copy": Copy(gap=3, items=2, symbols=3),
    "adding": Adding(gap=12, convention="pascanu2013"),  # of several lengths
    "delay": Delay(gap=4, tokens=3, alphabet=4),
}
SAMPLES = 5


def subject(task: Task, cell: Cell, runs: int = 2) -> Subject:
    params = random_parameters(cell, task.input_size, runs, task.output_size, seed=3, dtype=torch.float32)
    return Subject(task, cell, params, torch.arange(5, 5 + runs))


def plain(task: Task, cell: Cell, seen: Subject, run: int, answer: str) -> list[dict[str, np.ndarray]]:
    """For each sample: what each step t contributes to each parameter, [t, ...]."""
    batch = seen.sequences(SAMPLES)
    p = {name: value.double() for name, value in one(seen.params, run).items()}
    names = [name for name in p if not name.startswith("V")]
    steps = torch.stack([task.answer_steps(batch, k)[run] for k in answers_of(task, answer)])
    found = []
    for sample in range(SAMPLES):
        asked = set(steps[:, sample].tolist())
        copies, state, loss = [], tuple(torch.zeros(size).double() for size in cell.state_sizes()), 0.0
        for t in range(max(asked) + 1):
            copies.append({name: p[name].clone().requires_grad_() for name in names})
            state = cell.step(copies[t], batch.inputs[t, run, sample], state)
            if t in asked:
                target = batch.targets[t - task.loss_steps.start, run, sample][None]
                loss = loss + losses_of(task, p, state[0][None], target)[0]
        grads = torch.autograd.grad(loss, [c[name] for c in copies for name in names], materialize_grads=True)
        by_step = [grads[t * len(names) : (t + 1) * len(names)] for t in range(len(copies))]
        found.append({name: torch.stack([g[i] for g in by_step]).numpy() for i, name in enumerate(names)})
    return found


@pytest.mark.parametrize("answer", ["last", "all"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_against_a_copy_of_the_parameters_a_step(task: str, cell: str, answer: str) -> None:
    """To 1e-10: float64, at most 15 steps of 5 units, each with a relative error of some 10 eps."""
    seen = subject(TASKS[task], CELLS[cell])
    tables = ParameterGradient(samples=SAMPLES, answer=answer, lags_per_decade=3).measure(seen)
    assert len(tables) == 2
    for run, table in enumerate(tables):
        samples = plain(TASKS[task], CELLS[cell], seen, run, answer)
        assert set(table["parameter"]) == set(samples[0])
        for name in samples[0]:
            for part in ("immediate", "beyond"):
                rows = (table["parameter"] == name) & (table["part"] == part)
                lags = table["lag"][rows]
                with np.errstate(divide="ignore"):
                    expected = np.log10([[norm_of(part, s[name], lag) for s in samples] for lag in lags])
                statistics = over_samples(torch.from_numpy(expected))
                for column, values in statistics.items():
                    np.testing.assert_allclose(
                        table[column][rows], values, rtol=0, atol=1e-10, err_msg=f"{name} {part}"
                    )
                assert sorted(lags) == (
                    list(range(max(len(s[name]) for s in samples))) if part == "immediate" else sorted(set(lags))
                )


def norm_of(part: str, steps: np.ndarray, lag: int) -> float:
    """Of one sample's contributions [t, ...], the last of which has lag 0."""
    end = len(steps) - 1 - lag
    if part == "immediate":
        return float(np.linalg.norm(steps[end])) if end >= 0 else np.nan
    return float(np.linalg.norm(steps[: max(0, end)].sum(0)) / np.linalg.norm(steps.sum(0)))


@pytest.mark.parametrize("cell", ["rnn-tanh", "lstm"])
def test_fast_partials_are_the_generic_ones(cell: str) -> None:
    task, kind = TASKS["delay"], CELLS[cell]
    seen = subject(task, kind)
    params = {name: p.double() for name, p in seen.params.items() if not name.startswith("V")}
    inputs = seen.sequences(3).inputs
    grads = tuple(torch.randn(2, 3, 5, dtype=torch.float64) for _ in kind.state_names)
    fast, generic = adjoint(kind, params, inputs), Adjoint(kind, params, inputs)
    for t in (0, 4):
        slow = generic.partials(t, grads)
        for name, (left, right) in fast.partials(t, grads).items():
            whole = left if right is None else torch.einsum("rbi,rbj->rbij", left, right).flatten(2)
            torch.testing.assert_close(whole, slow[name][0], rtol=1e-12, atol=1e-13)


def test_far_contributions_below_any_float_are_told_apart_from_none() -> None:
    """h_t = g h_{t-1} + x_t with g = 1e-8: step t contributes g^lag times what the last step does."""
    cell, task = RNN(hidden_size=1, activation="identity"), Adding(gap=100)
    p = {"U": [[1.0, 0.0]], "W": [[1e-8]], "b": [1.0], "V": [[1.0]], "V_bias": [1.0]}
    params = {name: torch.tensor(value, dtype=torch.float64)[None] for name, value in p.items()}
    (table,) = ParameterGradient(samples=2).measure(Subject(task, cell, params, torch.tensor([1])))
    rows = (table["parameter"] == "b") & (table["part"] == "immediate")
    by_lag = dict(zip(table["lag"][rows].tolist(), table["log10_gmean"][rows].tolist(), strict=True))
    for lag in (1, 50, 99):  # 1e-8 is a float64 with relative error 2^-53, of which lag factors accumulate
        assert by_lag[lag] - by_lag[0] == pytest.approx(-8 * lag, abs=lag * 1e-12)
    rows = (table["parameter"] == "b") & (table["part"] == "beyond")
    for lag, share in zip(table["lag"][rows], table["log10_gmean"][rows], strict=True):
        assert share == pytest.approx(-8 * (lag + 1), abs=1e-7)  # a geometric series: g^(lag+1) (1 + O(g)) / (1 + g...)


@pytest.mark.parametrize("cell", ["rnn-tanh", "lstm", "leaky"])
def test_a_run_alone_is_the_run_in_a_pack(cell: str) -> None:
    seen = subject(TASKS["adding"], CELLS[cell], runs=3)
    before = {name: value.clone() for name, value in seen.params.items()}
    probe = ParameterGradient(samples=SAMPLES)
    together = probe.measure(seen)
    for run in range(3):
        alone = Subject(seen.task, seen.cell, {n: p[run : run + 1] for n, p in seen.params.items()}, seen.seeds[[run]])
        for name, column in probe.measure(alone)[0].items():
            np.testing.assert_array_equal(column, together[run][name])
    assert all(torch.equal(before[name], value) for name, value in seen.params.items())
