"""Tasks and cells that the tests of several probes need, and what Jacobians are by plain autograd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.autograd.functional import jacobian

from lrd.cells import Cell, Parameters, State
from lrd.options import option
from lrd.probes.base import Probe, Subject
from lrd.shapes import Tensor
from lrd.tasks import Batch, Task


@dataclass(frozen=True)
class Noise(Task):
    """White noise of standard deviation ``noise``; its answer stands at the last of ``gap`` + 1 steps."""

    gap: int = option(10, "the only lag", ge=1)
    features: int = option(1, "features of x_t")
    noise: float = option(1.0, "standard deviation of the inputs")

    name, classification, criterion = "noise", False, "none"
    output_size = answers = 1

    @property
    def sequence_length(self) -> int:
        return self.gap + 1

    @property
    def input_size(self) -> int:
        return self.features

    @property
    def smallest_lag(self) -> int:
        return self.gap

    largest_lag = smallest_lag

    @property
    def loss_steps(self) -> range:
        return range(self.gap, self.gap + 1)

    def draw(self, stream: object, batch_size: int) -> Batch:
        inputs = stream.normal(self.sequence_length, batch_size, self.features).transpose(0, 1) * self.noise
        return Batch(inputs, torch.zeros(1, len(stream.seeds), batch_size, 1))

    def metrics(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.loss(outputs, batch)}

    def chance(self) -> dict[str, float]:
        return {"loss": 0.0}

    def solved(self, metrics: Mapping[str, Tensor]) -> Tensor:
        return metrics["loss"] < 0


SILENCE = Noise(noise=0.0)


@dataclass(frozen=True)
class LeakyRNN(Cell):
    """h_t = (1 - a) h_{t-1} + a tanh(U x_t + W h_{t-1} + b)."""

    name = "leaky"
    state_names = ("h",)
    leak: float = option(0.3, "the rate a", gt=0, le=1)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        raise NotImplementedError

    def step(self, p: Parameters, x: Tensor, state: State) -> State:
        (h,) = state
        return ((1 - self.leak) * h + self.leak * torch.tanh(p["U"] @ x + p["W"] @ h + p["b"]),)


@dataclass(frozen=True)
class Traced(Cell):
    """An RNN that sees a slow trace m of its past; m is one entry longer than h."""

    name = "traced"
    state_names = ("h", "m")

    def state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size, self.hidden_size + 1)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        raise NotImplementedError

    def step(self, p: Parameters, x: Tensor, state: State) -> State:
        h, m = state
        trace = 0.9 * m + 0.1 * torch.cat([h, x.sum(0, keepdim=True)])
        return torch.tanh(p["U"] @ x + p["W"] @ h + p["b"] + m[1:]), trace


@dataclass(frozen=True)
class FreshGaussian(Cell):
    """h_t = g X_t h_{t-1} / sqrt N: its matrix is its input, and so a fresh one at every step."""

    name = "fresh"
    state_names = ("h",)
    gain: float = option(1.0, "g")

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        return {}

    def step(self, p: Parameters, x: Tensor, state: State) -> State:
        n = self.hidden_size
        return (self.gain / n**0.5 * (x.view(n, n) @ state[0]),)


def still(w: Tensor, bias: Tensor | float = 0.0) -> Parameters:
    """Runs whose inputs go nowhere; ``w`` [runs, rows, hidden]."""
    b = torch.as_tensor(bias, dtype=torch.float64).expand(w.shape[:2])
    return {"U": w.new_zeros(*w.shape[:2], 1), "W": w.double(), "b": b.contiguous()}


def orthogonal(size: int, seed: int = 1) -> Tensor:
    """An orthogonal matrix [size, size], to rounding."""
    return torch.linalg.qr(torch.randn(size, size, dtype=torch.float64, generator=generator(seed)))[0]


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def subject(task: Task, cell: Cell, params: Parameters, runs: int | None = None) -> Subject:
    """The runs of a pack, with seeds 0, 1, ..."""
    runs = len(next(iter(params.values()))) if runs is None else runs
    return Subject(task, cell, params, torch.arange(runs))


def run_of(whole: Subject, run: int) -> Subject:
    """One run of a pack alone."""
    params = {name: value[run : run + 1] for name, value in whole.params.items()}
    return Subject(whole.task, whole.cell, params, whole.seeds[run : run + 1])


def permuted(params: Parameters, order: Tensor) -> Parameters:
    """The same network with its hidden units in another order; gates of an LSTM keep theirs."""
    n = len(order)
    rows = torch.cat([order + n * gate for gate in range(params["W"].shape[1] // n)])
    return {"U": params["U"][:, rows], "W": params["W"][:, rows][..., order], "b": params["b"][:, rows]}


def autograd_jacobian(cell: Cell, p: Parameters, xs: Tensor, state: State) -> Tensor:
    """d (state after the inputs ``xs`` [time, inputs]) / d (``state``) [S, S] of one sample of one run, in float64."""
    sizes = cell.state_sizes()

    def through(flat: Tensor) -> Tensor:
        now = flat.split(sizes)
        for x in xs:
            now = cell.step(p, x, now)
        return torch.cat(now)

    return jacobian(through, torch.cat(state))


def exponents_of(probe: Probe, cell: Cell, params: Parameters, task: Task = SILENCE) -> list[dict[str, np.ndarray]]:
    """What the probe ``lyapunov`` gives for each run, driven and free."""
    tables = probe.measure(subject(task, cell, params, len(next(iter(params.values())))))
    return [{mode: t["exponent"][t["mode"] == mode] for mode in ("driven", "free")} for t in tables]
