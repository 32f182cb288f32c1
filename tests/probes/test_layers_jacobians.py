"""Jacobians and Lyapunov exponents of every part of a network, against those of the whole by autograd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import Noise
from plain_networks import BOTH, NETWORKS, SEEDS, STACKS, Along, double, network_of, own, parts, plain
from test_lyapunov import sums_above_the_widest_gap
from torch.autograd.functional import jacobian

from lrd.cells import Cell
from lrd.probes import Jacobian, Lyapunov, Subject
from lrd.probes.lyapunov import stream
from lrd.shapes import Tensor
from lrd.tasks import Copy

TASK = Copy(gap=4, items=2, symbols=3)
SAMPLES = 2


def of_part(cell: Cell, along: Along, sample: int, s: int) -> Tensor:
    """d state_s / d state_{s-1} of a part, s in its reading order, [S, S]."""
    sizes = cell.state_sizes()
    before = along.states[s - 1] if s else tuple(torch.zeros_like(v) for v in along.states[0])

    def step(flat: Tensor) -> Tensor:
        return torch.cat(cell.step(along.p, along.read[s, sample], flat.split(sizes)))

    return jacobian(step, torch.cat([variable[sample] for variable in before]))


@pytest.mark.parametrize("name", NETWORKS)
def test_singular_values_of_every_part(name: str) -> None:
    """T is the last answer's step, or step 0 where the part reads backward; float64, four steps."""
    cell, subject = NETWORKS[name], network_of(TASK, NETWORKS[name])
    tables = Jacobian(samples=SAMPLES, lags=3, values=2).tables_of(subject)
    inputs, last = subject.sequences(SAMPLES).inputs, TASK.loss_steps[-1]
    for run in range(len(SEEDS)):
        table = tables[run]["jacobian"]
        for part, along in plain(subject, run, inputs).items():
            mine = (table["layer"] == part[0]) & (table["direction"] == part[1]) & (table["block"] == "whole")
            mine &= table["quantity"] == "sigma"
            lags = np.unique(table["lag"][mine])
            assert lags.max() == TASK.largest_lag
            assert (table["samples"][mine] == SAMPLES).all()
            for lag in lags:
                end = len(inputs) - 1 if part[1] == "backward" else last
                sigma = []
                for sample in range(SAMPLES):
                    product = torch.eye(sum(cell.state_sizes())).double()
                    for s in range(end, end - int(lag), -1):
                        product = product @ of_part(cell, along, sample, s)
                    sigma.append(torch.linalg.svdvals(product)[:2].log10().numpy())
                least, largest = np.sort(np.array(sigma), axis=0)
                rows = mine & (table["lag"] == lag)
                np.testing.assert_allclose(table["log10_q50"][rows], least, rtol=0, atol=1e-9)
                np.testing.assert_allclose(table["log10_q95"][rows], largest, rtol=0, atol=1e-9)


class Stack:
    """One run's whole stack, whose state is that of all layers, the last layer's first."""

    def __init__(self, subject: Subject, run: int) -> None:
        self.cell, p = subject.cell, double(subject, run)
        self.own = [own(part, p) for part in parts(self.cell)]
        self.size = sum(self.cell.state_sizes())

    def step(self, x: Tensor, flat: Tensor) -> Tensor:
        below, after = x, []
        for p, state in zip(self.own, reversed(flat.split(self.size)), strict=True):
            now = self.cell.step(p, below, state.split(self.cell.state_sizes()))
            below = now[0]
            after.append(torch.cat(now))
        return torch.cat(after[::-1])

    def jacobians(self, xs: Tensor) -> list[Tensor]:
        """d (state of all layers at t) / d (at t-1) at every step of one sample, from a zero state."""
        state, found = torch.zeros(self.size * self.cell.layers).double(), []
        for x in xs:
            found.append(jacobian(lambda flat, x=x: self.step(x, flat), state))
            state = self.step(x, state)
        return found


def driven_and_free(subject: Subject, samples: int, steps: int) -> Tensor:
    x = stream(subject, samples, steps)
    return torch.cat([x, torch.zeros_like(x)])


def table_of(table: dict[str, np.ndarray], part: tuple[int, str], mode: str) -> np.ndarray:
    mine = (table["layer"] == part[0]) & (table["direction"] == part[1]) & (table["mode"] == mode)
    return table["exponent"][mine]


def rates(matrices: list[Tensor], frame: Tensor) -> tuple[Tensor, Tensor]:
    """log |R_ii| of every step, and the frame after them."""
    found = []
    for matrix in matrices:
        frame, r = torch.linalg.qr(matrix @ frame)
        found.append(r.diagonal().abs().log())
    return torch.stack(found), frame


