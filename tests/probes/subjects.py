"""What the tests of gates, retention and memory capacity share: subjects, a cell of one's own, states the plain way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from helpers import loop_of_cells, one, random_parameters

from lrd.cells import LSTM, RNN, Cell, Parameters, State, readout_parameters
from lrd.options import option
from lrd.probes.base import Columns, Probe, Subject
from lrd.probes.retention import Retention
from lrd.probes.ridge import STRENGTHS
from lrd.shapes import Float, Tensor
from lrd.tasks import Adding, Batch, Copy, Delay, Task

SEEDS = torch.tensor([3, 4, 9])
TASKS = {
    **{f"copy-{c}": Copy(gap=4, items=3, symbols=3, convention=c) for c in ("arjovsky2016", "bai2018", "gu2020")},
    **{f"adding-{c}": Adding(gap=12, convention=c) for c in ("arjovsky2016", "bai2018")},
    **{f"adding-{c}": Adding(gap=30, convention=c) for c in ("hochreiter1997", "pascanu2013")},
    "delay-echo": Delay(gap=5, tokens=3, alphabet=4),
    "delay-gu2022": Delay(gap=3, convention="gu2022"),
    "delay-voelker2019": Delay(gap=21, convention="voelker2019"),
}


@dataclass(frozen=True)
class Leaky(Cell):
    """A cell that lrd knows nothing of: a trace m behind one gate, and h, which sees it and has a size of its own."""

    name = "leaky"
    state_names = ("h", "m")
    keeps = {"m": "keep"}

    def state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size, self.hidden_size + 1)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        n = self.hidden_size
        shapes = {"K": (n + 1, input_size + n), "M": (n + 1, input_size), "H": (n, n + 1)}
        return {name: torch.randn(s, generator=generator) / s[1] ** 0.5 for name, s in shapes.items()}

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        k = self.gates(p, x, state)["keep"]
        m = k * state[1] + (1 - k) * torch.tanh(p["M"] @ x)
        return torch.tanh(p["H"] @ m), m

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        return {"keep": torch.sigmoid(p["K"] @ torch.cat([x, state[0]]))}


CELLS = {"rnn": RNN(hidden_size=4), "lstm": LSTM(hidden_size=4), "leaky": Leaky(hidden_size=4)}


def parameters_of(cell: Cell, task: Task, runs: int = len(SEEDS), seed: int = 5, **how: float) -> Parameters:
    if not isinstance(cell, Leaky):
        return random_parameters(cell, task.input_size, runs, task.output_size, seed=seed, dtype=torch.float32, **how)
    generator = torch.Generator().manual_seed(seed)
    each = [cell.parameters(task.input_size, generator) for _ in range(runs)]
    each = [p | readout_parameters(cell, task.output_size, generator) for p in each]
    return {name: torch.stack([p[name] for p in each]) for name in each[0]}


def subject_of(task: Task, cell: Cell, params: Parameters | None = None) -> Subject:
    params = parameters_of(cell, task) if params is None else params
    return Subject(task, cell, params, SEEDS[: len(next(iter(params.values())))])


def linear(w: Tensor, u: Tensor) -> tuple[RNN, Parameters]:
    """One run of h_t = W h_{t-1} + U x_t."""
    return RNN(hidden_size=len(w), activation="identity"), {"W": w[None], "U": u[None], "b": torch.zeros(1, len(w))}


def rows(table: Columns, item: str, variable: str = "h") -> Columns:
    mine = (table["item"] == item) & (table["variable"] == variable)
    return {name: column[mine] for name, column in table.items()}


def retention(task: Task, cell: Cell, params: Parameters, **options: float) -> Columns:
    return Retention(**{"stride": 1, **options}).measure(subject_of(task, cell, params))[0]


@dataclass(frozen=True)
class First(Task):
    """A normal number at each of ``gap`` steps; the first one is asked for at the end."""

    gap: int = option(8, "steps", ge=1)
    noise: float = option(1.0, "standard deviation of all later numbers")
    name, classification, criterion = "first", False, "none"
    answers = input_size = output_size = 1

    @property
    def sequence_length(self) -> int:
        return self.gap

    @property
    def smallest_lag(self) -> int:
        return self.gap - 1

    largest_lag = smallest_lag

    @property
    def loss_steps(self) -> range:
        return range(self.gap - 1, self.gap)

    def draw(self, stream: object, batch_size: int) -> Batch:
        values = stream.normal(self.gap, batch_size, 1).transpose(0, 1)
        values[1:] *= self.noise
        return Batch(values, values[:1].clone())

    def metrics(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.loss(outputs, batch)}

    def chance(self) -> dict[str, float]:
        return {"loss": 1.0}

    def solved(self, metrics: Mapping[str, Tensor]) -> Tensor:
        return metrics["loss"] < 0


def plain_states(cell: Cell, params: Parameters, run: int, inputs: Tensor) -> dict[str, np.ndarray]:
    """[time, batch, size] of one run; ``inputs`` [time, batch, inputs]."""
    p, x = {name: v.double() for name, v in one(params, run).items()}, inputs.double()
    steps = leaky_steps(p, x) if isinstance(cell, Leaky) else loop_of_cells(cell, p, x)
    return {name: np.stack([s[v].numpy() for s in steps]) for v, name in enumerate(cell.state_names)}


def leaky_steps(p: Parameters, x: Tensor) -> list[State]:
    h, m, states = x.new_zeros(x.shape[1], len(p["H"])), x.new_zeros(x.shape[1], len(p["M"])), []
    for now in x:
        k = 1 / (1 + torch.exp(-(torch.cat([now, h], 1) @ p["K"].T)))
        m = k * m + (1 - k) * torch.tanh(now @ p["M"].T)
        h = torch.tanh(m @ p["H"].T)
        states.append((h, m))
    return states


def plain_gates(cell: Cell, params: Parameters, run: int, inputs: Tensor) -> dict[str, np.ndarray]:
    """[time, batch, units] of one run."""
    p, states = one(params, run), plain_states(cell, params, run, inputs)
    h = np.concatenate([np.zeros_like(states["h"][:1]), states["h"][:-1]])
    x, p = inputs.double().numpy(), {name: v.double().numpy() for name, v in p.items()}
    if isinstance(cell, Leaky):
        return {"keep": 1 / (1 + np.exp(-(np.concatenate([x, h], -1) @ p["K"].T)))}
    i, f, _, o = np.split(1 / (1 + np.exp(-(x @ p["U"].T + h @ p["W"].T + p["b"]))), 4, axis=-1)
    return {"input": i, "forget": f, "output": o}


def plain_fits(x: np.ndarray, y: np.ndarray, strengths: Sequence[float]) -> list[tuple[float, np.ndarray]]:
    """Score of generalised cross-validation and weights of the ridge readouts of several strengths.

    By the directions of the samples, so that it holds where there are fewer of them than units.
    """
    n, tried = len(x), []
    xs, ys = x - x.mean(0), y - y.mean(0)
    directions, singular, _ = np.linalg.svd(xs)
    variances = np.append(singular**2, np.zeros(n))[:n] / n
    for s in strengths:
        left = s / (variances + s)  # what the fit leaves in each direction, one of which is the constant's
        weights = np.linalg.inv(xs.T @ xs / n + s * np.eye(x.shape[1])) @ xs.T @ ys / n
        tried.append((np.square(left[:, None] * (directions.T @ ys)).sum() / (left.sum() - 1) ** 2, weights))
    return tried


def plain_fit(x: np.ndarray, y: np.ndarray, strength: float | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights and means of a ridge readout; None: the strength by cross-validation, the largest of equals."""
    tried = plain_fits(x, y, STRENGTHS if strength is None else (strength,))
    least = min(score for score, _ in tried)
    return [weights for score, weights in tried if score <= least * (1 + 1e-9)][-1], x.mean(0), y.mean(0)


