"""Functions of vectors: exp, the logistic function and tanh.

By the methods and coefficients of Cephes (S. L. Moshier, ``expf`` and ``tanhf``). In units in the last place, exp is
off by at most 1, tanh by 1.5 and the logistic function by 3 (measured: 1.0, 1.3 and 2.4). exp stays at its ends beyond
-87.3 and 88, and so does the logistic function. The accuracy of tanh matters beyond its own: a gradient that vanishes
is a product of thousands of slopes 1 - tanh^2, and with a rational tanh of 4 units in the last place its norm came out
ten times less accurate.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from lrd.kernels.cpu.compiled import inner
from lrd.kernels.cpu.vectors import fused, less, size_of, splat, two_to_low_bits, where, with_sign_of

ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)

# exp(x) = 2^n exp(x - n ln 2), where ln 2 is split in two so that the difference is exact; x is kept within what
# float32 holds. Adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits.
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504088896341), np.float32(0.693359375), np.float32(-2.12194440e-4)
_LEAST, _GREATEST, _TO_WHOLE = np.float32(-87.33), np.float32(88.02), np.float32(1.5 * 2**23)
_E0, _E1, _E2 = np.float32(5.0000001201e-1), np.float32(1.6666665459e-1), np.float32(4.1665795894e-2)
_E3, _E4, _E5 = np.float32(8.3334519073e-3), np.float32(1.3981999507e-3), np.float32(1.9875691500e-4)
# tanh(x) by its series where |x| is below 0.625, else by exp.
_NEAR = np.float32(0.625)
_T0, _T1, _T2 = np.float32(-3.33332819422e-1), np.float32(1.33314422036e-1), np.float32(-5.37397155531e-2)
_T3, _T4 = np.float32(2.06390887954e-2), np.float32(-5.70498872745e-3)


@inner
@no_type_check
def exponential(x):
    """Return exp(x); NaN of NaN."""
    x = where(less(splat(_GREATEST), x), splat(_GREATEST), x)
    x = where(less(x, splat(_LEAST)), splat(_LEAST), x)
    shifted = fused(x, splat(_LOG2_E), splat(_TO_WHOLE))
    n = shifted - splat(_TO_WHOLE)
    rest = fused(n, splat(-_LN2_LOW), fused(n, splat(-_LN2_HIGH), x))
    y = fused(splat(_E5), rest, splat(_E4))
    y = fused(y, rest, splat(_E3))
    y = fused(y, rest, splat(_E2))
    y = fused(y, rest, splat(_E1))
    y = fused(y, rest, splat(_E0))
    return (fused(y, rest * rest, rest) + splat(ONE)) * two_to_low_bits(shifted)


@inner
@no_type_check
def logistic(x):
    """Return 1 / (1 + exp(-x))."""
    return splat(ONE) / (splat(ONE) + exponential(splat(ZERO) - x))


@inner
@no_type_check
def tanh(x):
    """Return the hyperbolic tangent of x."""
    size = size_of(x)
    far = splat(ONE) - splat(TWO) / (splat(ONE) + exponential(size + size))
    square = x * x
    y = fused(splat(_T4), square, splat(_T3))
    y = fused(y, square, splat(_T2))
    y = fused(y, square, splat(_T1))
    y = fused(y, square, splat(_T0))
    near = fused(y * square, x, x)
    return where(less(size, splat(_NEAR)), near, with_sign_of(far, x))


@inner
@no_type_check
def one_less_square(y):
    """Return 1 - y^2."""
    return fused(splat(ZERO) - y, y, splat(ONE))
