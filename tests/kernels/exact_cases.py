"""Packs of float64 numbers, what a kernel makes of them, and what autograd of a loop of cells does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from lrd.cells import GRU, LSTM, RNN, Cell, Parameters, State
from lrd.kernels import KERNELS, loop
from lrd.shapes import Tensor

CELLS = {
    "rnn-tanh": RNN(),
    "rnn-relu": RNN(activation="relu"),
    "rnn-sigmoid": RNN(activation="sigmoid"),
    "rnn-identity": RNN(activation="identity"),
    "lstm": LSTM(),
    "gru": GRU(),
}
Shape = tuple[int, int, int, int, int]  # time, runs, batch, inputs, hidden
EPS = 2.0**-24  # what one rounding of a float32 number changes, as a share of it


@dataclass
class Case:
    """A pack in float64, and what the loss takes from its results."""

    cell: Cell
    params: Parameters
    inputs: Tensor
    state: State
    first: int
    on_h: Tensor
    on_state: State

    def of_run(self, run: int) -> Case:
        only = slice(run, run + 1)
        return Case(
            self.cell,
            {name: p[only] for name, p in self.params.items()},
            self.inputs[:, only],
            tuple(s[only] for s in self.state),
            self.first,
            self.on_h[:, only],
            tuple(s[only] for s in self.on_state),
        )

    def results(self, kernel: str, dtype: torch.dtype, device: str = "cpu", **options: Any) -> dict[str, Tensor]:
        """Outputs, last state, and gradients of a random linear function of both; on the CPU, outputs run-major."""
        params = {name: p.to(device, dtype).requires_grad_() for name, p in self.params.items()}
        state = tuple(s.to(device, dtype).requires_grad_() for s in self.state)
        x = self.inputs.to(device, dtype).transpose(0, 1).clone().requires_grad_()  # run-major
        h, last = KERNELS[kernel].scan(self.cell, params, x.transpose(0, 1), state, self.first, **options)
        loss = (h * self.on_h.to(device, dtype)).sum()
        loss = loss + sum((s * on.to(device, dtype)).sum() for s, on in zip(last, self.on_state, strict=True))
        leaves = params | {f"into {v}": s for v, s in enumerate(state)} | {"x": x}
        grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
        found = {"h": h.transpose(0, 1)} | {f"last {v}": s for v, s in enumerate(last)}
        found |= {f"d {name}": grad for name, grad in zip(leaves, grads, strict=True)}
        return {name: value.detach().cpu() for name, value in found.items()}

    def norms(self) -> dict[str, Tensor]:
        """log10 of the norms of dL/d(variable) [time, runs, batch], by autograd of the loop in float64."""
        state = tuple(s.clone().requires_grad_() for s in self.state)
        states = loop.unroll(self.cell, self.params, self.inputs, state)
        kept = states[self.first :]
        loss = sum((h * on).sum() for (h, *_), on in zip(kept, self.on_h, strict=True))
        loss = loss + sum((s * on).sum() for s, on in zip(states[-1], self.on_state, strict=True))
        every = [s for state in states for s in state]
        grads = torch.autograd.grad(loss, every, allow_unused=True, materialize_grads=True)
        variables = len(self.state)
        return {
            name: torch.stack(grads[v::variables]).norm(dim=-1).log10() for v, name in enumerate(self.cell.state_names)
        }


def case(kind: Cell, shape: Shape, first: int | None = None, seed: int = 0) -> Case:
    """Normal numbers; parameters near 1/sqrt(fan-in), so that states neither blow up nor forget at once.

    Memory cell blocks are filled: there are as many cells as the next whole number of blocks has.
    """
    time, runs, batch, inputs, hidden = shape
    size = getattr(kind, "block_size", 1)
    hidden = -(-hidden // size) * size
    options = {name: value for name, value in vars(kind).items() if name != "hidden_size"}
    cell = type(kind)(**options, hidden_size=hidden)
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, dtype=torch.float64)

    first = time // 2 if first is None else first
    params = {name: normal(runs, *p.shape) for name, p in cell.parameters(inputs, torch.Generator()).items()}
    params = {name: 0.8 * p / p.shape[-1] ** 0.5 if p.ndim == 3 else 0.3 * p for name, p in params.items()}
    state, on_state = (tuple(normal(runs, batch, size) for size in cell.state_sizes()) for _ in range(2))
    inputs_drawn, on_h = normal(time, runs, batch, inputs), normal(time - first, runs, batch, hidden)
    made = Case(cell, params, inputs_drawn, state, first, on_h, on_state)
    # float32 numbers, so that nothing differs but the arithmetic.
    for tensor in (*params.values(), made.inputs, *state, made.on_h, *on_state):
        tensor.copy_(tensor.float())
    return made


def error(got: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The largest error of any value, over the largest entry of its tensor: a normal float32 number at least, since
    those below 2^-126 have fewer digits."""
    assert got.keys() == expected.keys()
    errors = [0.0]
    for name, value in expected.items():
        assert got[name].shape == value.shape, name
        if value.numel():
            errors.append(float((got[name] - value).abs().max() / value.abs().max().clamp(min=2.0**-126)))
    return max(errors, key=lambda e: (e != e, e))


def allowed(made: Case) -> float:
    """How far sums of products may lie from float64's: each entry is a sum of at most so many rounded terms, and over
    these few steps an error may grow twentyfold; ``case`` draws weights that neither shrink nor blow up states."""
    time, _, batch, inputs = made.inputs.shape
    return 20 * EPS * (made.cell.hidden_size + inputs + time * batch) ** 0.5 * max(8, time)


def assert_norms_near(got: dict[str, Tensor], expected: dict[str, Tensor], time: int, least_slope: float = 1.0) -> None:
    """Relative errors of each step's factor add up, a few roundings of ten terms a step; log10 e is below 1/2.

    A slope made of a stored activation, such as 1 - h^2, has an error of one rounding of 1.
    """
    assert got.keys() == expected.keys()
    for variable, value in expected.items():
        torch.testing.assert_close(got[variable], value, rtol=0, atol=80 * time * EPS / least_slope)


def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers begin as nan, or as the least integer: what a program leaves out shows."""

    def poisoned(empty: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def made(*args: Any, **options: Any) -> Tensor:
            buffer = empty(*args, **options)
            return buffer.fill_(torch.nan if buffer.is_floating_point() else torch.iinfo(buffer.dtype).min)

        return made

    monkeypatch.setattr(torch, "empty", poisoned(torch.empty))
    monkeypatch.setattr(torch.Tensor, "new_empty", poisoned(torch.Tensor.new_empty))
