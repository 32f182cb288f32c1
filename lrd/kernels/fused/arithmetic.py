"""Arithmetic inside Triton programs: functions, products in tiles, and scaled vectors.

It is written in Triton's language alone, without a vendor's library, so that its interpreter runs all of it.
``no_type_check`` keeps type checkers out, which do not know that language.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl


@triton.jit
@no_type_check
def tanh(x):
    """Return tanh to a few roundings: near 0, where 1 - exp cancels, by its series to x^9 (next term < 1e-8 of x)."""
    size = tl.abs(x)
    e = tl.exp(-2.0 * size)
    far = (1.0 - e) / (1.0 + e)
    small = tl.minimum(size, 0.25)
    y = small * small
    y = y * (-0.3333333333333333 + y * (0.13333333333333333 + y * (-0.05396825396825397 + y * 0.021869488536155203)))
    near = small + small * y
    found = tl.where(size < 0.25, near, far)
    return tl.where(x < 0, -found, found)


@triton.jit
@no_type_check
def logistic(x):
    """Return 1 / (1 + exp(-x)), without overflow."""
    e = tl.exp(-tl.abs(x))
    share = 1.0 / (1.0 + e)
    return tl.where(x < 0, e * share, share)


@triton.jit
@no_type_check
def dot(left, right, PRECISION: tl.constexpr):
    """Return left @ right, summed in float32; ``rounded``: bfloat16, of which the interpreter knows no products."""
    if PRECISION == "bfloat16":
        found = tl.dot(left.to(tl.bfloat16), right.to(tl.bfloat16))
    elif PRECISION == "rounded":
        found = tl.dot(left.to(tl.bfloat16).to(tl.float32), right.to(tl.bfloat16).to(tl.float32))
    else:
        found = tl.dot(left, right, input_precision=PRECISION)
    return found


@triton.jit
@no_type_check
def matrix(place, inner, units, between_inner, between_units, hidden):
    """Return the block [inner, units] of a matrix in memory, with 0 beyond ``hidden``.

    Args:
        place: Where the matrix begins.
        inner: The places of the block along its first axis.
        units: The places of the block along its second axis.
        between_inner: How far entries lie apart along the first axis.
        between_units: How far entries lie apart along the second axis.
        hidden: The size of both axes.
    """
    there = (inner < hidden)[:, None] & (units < hidden)[None, :]
    return tl.load(place + inner[:, None] * between_inner + units[None, :] * between_units, mask=there, other=0.0)


@triton.jit
@no_type_check
def streamed(
    left, between_rows, right, between_inner, between_units, rows, units, batch, hidden,
    PADDED: tl.constexpr, INNER: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Return left [rows, hidden] @ right [hidden, units], both read from memory block by block."""
    total = tl.zeros([rows.shape[0], units.shape[0]], dtype=tl.float32)
    for start in range(0, PADDED, INNER):
        inner = start + tl.arange(0, INNER)
        there = (rows < batch)[:, None] & (inner < hidden)[None, :]
        block = tl.load(left + rows[:, None] * between_rows + inner[None, :], mask=there, other=0.0)
        total += dot(block, matrix(right, inner, units, between_inner, between_units, hidden), PRECISION)
    return total


@triton.jit
@no_type_check
def largest_of(x):
    """Return the largest absolute value in each row."""
    return tl.max(tl.abs(x), axis=1)


@triton.jit
@no_type_check
def largest_in(place, rows, wanted, batch, hidden, PADDED: tl.constexpr, UNITS: tl.constexpr):
    """Return the largest absolute value in each row of a matrix [rows, hidden] in memory; 0 where not ``wanted``."""
    largest = tl.zeros([rows.shape[0]], dtype=tl.float32)
    for start in range(0, PADDED, UNITS):
        units = start + tl.arange(0, UNITS)
        there = (rows < batch)[:, None] & (units < hidden)[None, :] & wanted
        found = tl.load(place + rows[:, None] * hidden + units[None, :], mask=there, other=0.0)
        largest = tl.maximum(largest, largest_of(found))
    return largest


@triton.jit
@no_type_check
def exponent(size):
    """Return p of each size = m 2^p with m in [0.5, 1); -126 for all below 2^-126."""
    return ((size.to(tl.int32, bitcast=True) >> 23) & 255) - 126


@triton.jit
@no_type_check
def power_of_two(p):
    """Return 2^p, for p held within the normal numbers."""
    p = tl.minimum(tl.maximum(p, -126), 127)
    return ((p + 127) << 23).to(tl.float32, bitcast=True)


@triton.jit
@no_type_check
def shifted(x, p):
    """Return x [rows, units] times 2^p [rows], exact within float32: in two factors, both normal numbers.

    Powers are held between 2^-252 and 2^254: beside the 1 that a sample's largest entry is near, smaller ones are as
    good as 0, and larger ones as infinity.
    """
    p = tl.minimum(tl.maximum(p, -252), 254)
    half = p >> 1
    first = ((half + 127) << 23).to(tl.float32, bitcast=True)
    return x * first[:, None] * ((p - half + 127) << 23).to(tl.float32, bitcast=True)[:, None]


@triton.jit
@no_type_check
def common(arriving, power, direct):
    """Return the power of two to scale a sample by: that of the larger of ``arriving 2^power`` and ``direct``."""
    none = -1073741824
    of_arriving = tl.where(arriving > 0, power + exponent(arriving), none)
    found = tl.maximum(of_arriving, tl.where(direct > 0, exponent(direct), none))
    return tl.where(found == none, 0, found)


@triton.jit
@no_type_check
def squares_with(total, power, x):
    """Add the squares of x [rows, units] to ``total 4^power`` [rows]; return the new total and its power.

    With a power of their own, squares may leave the range of float32.
    """
    common_power = tl.maximum(power, tl.minimum(exponent(largest_of(x)), 126))
    x = x * power_of_two(-common_power)[:, None]
    return total * power_of_two(2 * (power - common_power)) + tl.sum(x * x, axis=1), common_power
