"""One pass over a kernel's norms, for the sums of ``lrd.gradients.norm_sums``, as machine code for the CPU.

A norm is size 2^power, and size = m 2^e with 1 <= m < 2. Its log10 is (e + power) log10 2 + log10 m, and with
f = (m - 1) / (m + 1), after halving m above the root of 2 so that |f| < 0.172,

    ln m = 2 (f + f^3 / 3 + f^5 / 5 + ...),

of which eleven terms are float64's (Abramowitz & Stegun 1964, 4.1.27). The sum of norms over the largest of them needs
no power of ten: it is one of m times powers of two.

What a run adds depends on its own norms alone, and so does its last bit: every step of every run is summed by the same
instructions in the same order.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, no_type_check

import numpy as np

from lrd.kernels import ScaledNorms
from lrd.machine_code import machine_code
from lrd.shapes import Bool, Float, Tensor

_LOG10_2, _LN10, _TWO_OVER_LN10 = math.log10(2.0), math.log(10.0), 2 / math.log(10.0)
# float64: the bits of the fraction, those of the exponent of 1, and the exponent of infinity and nan.
_FRACTION, _ONE, _NO_NUMBER = 2**52 - 1, 1023 << 52, 2047
_ROOT_2 = math.sqrt(2.0)
_S1, _S2, _S3, _S4, _S5, _S6, _S7, _S8, _S9, _S10 = (1 / (2 * k + 1) for k in range(1, 11))
_OF_ZERO = -(2**30)  # an exponent below all that there are


@functools.cache
def program() -> Callable[..., Any] | None:
    """Return what ``add_norms`` calls; None where there is no numba, and sums are torch's."""
    sizes = ("float32", "float64")
    rest = "int32[:,:,::1], float64, boolean[::1], float64[:,:,:,::1], int64"
    return machine_code(_add, *(f"void({size}[:,:,::1], {rest})" for size in sizes))


def add_norms(
    norms: ScaledNorms, batch_size: int, counts: Bool[Tensor, "runs"], kept: Float[Tensor, "runs variables 6 time"],
    variable: int,
) -> None:  # fmt: skip
    """Add the norms of one state variable to what is kept, in place.

    Args:
        norms: of an update.
        batch_size: what every norm is multiplied by.
        counts: in which runs the update counts.
        kept: the sums, as ``NormSums`` has them.
        variable: the row of the variable.
    """
    run = program()
    assert run is not None
    size, power = norms.size.detach().contiguous().numpy(), norms.power.int().contiguous().numpy()
    run(size, power, math.log10(batch_size), counts.numpy(), kept.numpy(), variable)


@no_type_check
def _add(size, power, log10_batch, counts, kept, variable):
    runs, time, batch = size.shape
    # For one step of one run, a number a sample: the norm without its power, m, and the log10.
    numbers = np.empty((3, batch))
    value, m, log = numbers[0], numbers[1], numbers[2]
    bits = numbers.view(np.int64)
    value_bits, m_bits = bits[0], bits[1]
    exponent = np.empty(batch, np.int32)
    for run in range(runs):
        if not counts[run]:
            continue
        for t in range(time):
            sizes, powers = size[run, t], power[run, t]
            # Take the norms apart.
            for j in range(batch):
                value[j] = sizes[j]
            zeros, odd, largest = 0, 0, np.int32(_OF_ZERO)
            for j in range(batch):
                raw = np.int32((value_bits[j] >> 52) & _NO_NUMBER)  # without the sign, which nan may have
                is_zero = raw == 0
                zeros += is_zero
                odd += raw >= _NO_NUMBER
                e = np.int32(_OF_ZERO) if is_zero else np.int32(raw - np.int32(1023) + powers[j])
                exponent[j] = e
                largest = max(largest, e)
                m_bits[j] = (value_bits[j] & _FRACTION) | _ONE
            # Logarithms.
            for j in range(batch):
                is_high = m[j] > _ROOT_2
                halved = 0.5 * m[j] if is_high else m[j]
                f = (halved - 1.0) / (halved + 1.0)
                q = f * f
                series = 1.0 + q * (_S1 + q * (_S2 + q * (_S3 + q * (_S4 + q * (_S5 + q * (_S6 + q * (_S7 + q * (
                    _S8 + q * (_S9 + q * _S10)))))))))  # fmt: skip
                e = np.float64(exponent[j]) + (1.0 if is_high else 0.0)
                log[j] = _TWO_OVER_LN10 * f * series + e * _LOG10_2 + log10_batch
            nans = 0
            if odd:
                for j in range(batch):
                    if (value_bits[j] >> 52) & _NO_NUMBER == _NO_NUMBER:
                        log[j] = value[j]
                        nans += np.isnan(value[j])
            # Sums and extremes of logarithms.
            total, squares, least, most = 0.0, 0.0, np.inf, -np.inf
            for j in range(batch):
                is_zero = exponent[j] == _OF_ZERO
                x = 0.0 if is_zero else log[j]
                total += x
                squares += x * x
                least = min(least, np.inf if is_zero else x)
                most = max(most, -np.inf if is_zero else x)
            # The sum of the norms over the largest.
            for j in range(batch):
                m_bits[j] += np.int64(max(np.int32(exponent[j] - largest), np.int32(-1022))) << 52
            relative, top = 0.0, 0.0
            for j in range(batch):
                relative += m[j]
                top = max(top, m[j])
            # To what is kept.
            own = kept[run, variable]
            own[0, t] += total
            own[1, t] += squares
            own[2, t] += zeros
            if odd:
                own[3, t] = np.nan if nans else min(own[3, t], least)
                own[4, t] = np.nan if nans else np.inf
                own[5, t] = np.nan
                continue
            own[3, t] = min(own[3, t], least)
            before = own[4, t]
            if most > before:
                own[5, t] = own[5, t] * math.exp((before - most) * _LN10) + relative / top
                own[4, t] = most
            elif zeros < batch:
                own[5, t] += relative / top * math.exp((most - before) * _LN10)
