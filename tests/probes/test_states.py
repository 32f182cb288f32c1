"""States of every cell against plain loops; which steps are kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import ACTIVATIONS
from subjects import CELLS, SEEDS, TASKS, linear, parameters_of, plain_states, subject_of

from lrd.cells import RNN, Cell
from lrd.probes.states import along, at_lags, latest_answer, one_by_one, unroll
from lrd.tasks import Adding, Copy

EVERY = CELLS | {f"rnn-{name}": RNN(hidden_size=4, activation=name) for name in ACTIVATIONS}


@pytest.mark.parametrize("cell", EVERY)
@pytest.mark.parametrize("gap", [3, 40])  # less than the steps that are taken at once, and several times as many
def test_states_are_those_of_a_plain_loop(cell: str, gap: int) -> None:
    task = Copy(gap=gap, items=2)
    params = parameters_of(EVERY[cell], task, scale=0.4)
    inputs = task.batch(SEEDS, "probe", 0, 3).inputs.double()
    got = along(EVERY[cell], {name: p.double() for name, p in params.items()}, inputs)
    assert list(got) == list(EVERY[cell].state_names)
    for run in range(len(SEEDS)):
        for name, expected in plain_states(EVERY[cell], params, run, inputs[:, run]).items():
            # 44 steps of 4 units whose sensitivity to the step before is about 1
            np.testing.assert_allclose(got[name][:, run], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_precision_is_that_of_the_inputs_and_nothing_is_changed(cell: str) -> None:
    task = TASKS["delay-echo"]
    params, inputs = parameters_of(CELLS[cell], task), task.batch(SEEDS, "probe", 0, 3).inputs
    kept = inputs.clone()
    states = along(CELLS[cell], params, inputs)
    assert {s.dtype for s in states.values()} == {torch.float32}
    assert torch.equal(inputs, kept)
    for state in unroll(CELLS[cell], params, inputs):  # each is the caller's own: writing to it must not matter
        first = state
        break
    torch.testing.assert_close(first[0], states["h"][0], rtol=0, atol=0)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("task", ["adding-hochreiter1997", "copy-gu2020"])
def test_states_at_lags_are_picked_sample_by_sample(cell: str, stride: int, task: str) -> None:
    what = TASKS[task]
    batch = what.batch(SEEDS, "probe", 0, 5)
    last, lags = what.answer_steps(batch, -1), torch.arange(latest_answer(what, batch), -1, -stride)
    params = parameters_of(CELLS[cell], what)
    whole = along(CELLS[cell], params, batch.inputs)
    for name, picked in at_lags(CELLS[cell], params, batch.inputs, last, lags).items():
        assert picked.shape == (len(lags), *whole[name].shape[1:])
        for j, lag in enumerate(lags.tolist()):
            for run in range(3):
                for sample in range(5):
                    t = int(last[run, sample]) - lag
                    expected = whole[name][t, run, sample] if t >= 0 else torch.zeros_like(picked[0, 0, 0])
                    assert torch.equal(picked[j, run, sample], expected)


def test_latest_answer_is_the_same_for_every_pack() -> None:
    task = Adding(gap=40, convention="pascanu2013")
    assert latest_answer(task, task.batch(SEEDS[:1], "probe", 0, 1)) == 43  # not that of the one sample
    assert latest_answer(Copy(gap=3, items=2), Copy(gap=3, items=2).batch(SEEDS, "probe", 0, 1)) == 6


def test_a_pack_taken_apart() -> None:
    subject = subject_of(TASKS["delay-echo"], CELLS["lstm"])
    parts = list(one_by_one(subject))
    assert [part.seeds.tolist() for part in parts] == [[seed] for seed in SEEDS.tolist()]
    assert all(torch.equal(part.params["W"][0], subject.params["W"][run]) for run, part in enumerate(parts))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_one_linear_unit_under_white_input(decay: float) -> None:
    """E[h^2] = 1 / (1 - lambda^2), E[(dh/dlambda)^2] = (1 + lambda^2) / (1 - lambda^2)^3 (Zucchet & Orvieto 2024).

    The derivative is measured as the state of the sensitivity's own recursion s_t = lambda s_{t-1} + h_{t-1}: a linear
    RNN of two units. 200 steps leave .9^400 = 5e-19 of the start; squares of Gaussians deviate by sqrt(2 / samples).
    """
    samples = 20_000
    w, u = torch.tensor([[decay, 0.0], [1.0, decay]]), torch.tensor([[1.0], [0.0]])
    cell, params = linear(w, u)
    inputs = torch.randn(200, 1, samples, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    *_, (last,) = unroll(cell, {name: p.double() for name, p in params.items()}, inputs)
    decay = float(torch.tensor(decay))  # as float32 has it
    expected = [1 / (1 - decay**2), (1 + decay**2) / (1 - decay**2) ** 3]
    for unit, value in enumerate(expected):
        assert float(last[0, :, unit].square().mean()) == pytest.approx(value, rel=4.5 * (2 / samples) ** 0.5)


@pytest.mark.parametrize("cell", CELLS)
def test_another_cell_of_the_same_kind_takes_the_generic_way(cell: str) -> None:
    """A subclass may have another step: the fast ways are for the very classes that they were written for."""
    kind: type[Cell] = type(CELLS[cell])

    class Negated(kind):  # type: ignore[misc, valid-type]
        def step(self, p, x, state):
            return tuple(-s for s in super().step(p, x, state))

    task, params = TASKS["delay-echo"], parameters_of(CELLS[cell], TASKS["delay-echo"])
    inputs = task.batch(SEEDS, "probe", 0, 2).inputs
    mine = along(Negated(**vars(replace(CELLS[cell]))), params, inputs)["h"][0]
    torch.testing.assert_close(mine, -along(CELLS[cell], params, inputs)["h"][0], rtol=0, atol=4 * 2**-23)
