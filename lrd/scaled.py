"""Scaled vectors: a vector of floats (the mantissa) and a power of two for each sample.

A gradient that goes back a few hundred steps leaves the range of floats. As ``mantissa * 2**power``, with the largest
entry of each sample's mantissa brought back near 1 again and again, it does not; and since multiplying by a power of
two is exact, nothing is rounded by it. The gradient flow, the Jacobian products and the packed loops all use the
functions of this module; the Triton programs have them once more in their own language
(``lrd.kernels.fused.arithmetic``), and the tests hold the two against each other.

Powers are integers [runs, batch, ...] of the shape of the vectors without their last axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from lrd.shapes import Float, Int, Tensor

LOG10_2 = math.log10(2.0)
#: What ``exponent`` gives for a vector of zeros: smaller than any power that occurs, and safe to add a few to.
OF_ZERO = -(2**30)

Vectors = tuple[Tensor, ...]


class Scaled(NamedTuple):
    """One vector a sample, ``mantissa * 2**power``."""

    mantissa: Float[Tensor, "*shape size"]
    power: Int[Tensor, "*shape"]


def may_synchronise(x: Tensor) -> bool:
    """Return whether Python may read numbers of ``x``: on a GPU it would have to wait for them."""
    return x.is_cpu


def exponent(x: Float[Tensor, "*shape size"]) -> Int[Tensor, "*shape"]:
    """Return p of each vector's largest entry m 2^p, 0.5 <= |m| < 1; ``OF_ZERO`` for zeros and nan."""
    return _largest_exponent((x,))


def two_to(power: Int[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
    """Return 2^power, made of its bits and therefore exact; ``power`` must be that of a normal number of ``dtype``."""
    if dtype == torch.float64:
        return (power.long() + 1023 << 52).view(dtype)
    return (power.int() + 127 << 23).view(dtype)


def ldexp(x: Float[Tensor, "*shape size"], power: Int[Tensor, "*#shape"]) -> Float[Tensor, "*shape size"]:
    """Return x 2^power, each vector by its own power: exact where the result is a normal number or 0."""
    if may_synchronise(x) and x.numel() == 0:
        return x
    first, *second = _factors(power, x.dtype)
    return _multiply_(x * first, second)


def ldexp_(x: Float[Tensor, "*shape size"], power: Int[Tensor, "*#shape"]) -> Float[Tensor, "*shape size"]:
    """Multiply x by 2^power in place, as ``ldexp`` does, and return it."""
    return _multiply_(x, _factors(power, x.dtype))


def normalise(vectors: Vectors, power: Int[Tensor, "*shape"]) -> tuple[Vectors, Int[Tensor, "*shape"]]:
    """Return the same ``vectors * 2**power`` with each sample's largest entry in [0.5, 1).

    Args:
        vectors: the parts of one vector (such as dL/dh and dL/dc), which share their power.
        power: the power of two of each sample.

    Returns:
        The new mantissas and powers. A sample of zeros keeps its power; one with nan or infinity is not repaired.
    """
    common = _largest_exponent(vectors)
    common = torch.where(common == OF_ZERO, 0, common)
    first, *second = _factors(-common, vectors[0].dtype)
    return tuple(_multiply_(v * first, second) for v in vectors), power + common


def add(
    vectors: Vectors, power: Int[Tensor, "*shape"], added: Float[Tensor, "*shape size"] | Scaled
) -> tuple[Vectors, Int[Tensor, "*shape"]]:
    """Return ``vectors * 2**power`` with ``added`` added to the first of them, however far the two lie apart.

    Args:
        vectors: the parts of one vector, which share their power.
        power: the power of two of each sample.
        added: plain numbers, or scaled ones.

    Returns:
        Mantissas, of which the larger summand's is in [0.5, 1), and powers.
    """
    present = _largest_exponent(vectors)
    of_vectors = torch.where(present == OF_ZERO, OF_ZERO, power + present)
    plain, more = added if isinstance(added, Scaled) else (added, torch.zeros_like(power))
    of_added = exponent(plain)
    of_added = torch.where(of_added == OF_ZERO, OF_ZERO, of_added + more)
    common = torch.maximum(of_vectors, of_added)
    common = torch.where(common == OF_ZERO, 0, common)
    kept = tuple(ldexp(v, power - common) for v in vectors)
    return (kept[0] + ldexp(plain, more - common), *kept[1:]), common


def log10_norm(vectors: Float[Tensor, "*shape size"]) -> Float[Tensor, "*shape"]:
    """Return log10 of the Euclidean norm in float64, -inf for zeros; squares may lie beyond the range of floats."""
    size = torch.linalg.vector_norm(vectors, torch.inf, dim=-1)
    size = torch.where((size > 0) & size.isfinite(), size, 1.0)
    relative: Tensor = torch.linalg.vector_norm(vectors / size[..., None], dim=-1, dtype=torch.float64)
    return relative.log10() + size.double().log10()


def _largest_exponent(vectors: Vectors) -> Int[Tensor, "*shape"]:
    """Return the exponent of the largest entry of all parts of each sample's vector."""
    sizes = [v.abs().amax(-1) for v in vectors]
    largest = torch.stack(sizes).amax(0) if len(sizes) > 1 else sizes[0]
    return torch.where(largest > 0, torch.frexp(largest).exponent, OF_ZERO)


def _multiply_(x: Float[Tensor, "*shape size"], factors: Sequence[Tensor]) -> Float[Tensor, "*shape size"]:
    for factor in factors:
        x.mul_(factor)
    return x


def _factors(power: Int[Tensor, "*shape"], dtype: torch.dtype) -> list[Float[Tensor, "*shape 1"]]:
    """Return 2^power as one factor, or as two where it may be no normal number of the precision."""
    if may_synchronise(power) and int(power.abs().amax()) < 126:
        return [two_to(power, dtype)[..., None]]
    half = power >> 1
    least, most = (-1022, 1023) if dtype == torch.float64 else (-126, 127)
    return [two_to(part.clamp(least, most), dtype)[..., None] for part in (half, power - half)]
