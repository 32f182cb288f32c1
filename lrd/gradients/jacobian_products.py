"""Products of Jacobians M(T, t) = d state_T / d state_t = J_T ... J_{t+1} and their singular values.

A product is kept as a scaled vector (``lrd.scaled``) of all its entries and brought back near 1 after each step, so
that no product of any length leaves the range of floats.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lrd.cells import RNN, Cell, Parameters
from lrd.gradients.step_jacobians import Linearisation, linearise
from lrd.scalars import WHOLE
from lrd.scaled import LOG10_2, normalise
from lrd.shapes import Bool, Float, Int, Tensor


@dataclass(frozen=True)
class Products:
    """The products M(T, T - lag) of a pack at some lags.

    M(T, T - lag) is ``matrix * 2**power``; ``present`` says where a sample has the step T - lag. ``slopes``, of the
    RNN alone, is log10 of the product over the lag's steps of the largest f'(a_t).
    """

    lags: list[int]
    matrix: Float[Tensor, "lags runs batch S S"]
    power: Int[Tensor, "lags runs batch"]
    present: Bool[Tensor, "lags runs batch"]
    slopes: Float[Tensor, "lags runs batch"] | None


def jacobian_products(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    last: Int[Tensor, "runs batch"],
    lags: list[int],
) -> Products:
    """Return the products of each sample from its step T = ``last`` back, along ``inputs`` from a zero state.

    Args:
        cell: of the pack.
        params: of the pack, [runs, ...], in float64.
        inputs: in float64.
        last: the step T of each sample.
        lags: ascending, from 1 or more; those that a sample does not have are marked in ``Products.present``.
    """
    with torch.no_grad():
        steps, _ = linearise(cell, params, inputs)
        behind = torch.arange(lags[-1], device=last.device)[:, None, None]
        steps = steps.at((last - behind).clamp(min=0))  # its step j is T - j of each sample
        size = sum(cell.measured_sizes)
        matrix = torch.eye(size, dtype=inputs.dtype, device=inputs.device).expand(*last.shape, size, size)
        power = torch.zeros_like(last)
        kept = []
        for j in range(lags[-1]):
            (entries,), power = normalise((steps.pull(j, matrix).flatten(-2),), power)
            matrix = entries.view(matrix.shape)
            if j + 1 in lags:
                kept.append((matrix, power))
        matrices, powers = (torch.stack(part) for part in zip(*kept, strict=True))
        wanted = torch.tensor(lags, device=last.device)
        present = last >= wanted[:, None, None]
        return Products(lags, matrices, powers, present, _largest_slopes(cell, steps, wanted))


def log10_singular_values(cell: Cell, products: Products) -> dict[str, Float[Tensor, "lags runs batch values"]]:
    """Return log10 of the singular values, falling, of the whole state and of its blocks, by name.

    Where the state has several variables, the block ``h->c`` is d c_T / d h_t. -inf: the block is exactly 0; nan: not
    resolved, at most max(lag, S) * 2^-52 of the block's largest (beside products in 400 bits, the errors of networks of
    8 to 16 units were below half of that); +inf: the product is not finite.
    """
    offset, ranges = 0, []
    for size in cell.measured_sizes:
        ranges.append(slice(offset, offset + size))
        offset += size
    blocks = {WHOLE: products.matrix}
    if len(ranges) > 1:
        named = list(zip(cell.measured_names, ranges, strict=True))
        blocks |= {f"{a}->{b}": products.matrix[..., to, of] for a, of in named for b, to in named}
    floor = torch.tensor([max(lag, offset) * 2.0**-52 for lag in products.lags], device=products.matrix.device)
    return {name: _log10(block, products.power, floor[:, None, None, None]) for name, block in blocks.items()}


def _log10(block: Tensor, power: Tensor, floor: Tensor) -> Tensor:
    finite = block.isfinite().all(-1).all(-1)[..., None]
    sigma = torch.linalg.svdvals(torch.where(finite[..., None], block, 0.0))
    largest = sigma[..., :1]
    log10 = sigma.log10() + power[..., None].double() * LOG10_2
    log10 = torch.where((sigma > floor * largest) | (largest == 0), log10, torch.nan)
    return torch.where(finite, log10, torch.inf)


def _largest_slopes(
    cell: Cell, steps: Linearisation, lags: Int[Tensor, "lags"]
) -> Float[Tensor, "lags runs batch"] | None:
    if type(cell) is not RNN:
        return None
    return steps.local[0].amax(-1).log10().cumsum(0)[lags - 1]
