"""What kernels give for packs of any cell, drawn by the cell itself, and what they give for each run alone."""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import Cell, Parameters, State, prepared
from lrd.kernels import KERNELS, choose_kernel
from lrd.shapes import Tensor

#: Time, runs, batch, inputs, hidden: one of everything among them, and sizes of real runs, where matrix products with a
#: vector on one side go other ways in the libraries than those of matrices.
SHAPES = [(7, 5, 3, 2, 5), (1, 3, 3, 1, 5), (2, 3, 1, 3, 1), (20, 3, 32, 1, 32), (9, 3, 1, 2, 64), (5, 3, 20, 2, 64)]


def drawn(cell: Cell, inputs: int, runs: int, dtype: Any = torch.float64) -> Parameters:
    """Parameters [runs, ...] of a cell, before it prepares them; run r from the seed r."""
    each = [cell.parameters(inputs, torch.Generator().manual_seed(run)) for run in range(runs)]
    return {name: torch.stack([p[name] for p in each]).to(dtype) for name in each[0]}


def noise(*shape: int, dtype: Any = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def scanned(
    cell: Cell,
    params: Parameters,
    inputs: Tensor,
    first: int = 0,
    kernel: str | None = None,
    state: State | None = None,
) -> dict[str, Tensor]:
    """Outputs, last state, and gradients of a random linear function of both, the same for every run."""
    leaves = {name: p.detach().clone().requires_grad_() for name, p in params.items()}
    before = None if state is None else tuple(s.detach().clone().requires_grad_() for s in state)
    precision = "float64" if inputs.dtype == torch.float64 else "float32"
    scan = KERNELS[choose_kernel(cell, precision=precision) if kernel is None else kernel].scan
    outputs, last = scan(cell.stepped, prepared(cell, leaves), inputs, before, first)
    loss = (outputs * noise(len(outputs), 1, *outputs.shape[2:], dtype=outputs.dtype, seed=1)).sum()
    loss = loss + sum((s * noise(1, *s.shape[1:], dtype=s.dtype, seed=2)).sum() for s in last)
    leaves |= {f"into {v}": s for v, s in enumerate(before or ())}
    grads = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    results = {"outputs": outputs.detach()} | {f"last {v}": s.detach() for v, s in enumerate(last)}
    return results | {f"d{name}": grad for name, grad in zip(leaves, grads, strict=True)}


def assert_no_companion_matters(cell: Cell, shape: tuple[int, int, int, int]) -> None:
    """Bit for bit, in float32; ``shape``: time, runs, batch, inputs."""
    time, runs, batch, inputs = shape
    params, x = drawn(cell, inputs, runs, torch.float32), noise(time, runs, batch, inputs, dtype=torch.float32)
    together = scanned(cell, params, x, time // 2)
    for run in range(runs):
        only = slice(run, run + 1)
        alone = scanned(cell, {name: p[only] for name, p in params.items()}, x[:, only].clone(), time // 2)
        for what, value in alone.items():
            assert torch.equal(value, together[what].narrow(1 if what == "outputs" else 0, run, 1)), what
