"""The steps of the vanilla RNN, forward and back. Letters and layouts: ``lrd.kernels.cpu``.

With a_t = U x_t + W h_{t-1} + b and r_t for what arrives at h_t from later steps,

    h_t = f(a_t),      dL/dh_t = dL/dh_t directly + r_t,      delta_t = f'(a_t) dL/dh_t,      r_{t-1} = W^T delta_t,

where f' is made of h_t, as in ``lrd.kernels.packed_rnn``.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from lrd.kernels.cpu.compiled import inner, program
from lrd.kernels.cpu.functions import ONE, ZERO, logistic, one_less_square, tanh
from lrd.kernels.cpu.products import product
from lrd.kernels.cpu.samples import arriving_scaled, halves, norm, power_after, power_with, scaled
from lrd.kernels.cpu.vectors import LANES, fused, less, load, pointer, splat, store, where
from lrd.kernels.cpu.weights import at_once, onto_inputs, onto_weights

#: The numbers of the activations in these programs.
ACTIVATIONS = {"tanh": 0, "relu": 1, "sigmoid": 2, "identity": 3}
_TANH, _RELU, _SIGMOID = (ACTIVATIONS[name] for name in ("tanh", "relu", "sigmoid"))


@inner
@no_type_check
def _activated(a, activation):
    """Return f(a)."""
    if activation == _TANH:
        return tanh(a)
    if activation == _RELU:
        return where(less(a, splat(ZERO)), splat(ZERO), a)
    if activation == _SIGMOID:
        return logistic(a)
    return a


@inner
@no_type_check
def _through(d, h, activation):
    """Return f'(a) d, from h = f(a)."""
    if activation == _TANH:
        return d * one_less_square(h)
    if activation == _RELU:
        return where(less(splat(ZERO), h), d, splat(ZERO))
    if activation == _SIGMOID:
        return d * (h * (splat(ONE) - h))
    return d


@program("void(f4[:,:,:,::1], f4[:,:,:,::1], i8)")
@no_type_check
def forward(seen, weights, activation):
    """Run all steps.

    Args:
        seen: [R, T + 1, B, width], what each step sees; h takes its place in it step by step.
        weights: [R, N / 16, D, 16].
        activation: One of ``ACTIVATIONS``.
    """
    runs, steps, batch, width = seen.shape
    _, blocks, depth, _ = weights.shape
    for run in range(runs):
        for t in range(steps - 1):
            product(
                pointer(seen, (run, t + 1, 0, 0)), width, batch, blocks, pointer(seen, (run, t, 0, 0)), width, 1,
                pointer(weights, (run, 0, 0, 0)), depth * LANES, LANES, depth, False,
            )  # fmt: skip
            for b in range(batch):
                h = pointer(seen, (run, t + 1, b, 0))
                for k in range(0, blocks * LANES, LANES):
                    store(h, k, _activated(load(h, k), activation))


@program(
    "void(f4[:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[:,:,::1], f4[:,:,:,::1],"
    " f8[:,:,:,::1], i4[:,:,::1], i8)"
)
@no_type_check
def backward(seen, direct, weights, input_weights, arriving, into_seen, into_x, sizes, powers, activation):
    """Go back from the last step to the first.

    Args:
        seen: [R, T + 1, B, width], as ``forward`` leaves it.
        direct: [R, S, B, N], the gradient of h of the last S steps from outside.
        weights: [R, N / 16, N, 16], W.
        input_weights: [R, I / 16, N, 16], U; I = 0 where no gradient of x is wanted.
        arriving: [1, R, B, N], the gradient of the last h, in whose place comes that of the initial one.
        into_seen: [R, D, N], zeros, in whose place come the gradients of W, U and b.
        into_x: [R, T, B, I], where the gradient of x goes.
        sizes: [1, R, T, B], where the norms of the gradient of h go, in units of
        powers: [R, T, B], 2 to this power.
        activation: One of ``ACTIVATIONS``.
    """
    runs, time, batch = powers.shape
    units = arriving.shape[3]
    first, slots = time - direct.shape[1], at_once(batch)
    delta = np.empty((batch, units), np.float32)  # of one step, in each sample's own units
    unscaled = np.empty((slots, batch, units), np.float32)  # of some steps, in units of 1
    in_state = np.empty((1, units), np.float32)
    power = np.empty(batch, np.int64)
    for run in range(runs):
        power[:] = 0
        for t in range(time - 1, -1, -1):
            slot, scored = t % slots, t >= first
            for b in range(batch):
                outside = pointer(direct, (run, t - first if scored else 0, b, 0))
                if scored:
                    power[b] = power_with(power[b], outside, arriving, run, b)
                down, more = halves(-power[b])
                squares = splat(ZERO)
                for k in range(0, units, LANES):
                    dh = load(pointer(arriving, (0, run, b, k)), 0)
                    if scored:
                        dh = dh + load(outside, k) * splat(down) * splat(more)
                    squares = fused(dh, dh, squares)
                    store(pointer(in_state, (0, k)), 0, dh)
                    h = load(pointer(seen, (run, t + 1, b, k)), 0)
                    store(pointer(delta, (b, k)), 0, _through(dh, h, activation))
                own = pointer(delta, (b, 0))
                scaled(own, units, power[b], pointer(unscaled, (slot, b, 0)))
                norm_h = norm(squares, pointer(in_state, (0, 0)), units)
                sizes[0, run, t, b], powers[run, t, b] = norm_h, power[b]
                power[b] = power_after(power[b], norm_h, own, units, arriving, run, b)
            product(
                pointer(arriving, (0, run, 0, 0)), units, batch, units // LANES, pointer(delta, (0, 0)), units, 1,
                pointer(weights, (run, 0, 0, 0)), units * LANES, LANES, units, False,
            )  # fmt: skip
            onto_inputs(unscaled, slot, input_weights, into_x, run, t)
            if slot == 0:
                onto_weights(seen, unscaled, into_seen, run, t, min(slots, time - t))
        for b in range(batch):
            arriving_scaled(arriving, run, b, power[b])