@pytest.mark.parametrize("name", STACKS)
def test_the_spectrum_of_a_stack_is_the_union_of_those_of_its_layers(name: str) -> None:
    """The whole Jacobian is block triangular: a frame of the layers' own frames has exactly their rates.

    The last layer's come first, since what is in the span of its states stays there; float64, Jacobians with condition
    numbers up to 1e4 as in the tests of one layer, at each of 40 steps.
    """
    subject, transient, steps = network_of(TASK, STACKS[name]), 8, 12
    probe = Lyapunov(samples=SAMPLES, transient=transient, steps=steps, exponents=99)
    tables = probe.tables_of(subject)
    inputs = driven_and_free(subject, SAMPLES, transient + steps)
    for run in range(len(SEEDS)):
        stack = Stack(subject, run)
        n, layers = stack.size, subject.cell.layers
        random = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        each = torch.linalg.qr(random)[0]  # the frame that the probe begins with
        found = {"driven": [], "free": []}
        for sample in range(SAMPLES):
            jacobians = stack.jacobians(inputs[:, run, sample])
            for matrix in jacobians:  # no layer reads those above it
                for row in range(layers):
                    assert not matrix[(row + 1) * n :, : (row + 1) * n].any()
            for mode, piece in zip(found, (jacobians[: len(inputs) // 2], jacobians[len(inputs) // 2 :]), strict=True):
                whole, _ = rates(piece, torch.block_diag(*[each] * layers))
                found[mode].append(whole[transient:].mean(0))
        for mode, of_samples in found.items():
            whole = torch.stack(of_samples).mean(0).numpy()
            for number, part in enumerate(reversed(parts(subject.cell))):
                mine = table_of(tables[run]["lyapunov"], part, mode)
                np.testing.assert_allclose(mine, whole[number * n : (number + 1) * n], rtol=0, atol=1e-9)


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("name", STACKS)
def test_another_frame_of_the_whole_finds_the_union(name: str) -> None:
    """In any frame all exponents add up to the determinant, and those above the widest gap to the same in the long run.

    Directions of different layers are not at right angles; the logarithm of such an angle, some 1, is shared by 300
    steps.
    """
    subject, transient, steps = network_of(TASK, STACKS[name], seed=2), 100, 300
    probe = Lyapunov(samples=1, transient=transient, steps=steps, exponents=99)
    table = probe.tables_of(subject)[0]["lyapunov"]
    stack = Stack(subject, 0)
    inputs = driven_and_free(subject, 1, transient + steps)[: transient + steps]
    n = stack.size * subject.cell.layers
    frame = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(7)))[0]
    whole, _ = rates(stack.jacobians(inputs[:, 0, 0]), frame)
    expected = np.sort(whole[transient:].mean(0).numpy())[::-1]
    mine = np.sort(np.concatenate([table_of(table, part, "driven") for part in parts(subject.cell)]))[::-1]
    assert mine.sum() == pytest.approx(expected.sum(), abs=1e-9)
    got, wanted, tolerance = sums_above_the_widest_gap(mine, expected, transient)
    assert got == pytest.approx(wanted, abs=tolerance + 1 / steps)


@pytest.mark.parametrize("name", BOTH)
def test_exponents_of_a_bidirectional_network(name: str) -> None:
    """Each part's rates are those of the products of its own Jacobians along what it reads; nothing runs free."""
    subject, transient, steps = network_of(TASK, BOTH[name]), 3, 9
    table = Lyapunov(samples=SAMPLES, transient=transient, steps=steps, exponents=3).tables_of(subject)[0]["lyapunov"]
    assert set(table["mode"]) == {"driven"}
    inputs = stream(subject, SAMPLES, transient + steps)
    n, number = sum(subject.cell.state_sizes()), min(3, sum(subject.cell.state_sizes()))
    random = torch.randn(n, number, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for part, along in plain(subject, 0, inputs).items():
        by_sample = []
        for sample in range(SAMPLES):
            matrices = [of_part(subject.cell, along, sample, s) for s in range(len(inputs))]
            by_sample.append(rates(matrices, torch.linalg.qr(random)[0])[0][transient:].mean(0))
        expected = torch.stack(by_sample).mean(0).numpy()
        np.testing.assert_allclose(table_of(table, part, "driven"), expected, rtol=0, atol=1e-9)


def test_layers_above_read_what_those_below_do_when_they_run_free() -> None:
    """A linear first layer that forgets at once: with zero input the second reads zeros from the first free step on."""
    cell = replace(STACKS["rnn-2"], activation="identity")
    subject = network_of(Noise(features=2), cell)
    params = {name: torch.zeros_like(p) if name in ("W", "b") else p for name, p in subject.params.items()}
    still = Subject(subject.task, cell, params, subject.seeds)
    second = still.parts()[1]
    x = stream(still, 2, 6)
    read = second.driven(torch.cat([x, torch.zeros_like(x)]))
    assert read[:6].abs().min() > 0
    assert not read[6:].any()
