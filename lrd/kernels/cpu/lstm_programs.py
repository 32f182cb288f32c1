"""The steps of the LSTM, forward and back. Letters and layouts: ``lrd.kernels.cpu``; gates in torch's order i, f, g, o.

The equations are those of ``lrd.kernels.packed_lstm``, with r_t and s_t for what arrives at h_t and c_t from later
steps, and q_t = o_t (1 - tanh(c_t)^2):

    dL/dh_t = dL/dh_t directly + r_t,            r_{t-1} = k_t W^T delta_t,
    dL/dc_t = s_t + q_t dL/dh_t,                 s_{t-1} = f_t dL/dc_t.
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


@program("void(f4[:,:,:,::1], f4[:,:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,:,::1])")
@no_type_check
def forward(seen, gates, cells, weights):
    """Run all steps.

    Args:
        seen: [R, T + 1, B, width], what each step sees; h takes its place in it step by step.
        gates: [R, T, B, 4, N], where the gates are kept; or [1, 1, B, 4, N], where they need not be.
        cells: [R, T + 1, B, N], c; the first is given.
        weights: [R, 4, N / 16, D, 16].
    """
    runs, steps, batch, width = seen.shape
    units, blocks, depth = gates.shape[4], weights.shape[2], weights.shape[3]
    kept = gates.shape[0] == runs and gates.shape[1] == steps - 1
    sums = np.empty((batch, 4 * LANES), np.float32)
    for run in range(runs):
        for t in range(steps - 1):
            of_gates = pointer(gates, (run, t, 0, 0, 0)) if kept else pointer(gates, (0, 0, 0, 0, 0))
            for block in range(blocks):
                product(
                    pointer(sums, (0, 0)), 4 * LANES, batch, 4, pointer(seen, (run, t, 0, 0)), width, 1,
                    pointer(weights, (run, 0, block, 0, 0)), units * depth, LANES, depth, False,
                )  # fmt: skip
                for b in range(batch):
                    a = pointer(sums, (b, 0))
                    i, f = logistic(load(a, 0)), logistic(load(a, LANES))
                    g, o = tanh(load(a, 2 * LANES)), logistic(load(a, 3 * LANES))
                    c = fused(i, g, f * load(pointer(cells, (run, t, b, block * LANES)), 0))
                    own = after(of_gates, b * 4 * units + block * LANES)
                    store(own, 0, i)
                    store(own, units, f)
                    store(own, 2 * units, g)
                    store(own, 3 * units, o)
                    store(pointer(cells, (run, t + 1, b, block * LANES)), 0, c)
                    store(pointer(seen, (run, t + 1, b, block * LANES)), 0, o * tanh(c))


@program(
    "void(f4[:,:,:,::1], f4[:,:,:,:,::1], f4[:,:,:,::1], f4[:,:,:,::1], f4[:,::1], f4[:,:,:,::1], f4[:,:,:,::1],"
    " f4[:,:,:,::1], f4[:,:,::1], f4[:,:,:,::1], f8[:,:,:,::1], i4[:,:,::1])"
)
@no_type_check
def backward(seen, gates, cells, direct, keep, weights, input_weights, arriving, into_seen, into_x, sizes, powers):
    """Go back from the last step to the first.

    Args:
        seen: [R, T + 1, B, width], as ``forward`` leaves it.
        gates: [R, T, B, 4, N], as ``forward`` leaves them.
        cells: [R, T + 1, B, N], as ``forward`` leaves them.
        direct: [R, S, B, N], the gradient of h of the last S steps from outside.
        keep: [R, T], k_t of every step; or [R, 0], where all are 1.
        weights: [R, N / 16, 4 N, 16], W.
        input_weights: [R, I / 16, 4 N, 16], U; I = 0 where no gradient of x is wanted.
        arriving: [2, R, B, N], the gradients of the last h and c, in whose place come those of the initial ones.
        into_seen: [R, D, 4 N], zeros, in whose place come the gradients of W, U and b.
        into_x: [R, T, B, I], where the gradient of x goes.
        sizes: [2, R, T, B], where the norms of the gradients of h and c go, in units of
        powers: [R, T, B], 2 to this power.
    """
    runs, time, batch, _, units = gates.shape
    first, rows, slots = time - direct.shape[1], 4 * units, at_once(batch)
    delta = np.empty((batch, rows), np.float32)  # of one step, in each sample's own units
    unscaled = np.empty((slots, batch, rows), np.float32)  # of some steps, in units of 1
    in_state = np.empty((2, units), np.float32)
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
                squares_h, squares_c = splat(ZERO), splat(ZERO)
                for k in range(0, units, LANES):
                    dh = load(pointer(arriving, (0, run, b, k)), 0)
                    if scored:
                        dh = dh + load(outside, k) * splat(down) * splat(more)
                    own = pointer(gates, (run, t, b, 0, k))
                    i, f, g, o = load(own, 0), load(own, units), load(own, 2 * units), load(own, 3 * units)
                    before = load(pointer(cells, (run, t, b, k)), 0)
                    seen_c = tanh(load(pointer(cells, (run, t + 1, b, k)), 0))
                    dc = fused(dh, o * one_less_square(seen_c), load(pointer(arriving, (1, run, b, k)), 0))
                    store(pointer(arriving, (1, run, b, k)), 0, dc * f)
                    squares_h, squares_c = fused(dh, dh, squares_h), fused(dc, dc, squares_c)
                    store(pointer(in_state, (0, k)), 0, dh)
                    store(pointer(in_state, (1, k)), 0, dc)
                    own = pointer(delta, (b, k))
                    store(own, 0, dc * (g * i * (splat(ONE) - i)))
                    store(own, units, dc * (before * f * (splat(ONE) - f)))
                    store(own, 2 * units, dc * (i * one_less_square(g)))
                    store(own, 3 * units, dh * (seen_c * o * (splat(ONE) - o)))
                own = pointer(delta, (b, 0))
                scaled(own, rows, power[b], pointer(unscaled, (slot, b, 0)))
                norm_h = norm(squares_h, pointer(in_state, (0, 0)), units)
                norm_c = norm(squares_c, pointer(in_state, (1, 0)), units)
                sizes[0, run, t, b], sizes[1, run, t, b], powers[run, t, b] = norm_h, norm_c, power[b]
                power[b] = power_after(power[b], max(norm_h, norm_c), own, rows, arriving, run, b)
            product(
                pointer(arriving, (0, run, 0, 0)), units, batch, units // LANES, pointer(delta, (0, 0)), rows, 1,
                pointer(weights, (run, 0, 0, 0)), rows * LANES, LANES, rows, False,
            )  # fmt: skip
            if keep.shape[1] > 0 and keep[run, t] != 1:
                arriving[0, run] *= keep[run, t]
            onto_inputs(unscaled, slot, input_weights, into_x, run, t)
            if slot == 0:
                onto_weights(seen, unscaled, into_seen, run, t, min(slots, time - t))
        for b in range(batch):
            arriving_scaled(arriving, run, b, power[b])
