"""What the backward pass keeps of each sample: a power of two, and the norm of its gradient at every step.

The gradient that goes back from step to step is a scaled vector (``lrd.scaled``): numbers times 2^power, one power a
sample. The power is 0 at first, and stays as long as the norm of the numbers lies between 2^-30 and 2^50. Then the
squares of all numbers down to 1/1000 of the largest are normal float32 numbers, and so they are after a step that
shrinks them a millionfold. A norm beyond that range is brought to 2^30, near the upper end, since most gradients
vanish.

Letters and layouts: ``lrd.kernels.cpu``. What arrives at the states from later steps is ``arriving`` [V, R, B, N], of
each of the V state variables.
"""

from __future__ import annotations

import math
from typing import no_type_check

import numpy as np

from lrd.kernels.cpu.compiled import inner
from lrd.kernels.cpu.vectors import LANES, after, load, number, pointer, splat, store, total

_LEAST, _MOST, _TARGET = -30, 50, 30
_NONE = -100_000  # the exponent of 0: far below all that there are
# Sums of squares between these have lost nothing that float32 could show.
_LEAST_SQUARES, _MOST_SQUARES = np.float32(2.0**-90), np.float32(2.0**120)


@inner
@no_type_check
def halves(power):
    """Return two float32 factors with the product 2^power, from 2^-252 to 2^254; beyond, 0 or the greatest there is."""
    half = power >> 1
    rest = power - half
    return (
        np.float32(0.0 if half < -126 else math.ldexp(1.0, min(half, 127))),
        np.float32(0.0 if rest < -126 else math.ldexp(1.0, min(rest, 127))),
    )


@inner
@no_type_check
def scaled(numbers, count, power, out):
    """Write numbers times 2^power to ``out``, which may be where they are."""
    one, other = halves(power)
    for k in range(0, count, LANES):
        store(out, k, load(numbers, k) * splat(one) * splat(other))


@inner
@no_type_check
def arriving_scaled(arriving, run, b, power):
    """Multiply what arrives at the states of a sample by 2^power."""
    for variable in range(arriving.shape[0]):
        place = pointer(arriving, (variable, run, b, 0))
        scaled(place, arriving.shape[3], power, place)


@inner
@no_type_check
def power_with(power, outside, arriving, run, b):
    """Return the power of a sample with which a gradient from outside can be added to what arrives.

    It stays, unless that gradient is far larger: then it is that one's, and what arrives is brought to it.

    Args:
        power: The power so far.
        outside: Where the gradient from outside begins, in units of 1.
        arriving: What arrives, in units of 2^power.
        run: The run.
        b: The sample.
    """
    if power == 0:
        return power
    exponent = _exponent(outside, arriving.shape[3])
    if exponent - power <= _MOST:
        return power
    now = 0 if _LEAST <= exponent <= _MOST else exponent - _TARGET
    arriving_scaled(arriving, run, b, power - now)
    return now


@inner
@no_type_check
def _exponent(numbers, count):
    """Return e of the largest number, whose size is in [2^(e-1), 2^e)."""
    largest = np.float32(0)
    for k in range(count):
        largest = max(largest, abs(number(after(numbers, k))))
    return math.frexp(largest)[1] if 0 < largest < np.inf else _NONE


@inner
@no_type_check
def norm(squares, numbers, count):
    """Return the norm of numbers from sixteen sums of their squares, or from themselves where these say too little."""
    found = total(squares)
    if _LEAST_SQUARES < found < _MOST_SQUARES:
        return math.sqrt(np.float64(found))
    exact = 0.0
    for k in range(count):
        one = np.float64(number(after(numbers, k)))
        exact += one * one
    return math.sqrt(exact)


@inner
@no_type_check
def power_after(power, norm, delta, rows, arriving, run, b):
    """Return the power with which a sample goes on, and bring what goes on with it to that power.

    Args:
        power: The power of this step.
        norm: The norm of the gradient at its state, in units of 2^power: the largest of those of its variables.
        delta: Where the gradient of its pre-activations begins.
        rows: How many pre-activations there are.
        arriving: What arrives at the states of the step before.
        run: The run.
        b: The sample.
    """
    if norm == 0:
        return 0  # nothing goes on, and what comes from outside is in units of 1
    if not norm < np.inf:
        return power  # no power helps; the run diverges
    exponent = math.frexp(norm)[1]
    if _LEAST <= exponent <= _MOST:
        return power
    change = exponent - _TARGET
    scaled(delta, rows, -change, delta)
    arriving_scaled(arriving, run, b, -change)
    return power + change
