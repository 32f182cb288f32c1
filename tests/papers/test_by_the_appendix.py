"""The program beside the studies of 1997: its updates are those of lrd's cell, and it trains what it says."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from commands import ROOT
from helpers import EPS64

from lrd.cells import LSTM1997
from lrd.kernels import cpu

pytestmark = pytest.mark.skipif(bool(cpu.why_not()), reason=cpu.why_not())

FILE = ROOT / "experiments" / "papers" / "hochreiter1997_by_the_appendix.py"
#: The nets of experiments 1, 4 and 2a: inputs, outputs, the program's wiring, lrd's cell.
NETS: dict[str, tuple[int, int, dict[str, Any], LSTM1997]] = {
    "1": (7, 7, {"blocks": 3, "size": 2, "biased": 1}, LSTM1997(hidden_size=6, block_size=2, bias="gates")),
    "4": (2, 1, {"blocks": 2, "size": 2, "output_biased": True}, LSTM1997(hidden_size=4, block_size=2)),
    "2a": (
        9,
        9,
        {"blocks": 1, "size": 1, "gated": False, "recurrent": False, "biased": 0}
        | {"sees_inputs": True, "logistic_g": True, "plain_h": True},
        LSTM1997(hidden_size=1, output_gates=False, recurrent="none", bias="none", g="logistic", h="identity"),
    ),
}


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location(FILE.stem, FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[FILE.stem] = module  # for its dataclasses
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", NETS)
def test_an_update_is_that_of_lrds_truncated_gradient(name: str, program: ModuleType) -> None:
    inputs, outputs, parts, cell = NETS[name]
    wiring = program.Wiring(**parts)
    random, steps = np.random.default_rng(3), 10
    net = program.drawn_net(random, inputs, outputs, wiring, 0.6)
    x, targets = random.normal(size=(steps, inputs)), random.uniform(size=(steps, outputs))
    rows = len(net.hidden)
    u, w, b = (torch.tensor(part) for part in np.split(net.hidden, [inputs, inputs + rows], 1))
    output = torch.tensor(net.output, requires_grad=True)
    gates = rows - cell.hidden_size
    biased = {"all": rows, "gates": gates, "none": 0}[cell.bias]
    p = {"U": u, "W": torch.roll(w, cell.hidden_size, 1), "b": b[:biased, 0]}  # lrd's cells stand before the gates
    leaves = [value.requires_grad_() for value in p.values()]
    truncated = LSTM1997(**{**vars(cell), "truncated": True})
    state = tuple(torch.zeros(size, dtype=torch.float64) for size in cell.state_sizes())
    loss = torch.zeros((), dtype=torch.float64)
    for x_t, target in zip(torch.tensor(x), torch.tensor(targets), strict=True):
        state = truncated.step(p, x_t, state)
        shown = torch.cat([state[0], x_t * wiring.sees_inputs, torch.tensor([float(wiring.output_biased)])])
        loss = loss + (target - torch.sigmoid(output @ shown)).square().sum() / 2
    d_u, d_w, d_b, d_output = torch.autograd.grad(loss, [*leaves, output], allow_unused=True, materialize_grads=True)
    expected = net.hidden.copy()
    expected[:, :inputs] -= d_u.numpy()
    expected[:, inputs:-1] -= torch.roll(d_w, -cell.hidden_size, 1).numpy()
    expected[:biased, -1] -= d_b.numpy()
    before = net.output.copy()
    net.present(x, targets, np.ones(steps), rate=1.0)
    # Sums over 10 steps, and in ds/dw over 10, of products of numbers below 10.
    close = {"rtol": 0, "atol": 10 * 10 * 10 * 30 * EPS64}
    net.hidden[biased:, -1] = expected[biased:, -1]  # of no use
    np.testing.assert_allclose(net.hidden, expected, **close)
    np.testing.assert_allclose(net.output, before - d_output.numpy(), **close)
    assert abs(d_u).max() > 1e-3


def test_updates_at_each_step_are_other_ones(program: ModuleType) -> None:
    """One step alone is the same; of two, the second one sees what the first has changed."""
    inputs, outputs, parts, _ = NETS["4"]
    for steps, same in ((1, True), (2, False)):
        ends = []
        for each_step in (False, True):
            random = np.random.default_rng(0)
            net = program.drawn_net(random, inputs, outputs, program.Wiring(**parts), 0.6)
            net.present(random.normal(size=(steps, 2)), np.ones((steps, 1)), np.ones(steps), 1.0, each_step)
            ends.append(net.hidden)
        assert np.array_equal(*ends) == same


def test_a_string_is_of_the_grammar_and_says_what_may_follow(program: ModuleType) -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        string, legal = program._string(random)
        assert string[1] == string[-2]
        assert (string[0], string[-1], string[2], string[-3]) == ("B", "E", "B", "E")
        assert len(legal) == len(string) - 1
        assert all(symbol in may for symbol, may in zip(string[1:], legal, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["embedded_reber", "adding", "noise_free", "random_middle"])
def test_it_trains_and_says_what_came_of_it(experiment: str) -> None:
    options = [experiment, "--seeds", "1", "--sequences", "200", "--cells-from", "100"]
    done = subprocess.run([sys.executable, str(FILE), *options], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("seed 0: not solved; 0.")
    assert done.stderr == ""


def test_g_and_h_may_have_each_others_ranges(program: ModuleType) -> None:
    """As the caption of table 10 has them. The gradient is that of finite differences."""
    random = np.random.default_rng(4)
    swapped = program.Wiring(1, 1, recurrent=False, output_biased=True, span_g=1.0, span_h=2.0)
    net = program.drawn_net(random, 2, 1, swapped, 1.0)
    x, targets, scored = random.normal(size=(5, 2)), random.uniform(size=(5, 1)), np.ones(5)
    before, step = net.hidden.copy(), 1e-6

    def loss(row: int, column: int, by: float) -> float:
        net.hidden[:] = before
        net.hidden[row, column] += by
        return float(((targets - net.present(x, targets, scored)) ** 2).sum() / 2)

    slopes = np.array(
        [[loss(row, m, step) - loss(row, m, -step) for m in range(before.shape[1])] for row in range(len(before))]
    ) / (2 * step)
    net.hidden[:] = before
    net.present(x, targets, scored, rate=1.0)
    np.testing.assert_allclose(before - net.hidden, slopes, rtol=0, atol=1e-8)  # step^2, and rounding / step
