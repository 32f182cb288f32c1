"""The steps of the LSTM of 1997, forward and back. Letters and layouts: ``lrd.kernels.cpu`` and ``lstm1997_weights``.

The equations are those of ``lrd.cells.LSTM1997``, with g = 2 tanh(net / 2) or sigmoid(net), and h(c) = tanh(c / 2) or
c; g' = 1 - g^2 / 4 or g (1 - g), and h' = (1 - h(c)^2) / 2 or 1. With r_t, q_t and s_t for what arrives at h_t, y_t and
c_t from later steps, and a sum over the cells of the block of each gate,

    dL/dh_t     = dL/dh_t directly + r_t,
    dL/dc_t     = s_t + y^out_t h'(c_t) dL/dh_t,                 s_{t-1} = dL/dc_t,
    dL/dy^in_t  = q^in_t + sum g_t dL/dc_t,                       delta of input gates  = y (1 - y) dL/dy,
    dL/dy^out_t = q^out_t + sum h(c_t) dL/dh_t,                   delta of output gates = y (1 - y) dL/dy,
    (r_{t-1}, q_{t-1}) = W^T delta_t, or 0 where truncated,       delta of cells        = y^in g' dL/dc.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from lrd.kernels.cpu.compiled import inner, program
from lrd.kernels.cpu.functions import ONE, TWO, ZERO, logistic, one_less_square, tanh
from lrd.kernels.cpu.lstm1997_weights import (
    CELL,
    INPUT,
    OUTPUT,
    lay_by_columns,
    lay_by_rows,
    lay_inputs_by_rows,
    part_gradients,
    place_of_gate,
)
from lrd.kernels.cpu.products import product
from lrd.kernels.cpu.samples import arriving_scaled, halves, norm, power_after, power_with, scaled
from lrd.kernels.cpu.vectors import LANES, fused, load, pointer, splat, store
from lrd.kernels.cpu.weights import at_once, onto_inputs, onto_weights

_HALF = np.float32(0.5)
_OF_STATE = 3  # the place of h(c_t) among what is kept of a step, after y^in, g and y^out


@inner
@no_type_check
def _gates_of_blocks(gates, place, s, hidden, size, out):
    """Write the gates of a sample, one number a block: as many as there is room for."""
    blocks = hidden // size
    for k in range(len(out)):
        if k < blocks:
            out[k] = gates[place[0], place[1], s, INPUT, k * size]
        else:
            out[k] = gates[place[0], place[1], s, OUTPUT, (k - blocks) * size]


@program(
    "void(f4[:,:,:,:], f4[:,:,:], f4[:,:,:], f4[:,:], f4[:,:,:], f4[:,:,:], f4[:,:,:], i8, b1, b1,"
    " f4[:,:,:,::1], f4[:,:,:,:,::1], f4[:,:,:,::1], f4[:,:,::1], f4[:,:,::1], f4[:,:,::1])"
)
@no_type_check
def forward(x, u, w, b, h0, c0, y0, size, logistic_input, identity, seen, gates, h, last_h, last_c, last_y):
    """Run all steps.

    Args:
        x: [R, T, B, I].
        u: [R, rows, I].
        w: [R, rows, what a step sees of the states before].
        b: [R, biased rows], the first ones.
        h0: [R, B, cells].
        c0: [R, B, cells].
        y0: [R, B, gates].
        size: Cells of a block.
        logistic_input: Whether g is the logistic function.
        identity: Whether h(c) = c.
        seen: [R, T, B, D], where what each step sees goes.
        gates: [R, T, B, 4, N], where y^in, g, y^out and h(c) are kept; or [1, 1, B, 4, N], where they need not be.
        h: [R, S, B, cells], where h of the last S steps goes.
        last_h: [R, B, cells], where the last states go.
        last_c: [R, B, cells].
        last_y: [R, B, gates].
    """
    runs, time, batch, depth = seen.shape
    hidden, units, first = h0.shape[2], gates.shape[4], time - h.shape[1]
    parts, states = 1 + y0.shape[2] // (hidden // size), w.shape[2]
    kept = gates.shape[0] == runs and gates.shape[1] == time
    weights = np.zeros((parts, units // LANES, depth, LANES), np.float32)
    sums = np.empty((batch, 3 * LANES), np.float32)
    cells, now = np.zeros((batch, units), np.float32), np.empty((batch, units), np.float32)
    for run in range(runs):
        lay_by_columns(u, w, b, run, hidden, size, weights)
        for s in range(batch):
            cells[s, :hidden] = c0[run, s]
            for k in range(states):
                seen[run, 0, s, k] = h0[run, s, k] if k < hidden else y0[run, s, k - hidden]
        for t in range(time):
            place = (run, t) if kept else (0, 0)
            for s in range(batch):
                for k in range(u.shape[2]):
                    seen[run, t, s, states + k] = x[run, t, s, k]
                seen[run, t, s, depth - 1] = ONE
            # Gates, cells and h, sixteen cells at a time.
            for block in range(units // LANES):
                product(
                    pointer(sums, (0, 0)), 3 * LANES, batch, parts, pointer(seen, (run, t, 0, 0)), depth, 1,
                    pointer(weights, (0, block, 0, 0)), units * depth, LANES, depth, False,
                )  # fmt: skip
                for s in range(batch):
                    a, k = pointer(sums, (s, 0)), block * LANES
                    lets_in = logistic(load(a, INPUT * LANES))
                    net = load(a, CELL * LANES)
                    g = logistic(net) if logistic_input else splat(TWO) * tanh(splat(_HALF) * net)
                    lets_out = logistic(load(a, OUTPUT * LANES)) if parts > OUTPUT else splat(ONE)
                    c = fused(lets_in, g, load(pointer(cells, (s, k)), 0))
                    of_state = c if identity else tanh(splat(_HALF) * c)
                    own = pointer(gates, (place[0], place[1], s, 0, k))
                    store(own, INPUT * units, lets_in)
                    store(own, CELL * units, g)
                    store(own, OUTPUT * units, lets_out)
                    store(own, _OF_STATE * units, of_state)
                    store(pointer(cells, (s, k)), 0, c)
                    store(pointer(now, (s, k)), 0, lets_out * of_state)
            # What the next step sees, and what is wanted of this one.
            for s in range(batch):
                if t + 1 < time:
                    for k in range(min(states, hidden)):
                        seen[run, t + 1, s, k] = now[s, k]
                    _gates_of_blocks(gates, place, s, hidden, size, seen[run, t + 1, s, hidden:states])
                if t >= first:
                    for k in range(hidden):
                        h[run, t - first, s, k] = now[s, k]
                if t == time - 1:
                    last_h[run, s] = now[s, :hidden]
                    last_c[run, s] = cells[s, :hidden]
                    _gates_of_blocks(gates, place, s, hidden, size, last_y[run, s])


@inner
@no_type_check
def _add_up_blocks(in_state, end, hidden, size):
    """Put the sum over each block in the place of its first cell, and zeros in those of the others, for all gates."""
    for which in range(2, end):
        for k in range(0, hidden, size):
            found = in_state[which, k]
            for other in range(k + 1, k + size):
                found += in_state[which, other]
                in_state[which, other] = ZERO
            in_state[which, k] = found


@program(
    "void(f4[:,:,:], f4[:,:,:], i8, b1, b1, b1, f4[:,:,:,::1], f4[:,:,:,:,::1], f4[:,:,:,:], f4[:,:,:], f4[:,:,:],"
    " f4[:,:,:], f4[:,:,::1], f4[:,:,::1], f4[:,::1], f4[:,:,:,::1], f4[:,:,::1], f4[:,:,::1], f4[:,:,::1],"
    " f8[:,:,:,::1], i4[:,:,::1])"
)
@no_type_check
def backward(
    u, w, size, logistic_input, identity, truncated, seen, gates, direct, on_h, on_c, on_y,
    into_u, into_w, into_b, into_x, into_h, into_c, into_y, sizes, powers,
):  # fmt: skip
    """Go back from the last step to the first.

    Args:
        u: [R, rows, I].
        w: [R, rows, what a step sees of the states before].
        size: Cells of a block.
        logistic_input: Whether g is the logistic function.
        identity: Whether h(c) = c.
        truncated: Whether no gradient passes through W to the step before.
        seen: [R, T, B, D], as ``forward`` leaves it.
        gates: [R, T, B, 4, N], as ``forward`` leaves them.
        direct: [R, S, B, cells], the gradient of h of the last S steps from outside.
        on_h: [R, B, cells], the gradients of the last states.
        on_c: [R, B, cells].
        on_y: [R, B, gates].
        into_u: [R, rows, I], where the gradients of the parameters go.
        into_w: As ``w``.
        into_b: [R, biased rows].
        into_x: [R, T, B, I], where the gradient of x goes; I = 0 where none is wanted.
        into_h: [R, B, cells], where the gradients of the initial states go.
        into_c: [R, B, cells].
        into_y: [R, B, gates].
        sizes: [3, R, T, B], where the norms of the gradients of h, c and y go, in units of
        powers: [R, T, B], 2 to this power.
    """
    runs, time, batch, depth = seen.shape
    hidden, units, first = on_h.shape[2], gates.shape[4], time - direct.shape[1]
    blocks, states, inputs = hidden // size, w.shape[2], into_x.shape[3]
    parts = 1 + on_y.shape[2] // blocks
    rows, slots = parts * units, at_once(batch)
    # How many vectors of h, y^in and y^out get a gradient through W.
    reached = 0 if truncated or states == 0 else (1 if states == hidden else parts) * units
    of_c = 3 * units
    weights = np.zeros((parts, 3 * units // LANES, units, LANES), np.float32)
    input_weights = np.zeros((runs, -(-inputs // LANES), rows, LANES), np.float32)
    into_seen = np.zeros((runs, depth, rows), np.float32)
    arriving = np.empty((1, 1, batch, 4 * units), np.float32)  # at h, y^in, y^out and c
    outside = np.zeros(4 * units, np.float32)
    delta = np.empty((batch, rows), np.float32)  # of one step, in each sample's own units
    unscaled = np.empty((slots, batch, rows), np.float32)  # of some steps, in units of 1
    in_state = np.zeros((4, units), np.float32)  # the gradient of h, c, y^in and y^out
    power = np.empty(batch, np.int64)
    for run in range(runs):
        lay_by_rows(w, run, hidden, size, units, weights)
        lay_inputs_by_rows(u, run, hidden, size, units, parts, input_weights)
        # The gradients of the last states.
        power[:] = 0
        arriving[:] = 0
        for s in range(batch):
            own = arriving[0, 0, s]
            own[:hidden] = on_h[run, s]
            own[of_c : of_c + hidden] = on_c[run, s]
            for k in range(on_y.shape[2]):
                own[place_of_gate(k, blocks, size, units)] = on_y[run, s, k]
        for t in range(time - 1, -1, -1):
            slot, scored = t % slots, t >= first
            for s in range(batch):
                if scored:
                    for k in range(hidden):
                        outside[k] = direct[run, t - first, s, k]
                    power[s] = power_with(power[s], pointer(outside, (0,)), arriving, 0, s)
                down, more = halves(-power[s])
                squares_h, squares_c, squares_y = splat(ZERO), splat(ZERO), splat(ZERO)
                # The gradients of the states.
                for k in range(0, units, LANES):
                    come, own = pointer(arriving, (0, 0, s, k)), pointer(gates, (run, t, s, 0, k))
                    dh = load(come, 0)
                    if scored:
                        dh = dh + load(pointer(outside, (k,)), 0) * splat(down) * splat(more)
                    of_state = load(own, _OF_STATE * units)
                    slope = splat(ONE) if identity else splat(_HALF) * one_less_square(of_state)
                    dc = fused(dh, load(own, OUTPUT * units) * slope, load(come, of_c))
                    store(come, of_c, dc)
                    squares_h, squares_c = fused(dh, dh, squares_h), fused(dc, dc, squares_c)
                    here = pointer(in_state, (0, k))
                    store(here, 0, dh)
                    store(here, units, dc)
                    store(here, 2 * units, fused(dc, load(own, CELL * units), load(come, units)))
                    if parts > OUTPUT:
                        store(here, 3 * units, fused(dh, of_state, load(come, 2 * units)))
                if size > 1:
                    _add_up_blocks(in_state, 1 + parts, hidden, size)
                # The gradients of the pre-activations.
                for k in range(0, units, LANES):
                    own, here, of_rows = (
                        pointer(gates, (run, t, s, 0, k)),
                        pointer(in_state, (0, k)),
                        pointer(delta, (s, k)),
                    )
                    lets_in, dy = load(own, 0), load(here, 2 * units)
                    squares_y = fused(dy, dy, squares_y)
                    store(of_rows, INPUT * units, dy * (lets_in * (splat(ONE) - lets_in)))
                    dc, g = load(here, units), load(own, CELL * units)
                    slope = g * (splat(ONE) - g) if logistic_input else one_less_square(splat(_HALF) * g)
                    store(of_rows, CELL * units, dc * (lets_in * slope))
                    if parts > OUTPUT:
                        lets_out, dy = load(own, OUTPUT * units), load(here, 3 * units)
                        squares_y = fused(dy, dy, squares_y)
                        store(of_rows, OUTPUT * units, dy * (lets_out * (splat(ONE) - lets_out)))
                own = pointer(delta, (s, 0))
                scaled(own, rows, power[s], pointer(unscaled, (slot, s, 0)))
                # Norms, and the power of two with which the sample goes on.
                norm_h = norm(squares_h, pointer(in_state, (0, 0)), units)
                norm_c = norm(squares_c, pointer(in_state, (1, 0)), units)
                norm_y = norm(squares_y, pointer(in_state, (2, 0)), (parts - 1) * units)
                sizes[0, run, t, s], sizes[1, run, t, s], sizes[2, run, t, s] = norm_h, norm_c, norm_y
                powers[run, t, s] = power[s]
                power[s] = power_after(power[s], max(norm_h, norm_c, norm_y), own, rows, arriving, 0, s)
                arriving[0, 0, s, reached:of_c] = 0
            # To the states before, to x_t, and to the weights.
            if reached > 0:
                for part in range(parts):
                    every = 1 if part == CELL else size
                    product(
                        pointer(arriving, (0, 0, 0, 0)), 4 * units, batch, reached // LANES,
                        pointer(delta, (0, part * units)), rows, every,
                        pointer(weights, (part, 0, 0, 0)), units * LANES, every * LANES, hidden // every, part > 0,
                    )  # fmt: skip
            onto_inputs(unscaled, slot, input_weights, into_x, run, t)
            if slot == 0:
                onto_weights(seen, unscaled, into_seen, run, t, min(slots, time - t))
        part_gradients(into_seen, run, hidden, size, units, parts, into_u, into_w, into_b)
        for s in range(batch):
            arriving_scaled(arriving, 0, s, power[s])
            own = arriving[0, 0, s]
            into_h[run, s] = own[:hidden]
            into_c[run, s] = own[of_c : of_c + hidden]
            for k in range(into_y.shape[2]):
                into_y[run, s, k] = own[place_of_gate(k, blocks, size, units)]