def permuted(cell: RNN | LSTM, params: Parameters, order: list[int]) -> Parameters:
    """The same network with its units in another order."""
    n = cell.hidden_size
    rows = torch.cat([torch.tensor(order) + n * gate for gate in range(len(params["b"][0]) // n)])
    moved = {"U": params["U"][:, rows], "W": params["W"][:, rows][..., order], "b": params["b"][:, rows]}
    return params | moved | {"V": params["V"][..., order]}


def assert_no_companion_matters(probe: Probe, task: Task, cell: Cell) -> None:
    """Bit for bit: every run is measured by itself."""
    together = subject_of(task, cell)
    tables = probe.measure(together)
    assert len(tables) == len(SEEDS)
    for run in range(len(SEEDS)):
        only = slice(run, run + 1)
        alone = Subject(task, cell, {name: p[only] for name, p in together.params.items()}, SEEDS[only])
        assert_equal_tables(probe.measure(alone)[0], tables[run])
    first, second = (np.concatenate([v for v in t.values() if v.dtype == np.float64]) for t in tables[:2])
    assert len(first) == 0 or not np.array_equal(first, second, equal_nan=True)


def assert_equal_tables(mine: Columns, theirs: Columns) -> None:
    assert list(mine) == list(theirs)
    for name, column in mine.items():
        np.testing.assert_array_equal(column, theirs[name])


def assert_looking_changes_nothing(probe: Probe, task: Task, cell: Cell) -> None:
    params = {name: p.requires_grad_() for name, p in parameters_of(cell, task).items()}
    kept = {name: p.detach().clone() for name, p in params.items()}
    subject = subject_of(task, cell, params)
    first, second = probe.measure(subject), probe.measure(subject)
    assert all(torch.equal(params[name], kept[name]) and params[name].grad is None for name in kept)
    for mine, theirs in zip(first, second, strict=True):
        assert_equal_tables(mine, theirs)
        assert list(mine) == list(probe.columns)
        assert len({len(column) for column in mine.values()}) == 1
        kinds = {"VARCHAR": object, "BIGINT": np.int64, "DOUBLE": np.float64}
        assert {name: kinds[kind] for name, kind in probe.columns.items()} == {n: c.dtype for n, c in mine.items()}
