"""Train the LSTM of 1997 by the equations of its paper's appendix, apart from lrd, where lrd's runs disagree with it.

    python experiments/papers/hochreiter1997_by_the_appendix.py embedded_reber --rate 0.5 --each-step
    python experiments/papers/hochreiter1997_by_the_appendix.py noise_free --cells-from 5000 --sequences 40000

In float64, with tasks of its own, forward in time alone (Hochreiter & Schmidhuber 1997, appendix A.1, equations 6 to
9, 19, and 21 to 28; outputs see the cells of the same step, as section 5 has it). It needs numpy and numba, and prints
a line for each seed: after how many sequences the criterion was met, or what was reached.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit

Array = Any
#: Reber's grammar: from each state the symbols that may follow, and where they lead.
GRAMMAR = ({"T": 1, "P": 2}, {"S": 1, "X": 3}, {"T": 2, "V": 4}, {"X": 2, "S": 5}, {"P": 3, "V": 5})
SYMBOLS = "BTPSXVE"


class Wiring(NamedTuple):
    """What a net has besides its weights.

    g reaches from -span_g to span_g, and h from -span_h to span_h: the paper's text has 2 and 1, the caption of its
    table 10 has 1 and 2.
    """

    blocks: int
    size: int  # cells of a block
    gated: bool = True  # output gates
    recurrent: bool = True
    biased: int = 2  # hidden units: 0 none, 1 gates, 2 all
    sees_inputs: bool = False  # the outputs, beside the cells
    output_biased: bool = False
    logistic_g: bool = False
    plain_h: bool = False
    span_g: float = 2.0
    span_h: float = 1.0


@njit
def _logistic(a):
    return 1 / (1 + np.exp(-a))


@njit
def _present(x, targets, scored, hidden, output, wiring, rate, each_step, cells_on, outputs):
    """Show a sequence to a net, write its outputs, and change its weights at the rate, if there is one."""
    blocks, size, gated, span_g, span_h = wiring.blocks, wiring.size, wiring.gated, wiring.span_g, wiring.span_h
    cells, gates, inputs = blocks * size, blocks * (1 + gated), x.shape[1]
    rows = gates + cells
    y, s = np.zeros(rows), np.zeros(cells)
    seen, shown = np.zeros(inputs + rows + 1), np.zeros(cells + inputs + 1)
    by_gate, by_cell = np.zeros((cells, len(seen))), np.zeros((cells, len(seen)))  # ds/dw, equations 25 and 27
    add_hidden, add_output = np.zeros_like(hidden), np.zeros_like(output)
    for t in range(len(x)):
        seen[:inputs], seen[-1] = x[t], 1
        if wiring.recurrent:
            seen[inputs:-1] = y
        there = np.flatnonzero(seen[:-1])
        net = np.zeros(rows)
        for row in range(rows):
            for m in there:
                net[row] += hidden[row, m] * seen[m]
            if wiring.biased == 2 or (wiring.biased == 1 and row < gates):
                net[row] += hidden[row, -1]
        y = _logistic(net)
        h, slope_h = np.zeros(cells), np.zeros(cells)
        for v in range(cells):
            j, squashed = v // size, y[gates + v]
            g = squashed if wiring.logistic_g else span_g * (2 * squashed - 1)
            slope_g = squashed * (1 - squashed) * (1 if wiring.logistic_g else 2 * span_g)
            by_gate[v] += g * y[j] * (1 - y[j]) * seen
            by_cell[v] += slope_g * y[j] * seen
            s[v] += y[j] * g
            h[v] = s[v] if wiring.plain_h else span_h * (2 * _logistic(s[v]) - 1)
            slope_h[v] = 1 if wiring.plain_h else (span_h - h[v] ** 2 / span_h) / 2
            y[gates + v] = h[v] * (y[blocks + j] if gated else 1.0)
            shown[v] = y[gates + v] if cells_on else 0
        if wiring.sees_inputs:
            shown[cells:-1] = x[t]
        shown[-1] = 1 if wiring.output_biased else 0
        visible = np.flatnonzero(shown)
        e = np.zeros(len(output))
        for k in range(len(output)):
            total = 0.0
            for m in visible:
                total += output[k, m] * shown[m]
            outputs[t, k] = _logistic(total)
            e[k] = outputs[t, k] * (1 - outputs[t, k]) * (targets[t, k] - outputs[t, k])  # (19)
        if rate == 0 or not scored[t]:
            continue
        if cells_on:
            for v in range(cells):
                j, arrived = v // size, (e * output[:, v]).sum()
                e_s = (y[blocks + j] if gated else 1.0) * slope_h[v] * arrived  # (23)
                add_hidden[j] += e_s * by_gate[v]  # (24), (26)
                add_hidden[gates + v] += e_s * by_cell[v]  # (24), (28)
                if gated:
                    out = y[blocks + j]
                    add_hidden[blocks + j] += out * (1 - out) * h[v] * arrived * seen  # (21), (22)
        for m in visible:
            add_output[:, m] += e * shown[m]  # (22)
        if each_step:
            hidden += rate * add_hidden
            output += rate * add_output
            add_hidden[:], add_output[:] = 0, 0
    hidden += rate * add_hidden
    output += rate * add_output


@dataclass
class Net:
    """Weights of a net, [rows, what they see], and its wiring."""

    hidden: Array
    output: Array
    wiring: Wiring

    def present(
        self, x: Array, targets: Array, scored: Array, rate: float = 0.0, each_step: bool = False, cells_on: bool = True
    ) -> Array:
        """Return the outputs [steps, outputs] of a sequence, and learn from it at a rate above 0."""
        outputs = np.zeros_like(targets)
        _present(x, targets, scored, self.hidden, self.output, self.wiring, rate, each_step, cells_on, outputs)
        return outputs


def drawn_net(random: np.random.Generator, inputs: int, outputs: int, wiring: Wiring, span: float) -> Net:
    """Draw a net whose weights are uniform in +- span."""
    cells = wiring.blocks * wiring.size
    rows = cells + wiring.blocks * (1 + wiring.gated)
    hidden = random.uniform(-span, span, (rows, inputs + rows + 1))
    return Net(hidden, random.uniform(-span, span, (outputs, cells + inputs + 1)), wiring)


@dataclass
class Experiment:
    """A net, its sequences (x, targets, which steps count), and the share of what its criterion asks for."""

    net: Net
    sequences: Iterator[tuple[Array, Array, Array]]
    right: Callable[[Array, Array], bool]  # of outputs and targets
    reached: Callable[[Net, list[bool]], float]  # asked every 100 sequences, with whether each one was right; 1: solved


def _of_last_2000(_: Net, right: list[bool]) -> float:
    return sum(right[-2000:]) / 2000


def _string(random: np.random.Generator) -> tuple[str, list[str]]:
    """Return an embedded Reber string, and what may follow each of its symbols but the last."""
    z, state, inner, legal = "TP"[random.integers(2)], 0, "B", ["TP", "B"]
    while state != 5:
        legal.append("".join(GRAMMAR[state]))
        symbol, state = list(GRAMMAR[state].items())[random.integers(2)]
        inner += symbol
    return f"B{z}{inner}E{z}E", [*legal, "E", z, "E"]


def _one_hot(indices: Array, size: int) -> Array:
    return np.eye(size)[indices]


def embedded_reber(random: np.random.Generator, given: argparse.Namespace) -> Experiment:
    """Experiment 1: 256 strings to train on, and 256 others that must be right, too; ``--cells`` 3 blocks of 2 or 4."""
    blocks, size = (3, 2) if given.cells == 6 else (4, 1)
    own = drawn_net(random, 7, 7, Wiring(blocks, size, biased=1), 0.2)
    own.hidden[blocks : 2 * blocks, -1] = -1.0 - np.arange(blocks)

    def coded(string: str, legal: list[str]) -> tuple[Array, Array, Array]:
        number = np.array([SYMBOLS.index(symbol) for symbol in string])
        may = np.array([[symbol in each for symbol in SYMBOLS] for each in legal])
        return _one_hot(number[:-1], 7), _one_hot(number[1:], 7), may

    strings = [_string(random) for _ in range(256)]
    known, others = {string for string, _ in strings}, []
    while len(others) < 256:
        string, legal = _string(random)
        if string not in known:
            others.append(coded(string, legal))
    training = [coded(*each) for each in strings]

    def right_strings(own: Net, _: list[bool]) -> float:
        right = 0
        for x, targets, may in (*others, *training):
            outputs = own.present(x, targets, np.ones(len(x)))
            right += bool((np.where(may, outputs, 9.0).min(1) > np.where(may, -9.0, outputs).max(1)).all())
        return right / 512

    def drawn() -> Iterator[tuple[Array, Array, Array]]:
        while True:
            x, targets, _ = training[random.integers(256)]
            yield x, targets, np.ones(len(x))

    return Experiment(own, drawn(), lambda *_: True, right_strings)


def adding(random: np.random.Generator, given: argparse.Namespace) -> Experiment:
    """Experiment 4 at T = 100: the last 2,000 sequences within 0.04. The mean error is below 0.01 long before."""
    own = drawn_net(random, 2, 1, Wiring(2, 2, output_biased=True), 0.1)
    own.hidden[:2, -1] = -3.0, -6.0

    def drawn() -> Iterator[tuple[Array, Array, Array]]:
        while True:
            length = 100 + int(random.integers(11))
            x, targets, scored = np.zeros((length, 2)), np.zeros((length, 1)), np.zeros(length)
            x[:, 0] = random.uniform(-1, 1, length)
            one = other = int(random.integers(10))
            while other == one:
                other = int(random.integers(49))
            numbers = [x[place, 0] * (place > 0 or given.keep_first) for place in (one, other)]
            x[[0, -1], 1] = -1
            x[[place for place in (one, other) if place > 0 or given.keep_first], 1] = 1
            targets[-1], scored[-1] = 0.5 + sum(numbers) / 4, 1
            yield x, targets, scored

    return Experiment(own, drawn(), lambda outputs, targets: abs(outputs - targets)[-1, 0] < 0.04, _of_last_2000)


def long_lag(random: np.random.Generator, given: argparse.Namespace) -> Experiment:
    """Experiments 2a and 2b at p = 100: the last 2,000 sequences within 0.25, at every step and at the last one."""
    one_cell = Wiring(1, 1, gated=False, recurrent=False, biased=0, sees_inputs=True, logistic_g=True, plain_h=True)
    own = drawn_net(random, 101, 101, one_cell, 0.2)
    fixed = given.experiment == "noise_free"

    def drawn() -> Iterator[tuple[Array, Array, Array]]:
        while True:
            middle = np.arange(99) if fixed else random.integers(99, size=99)
            ends = 99 + random.integers(2)
            symbols = np.array([ends, *middle, ends])
            yield _one_hot(symbols[:-1], 101), _one_hot(symbols[1:], 101), np.ones(100)

    def right(outputs: Array, targets: Array) -> bool:
        errors = abs(outputs - targets).max(1)
        return bool((errors if fixed else errors[-1:]).max() < 0.25)

    return Experiment(own, drawn(), right, _of_last_2000)


EXPERIMENTS = {"embedded_reber": embedded_reber, "adding": adding, "noise_free": long_lag, "random_middle": long_lag}
RATES = {"embedded_reber": 0.5, "adding": 0.5, "noise_free": 1.0, "random_middle": 1.0}


def train(seed: int, given: argparse.Namespace) -> str:
    """Train one net, and say in a line what came of it."""
    made = EXPERIMENTS[given.experiment](np.random.default_rng(seed), given)
    if given.table_ranges:
        made.net.wiring = made.net.wiring._replace(span_g=1.0, span_h=2.0)
    rate, reached, right = given.rate or RATES[given.experiment], 0.0, []
    for number, (x, targets, scored) in zip(range(1, given.sequences + 1), made.sequences, strict=False):
        cells_on = number > given.cells_from
        outputs = made.net.present(x, targets, scored, rate, given.each_step, cells_on)
        right.append(cells_on and made.right(outputs, targets))
        if number % 100 == 0 and cells_on:
            reached = made.reached(made.net, right)
            if reached == 1:
                return f"seed {seed}: solved after {number} sequences"
    return f"seed {seed}: not solved; {reached:.4f} right, largest error {abs(outputs - targets)[scored > 0].max():.2f}"


def main() -> None:
    """Train the seeds that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--seeds", type=int, default=4, help="how many nets")
    parser.add_argument("--sequences", type=int, default=60000)
    parser.add_argument("--rate", type=float, help="default: the paper's (embedded_reber: 0.5)")
    parser.add_argument("--cells", type=int, choices=(4, 6), default=6, help="of embedded_reber: 276 or 264 weights")
    parser.add_argument("--each-step", action="store_true", help="change weights after each step, not each sequence")
    parser.add_argument("--cells-from", type=int, default=0, help="add the cells after so many sequences")
    parser.add_argument("--table-ranges", action="store_true", help="g and h as the caption of table 10 has them")
    parser.add_argument("--keep-first", action="store_true", help="of adding: a marked first pair counts, as in lrd")
    given = parser.parse_args()
    if given.sequences < 1:
        parser.error(f"--sequences: must be at least 1, got {given.sequences}")
    for seed in range(given.seeds):
        print(train(seed, given), flush=True)


if __name__ == "__main__":
    main()
