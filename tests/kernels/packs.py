"""Packs of any cell, and what a kernel makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from helpers import EPS32, EPS64, random_like

from lrd.cells import Cell, Parameters, State
from lrd.kernels import KERNELS
from lrd.shapes import Tensor

# Time, runs, batch, inputs, hidden: some of everything, one of everything, products with vectors, sizes of real runs.
SHAPES = [(7, 3, 5, 2, 4), (1, 3, 1, 1, 1), (2, 3, 1, 3, 6), (3, 3, 5, 1, 4), (5, 3, 32, 10, 34)]


@dataclass
class Case:
    """A pack, and what the loss takes from its results."""

    cell: Cell
    params: Parameters
    inputs: Tensor
    state: State | None
    first: int
    on_h: Tensor
    on_state: State

    def results(self, kernel: str, runs: slice = slice(None)) -> dict[str, Tensor]:
        """Of some runs: outputs [runs, ...], last state, and gradients of a random linear function of both."""
        params = {name: p[runs].clone().requires_grad_() for name, p in self.params.items()}
        state = None if self.state is None else tuple(s[runs].clone().requires_grad_() for s in self.state)
        x = self.inputs[:, runs].transpose(0, 1).clone().requires_grad_()  # run-major
        h, last = KERNELS[kernel].scan(self.cell, params, x.transpose(0, 1), state, self.first)
        loss = (h * self.on_h[:, runs]).sum()
        loss = loss + sum((s * c[runs]).sum() for s, c in zip(last, self.on_state, strict=True))
        leaves = params | {f"into {i}": s for i, s in enumerate(state or ())} | {"x": x}
        grads = torch.autograd.grad(loss, leaves.values(), allow_unused=True, materialize_grads=True)
        found = {"h": h.transpose(0, 1)} | {f"last {i}": s for i, s in enumerate(last)}
        return {name: v.detach() for name, v in found.items()} | dict(
            zip((f"d {name}" for name in leaves), grads, strict=True)
        )


def case(kind: Cell, shape: tuple[int, ...], dtype: torch.dtype, first: int | None = None, zero: bool = False) -> Case:
    time, runs, batch, inputs, hidden = shape
    size = getattr(kind, "block_size", 1)
    options = {name: value for name, value in vars(kind).items() if name != "hidden_size"}
    cell = type(kind)(**options, hidden_size=-(-hidden // size) * size)
    g = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=g, dtype=dtype)

    first = time // 2 if first is None else first
    params = random_like(cell, inputs, runs, outputs=2, dtype=dtype)  # a kernel is handed the readout's too
    state, on_state = (tuple(normal(runs, batch, size) for size in cell.state_sizes()) for _ in range(2))
    on_h = normal(time - first, runs, batch, cell.hidden_size)
    return Case(cell, params, normal(time, runs, batch, inputs), None if zero else state, first, on_h, on_state)


def assert_same_to_rounding(got: dict[str, Tensor], expected: dict[str, Tensor], made: Case) -> None:
    """Each value is a sum of at most (steps * batch + hidden + inputs) products, rounded once each; the largest entry
    of a tensor stands for the size of its terms, and 50 for how much an error can grow along these few steps."""
    time, _, batch, inputs = made.inputs.shape
    eps = EPS64 if made.inputs.dtype == torch.float64 else EPS32
    terms = time * batch + inputs + 3 * made.cell.hidden_size + 10
    assert got.keys() == expected.keys()
    for what, value in expected.items():
        size = max(1.0, float(value.abs().max())) if value.numel() else 1.0
        torch.testing.assert_close(
            got[what], value, rtol=0, atol=50 * eps * terms * size, msg=lambda m, w=what: f"{w}: {m}"
        )


def assert_no_companion_matters(kernel: str, made: Case) -> None:
    """Each run alone gives what it gives in the pack, bit for bit."""
    together = made.results(kernel)
    for run in range(made.inputs.shape[1]):
        for what, value in made.results(kernel, slice(run, run + 1)).items():
            assert torch.equal(value[0], together[what][run]), what
