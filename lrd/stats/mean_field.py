"""Mean-field theory of the leading Lyapunov exponent of a random network: the theory lines of phase diagrams.

h_t = f(W h_{t-1}) with N units and iid entries of W of variance g^2 / N, no input and no bias, in the limit of large N
(Sompolinsky, Crisanti & Sommers 1988, Physical Review Letters 61; in discrete time Molgedey, Schuchhardt & Schuster
1992, Physical Review Letters 69). Preactivations are Gaussian with variance q, which must reproduce itself; a small
difference of states is stretched by sqrt(chi) a step:

    q = g^2 E[f(sqrt(q) z)^2],    chi = g^2 E[f'(sqrt(q) z)^2],    z standard normal,    exponent = ln(chi) / 2.

The theory is poor near the transition of tanh at g = 1, where the few leading directions of one finite matrix decide.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

ACTIVATIONS = ("identity", "relu", "tanh")

# The trapezoidal rule converges geometrically on a Gaussian, at a rate set by the distance of tanh's poles from the
# real line; Gauss-Hermite converges at the square root of its order, and slows down as q grows.
_Z = np.linspace(-10.0, 10.0, 4001)
_WEIGHTS = np.exp(-_Z * _Z / 2) / np.exp(-_Z * _Z / 2).sum()


def leading_exponent(activation: str, gain: ArrayLike) -> NDArray[np.float64]:
    """Return the leading Lyapunov exponent in nats a step; above 0 small differences and gradients explode.

    ``identity``: ln g. ``relu``: ln(g / sqrt 2), as half of the units are silent. ``tanh``: ln g up to g = 1, where the
    state dies out, and beyond it ln(chi) / 2 in a state of variance q > 0.

    Args:
        activation: one of ``ACTIVATIONS``.
        gain: g, at least 0.

    Returns:
        An exponent for each gain, -inf at g = 0. Quadrature errors stay below 1e-12 for gains up to 50.

    Raises:
        ValueError: there is no theory for the activation, or a gain is negative.
    """
    gains = np.asarray(gain, dtype=np.float64)
    if activation not in ACTIVATIONS:
        raise ValueError(f"no mean field for {activation!r}; there is one for {', '.join(ACTIVATIONS)}")
    if (gains < 0).any():
        raise ValueError(f"gains must not be negative, got {gains.min()}")
    with np.errstate(divide="ignore"):
        of_linear = np.log(gains)
    if activation == "tanh":
        chaotic = [_tanh(float(g)) if g > 1 else 0.0 for g in gains.ravel()]
        return np.where(gains > 1, np.reshape(chaotic, gains.shape), of_linear)
    return of_linear - (0.5 * math.log(2) if activation == "relu" else 0.0)


def tanh_variance(gain: float) -> float:
    """Return the variance q of tanh's preactivations that reproduces itself.

    Args:
        gain: g; up to 1 the state dies out and q is 0.
    """
    if not gain > 1:
        return 0.0
    # x^2 - 2 x^4 / 3 <= tanh(x)^2 <= 1 puts the one q > 0 between these two.
    low, high = (1 - 1 / gain**2) / 4, gain**2
    return float(brentq(lambda q: gain**2 * _mean(np.tanh(math.sqrt(q) * _Z) ** 2) - q, low, high, xtol=1e-15))


def _tanh(gain: float) -> float:
    slopes = 1 - np.tanh(math.sqrt(tanh_variance(gain)) * _Z) ** 2
    return math.log(gain) + 0.5 * math.log(_mean(slopes**2))


def _mean(values: NDArray[np.float64]) -> float:
    return float(_WEIGHTS @ values)
