"""Random parameters, input and state of one sample, for any cell."""

from __future__ import annotations

import numpy as np
import torch
from helpers import EPS64

from lrd.cells import Cell, Parameters

# Dot products of up to 30 terms below 5 in size, then functions with slopes below 1 and sums of a few of them.
CLOSE = {"rtol": 0.0, "atol": 60 * 5 * EPS64}


def draw(cell: Cell, inputs: int, seed: int) -> tuple[Parameters, torch.Tensor, tuple[torch.Tensor, ...]]:
    """In float64, of the shapes that the cell says."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator)

    shapes = {name: value.shape for name, value in cell.parameters(inputs, torch.Generator()).items()}
    params = {name: 0.6 * normal(*shape) for name, shape in shapes.items()}
    return params, normal(inputs), tuple(normal(size) for size in cell.state_sizes())


def plain(values: object) -> list[np.ndarray]:
    return [np.asarray(value) for value in values]


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def assert_all_close(got: object, expected: object) -> None:
    for mine, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine, other, **CLOSE)
