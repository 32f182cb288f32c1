"""The steps of the GRU, forward and back. Letters and layouts: ``lrd.kernels.cpu``.

With v_t = W_n h_{t-1} + d, n_t = tanh(U_n x_t + b_n + r_t v_t), and s_t for what arrives at h_t from later steps,

    dL/dh_t = dL/dh_t directly + s_t,
    dL/da_t of z: dL/dh_t (h_{t-1} - n_t) z_t (1 - z_t),      of n: dL/dh_t (1 - z_t) (1 - n_t^2) = eta_t,
    of v: eta_t r_t,                                          of r: eta_t v_t r_t (1 - r_t),
    s_{t-1} = z_t dL/dh_t + W^T (those of r, z and v).

There are four rows of weights: r and z, which see h_{t-1}, x_t and 1; v, which sees h_{t-1} and 1 (by d); and n, which
sees x_t and 1.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from lrd.kernels.cpu.compiled import program
from lrd.kernels.cpu.functions import ONE, ZERO, logistic, one_less_square, tanh
from lrd.kernels.cpu.products import product
from lrd.kernels.cpu.samples import arriving_scaled, halves, norm, power_after, power_with, scaled
from lrd.kernels.cpu.vectors import LANES, after, fused, load, pointer, splat, store
from lrd.kernels.cpu.weights import at_once, onto_inputs, onto_weights


@program("void(f4[:,:,:,::1], f4[:,:,:,:,::1], f4[:,:,:,:,::1])")
@no_type_check
def forward(seen, gates, weights):
    """Run all steps.

    Args:
        seen: [R, T + 1, B, width], what each step sees; h takes its place in it step by step.
        gates: [R, T, B, 4, N], where r, z, v and n are kept; or [1, 1, B, 4, N], where they need not be.
        weights: [R, 4, N / 16, D, 16], of r, z, v and n.
    """
    runs, steps, batch, width = seen.shape
    _, _, blocks, depth, _ = weights.shape
    units = blocks * LANES
    kept = gates.shape[0] == runs and gates.shape[1] == steps - 1
    sums = np.empty((batch, 4 * LANES), np.float32)
    for run in range(runs):
        for t in range(steps - 1):
            of_gates = pointer(gates, (run, t, 0, 0, 0)) if kept else pointer(gates, (0, 0, 0, 0, 0))
            for block in range(blocks):
                # All four see x_t and 1, as far as their weights are not 0; three of them see h_{t-1}.
                product(
                    pointer(sums, (0, 0)), 4 * LANES, batch, 4, pointer(seen, (run, t, 0, units)), width, 1,
                    pointer(weights, (run, 0, block, units, 0)), units * depth, LANES, depth - units, False,
                )  # fmt: skip
                product(
                    pointer(sums, (0, 0)), 4 * LANES, batch, 3, pointer(seen, (run, t, 0, 0)), width, 1,
                    pointer(weights, (run, 0, block, 0, 0)), units * depth, LANES, units, True,
                )  # fmt: skip
                for b in range(batch):
                    a = pointer(sums, (b, 0))
                    r, z, v = logistic(load(a, 0)), logistic(load(a, LANES)), load(a, 2 * LANES)
                    n = tanh(fused(r, v, load(a, 3 * LANES)))
                    h = load(pointer(seen, (run, t, b, block * LANES)), 0)
                    store(pointer(seen, (run, t + 1, b, block * LANES)), 0, fused(z, h - n, n))
                    own = after(of_gates, b * 4 * units + block * LANES)
                    store(own, 0, r)
                    store(own, units, z)
                    store(own, 2 * units, v)
                    store(own, 3 * units, n)


@program(
    "void(f4[:,:,:,::1], f4[:,:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[:,:,::1],"
    " f4[:,:,:,::1], f8[:,:,:,::1], i4[:,:,::1])"
)
@no_type_check
def backward(seen, gates, direct, weights, input_weights, arriving, into_seen, into_x, sizes, powers):
    """Go back from the last step to the first.

    Args:
        seen: [R, T + 1, B, width], as ``forward`` leaves it.
        gates: [R, T, B, 4, N], as ``forward`` leaves them.
        direct: [R, S, B, N], the gradient of h of the last S steps from outside.
        weights: [R, N / 16, 3 N, 16], W of r, z and v.
        input_weights: [R, I / 16, 4 N, 16], U of r, z, v (zeros) and n; I = 0 where no gradient of x is wanted.
        arriving: [1, R, B, N], the gradient of the last h, in whose place comes that of the initial one.
        into_seen: [R, D, 4 N], zeros, in whose place come the gradients of all weights.
        into_x: [R, T, B, I], where the gradient of x goes.
        sizes: [1, R, T, B], where the norms of the gradient of h go, in units of
        powers: [R, T, B], 2 to this power.
    """
    runs, time, batch, _, units = gates.shape
    first, rows, slots = time - direct.shape[1], 4 * units, at_once(batch)
    delta = np.empty((batch, rows), np.float32)  # of one step, in each sample's own units
    unscaled = np.empty((slots, batch, rows), np.float32)  # of some steps, in units of 1
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
                    own = pointer(gates, (run, t, b, 0, k))
                    r, z, v, n = load(own, 0), load(own, units), load(own, 2 * units), load(own, 3 * units)
                    before = load(pointer(seen, (run, t, b, k)), 0)
                    store(pointer(arriving, (0, run, b, k)), 0, dh * z)
                    eta = dh * ((splat(ONE) - z) * one_less_square(n))
                    own = pointer(delta, (b, k))
                    store(own, 0, eta * (v * r * (splat(ONE) - r)))
                    store(own, units, dh * ((before - n) * z * (splat(ONE) - z)))
                    store(own, 2 * units, eta * r)
                    store(own, 3 * units, eta)
                own = pointer(delta, (b, 0))
                scaled(own, rows, power[b], pointer(unscaled, (slot, b, 0)))
                norm_h = norm(squares, pointer(in_state, (0, 0)), units)
                sizes[0, run, t, b], powers[run, t, b] = norm_h, power[b]
                power[b] = power_after(power[b], norm_h, own, rows, arriving, run, b)
            product(
                pointer(arriving, (0, run, 0, 0)), units, batch, units // LANES, pointer(delta, (0, 0)), rows, 1,
                pointer(weights, (run, 0, 0, 0)), 3 * units * LANES, LANES, 3 * units, True,
            )  # fmt: skip
            onto_inputs(unscaled, slot, input_weights, into_x, run, t)
            if slot == 0:
                onto_weights(seen, unscaled, into_seen, run, t, min(slots, time - t))
        for b in range(batch):
            arriving_scaled(arriving, run, b, power[b])
