"""The Triton programs of the vanilla RNN. Letters: ``lrd.kernels.fused``.

The equations are those of ``lrd.kernels.packed_rnn``, with r_t for what arrives at h_t from later steps:

    h_t = f(U x_t + b + W h_{t-1}),      dL/dh_t = dL/dh_t directly + r_t,
    delta_t = f'(a_t) dL/dh_t,           r_{t-1} = W^T delta_t.
"""

from __future__ import annotations

from typing import no_type_check

import triton
import triton.language as tl

from lrd.kernels.fused.arithmetic import (
    common,
    dot,
    largest_in,
    largest_of,
    logistic,
    matrix,
    shifted,
    squares_with,
    streamed,
    tanh,
)


@triton.jit
@no_type_check
def _activated(a, ACTIVATION: tl.constexpr):
    if ACTIVATION == "tanh":
        a = tanh(a)
    elif ACTIVATION == "relu":
        a = tl.where(a < 0, 0.0, a)  # not maximum, which would make 0 of nan
    elif ACTIVATION == "sigmoid":
        a = logistic(a)
    return a


@triton.jit
@no_type_check
def _slope(h, ACTIVATION: tl.constexpr):
    """Return f'(a) from h = f(a)."""
    if ACTIVATION == "tanh":
        slope = 1.0 - h * h
    elif ACTIVATION == "relu":
        slope = tl.where(h > 0, 1.0, 0.0)
    elif ACTIVATION == "sigmoid":
        slope = h * (1.0 - h)
    else:
        slope = tl.full(h.shape, 1.0, tl.float32)
    return slope


@triton.jit(do_not_specialize=["time"])
@no_type_check
def forward(
    a, w, states, time, batch, hidden, ACTIVATION: tl.constexpr, ROWS: tl.constexpr, PADDED: tl.constexpr,
    INNER: tl.constexpr, UNITS: tl.constexpr, RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Run all steps of a tile of samples.

    Tensors:
        a: [R, T, B, N], U x_t + b.
        w: [R, N, N].
        states: [R, T + 1, B, N], h; the first is given.
    """
    run = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    step = batch * hidden
    a += run * time * step
    states += run * (time + 1) * step
    w += run * hidden * hidden
    if RESIDENT:
        all_units = tl.arange(0, PADDED)
        held = matrix(w, all_units, all_units, 1, hidden, hidden)  # W^T: h stands in rows
        place = rows[:, None] * hidden + all_units[None, :]
        h = tl.load(states + place, mask=(rows < batch)[:, None] & (all_units < hidden)[None, :], other=0.0)
    for _ in range(time):
        for start in range(0, PADDED, UNITS):
            units = start + tl.arange(0, UNITS)
            place = rows[:, None] * hidden + units[None, :]
            there = (rows < batch)[:, None] & (units < hidden)[None, :]
            new = tl.load(a + place, mask=there, other=0.0)
            if RESIDENT:
                new += dot(h, held, PRECISION)
            else:
                new += streamed(
                    states, hidden, w, 1, hidden, rows, units, batch, hidden, PADDED, INNER, PRECISION
                )  # fmt: skip
            new = _activated(new, ACTIVATION)
            tl.store(states + step + place, new, mask=there)
            if RESIDENT:
                h = new
        a += step
        states += step
        if not RESIDENT:
            tl.debug_barrier()  # the next step reads what other threads wrote


@triton.jit(do_not_specialize=["time", "steps"])
@no_type_check
def backward(
    direct, w, states, delta, arriving, scaled, size, power, time, steps, batch, hidden, NORMS: tl.constexpr,
    ACTIVATION: tl.constexpr, ROWS: tl.constexpr, PADDED: tl.constexpr, INNER: tl.constexpr, UNITS: tl.constexpr,
    RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Go through all steps of a tile of samples from the last to the first.

    Tensors:
        direct: [R, steps, B, N], dL/dh_t directly, of the last ``steps`` steps.
        w: [R, N, N].
        states: [R, T + 1, B, N].
        delta: [R, T, B, N], which is written.
        arriving: [R, B, N], gradient of the last h; r_0, that of the initial state h_0, is written over it.
        scaled: [R, B, N], delta_t of the present step without the samples' powers of two.
        size, power: [R, T, B], written where NORMS (see ``GradientNorms.put``).
    """
    run = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    step = batch * hidden
    direct += (run * steps + steps - 1) * step
    states += (run * (time + 1) + time) * step
    delta += (run * time + time - 1) * step
    arriving += run * step
    w += run * hidden * hidden
    if NORMS:
        scaled += run * step
        of_sizes = (run * time + time - 1) * batch + rows
        shared = tl.zeros([ROWS], dtype=tl.int32)  # gradients that go on are times 2^shared
        largest = largest_in(arriving, rows, True, batch, hidden, PADDED, UNITS)
    if RESIDENT:
        all_units = tl.arange(0, PADDED)
        held = matrix(w, all_units, all_units, hidden, 1, hidden)
        place = rows[:, None] * hidden + all_units[None, :]
        r = tl.load(arriving + place, mask=(rows < batch)[:, None] & (all_units < hidden)[None, :], other=0.0)
    for back in range(time):
        scored = back < steps
        if NORMS:
            largest_direct = largest_in(direct, rows, scored, batch, hidden, PADDED, UNITS)
            before = shared
            shared = common(largest, before, largest_direct)
            total = tl.zeros([ROWS], dtype=tl.float32)
            total_power = tl.full([ROWS], -126, dtype=tl.int32)
            largest = tl.zeros([ROWS], dtype=tl.float32)
        for start in range(0, PADDED, UNITS):
            units = start + tl.arange(0, UNITS)
            place = rows[:, None] * hidden + units[None, :]
            there = (rows < batch)[:, None] & (units < hidden)[None, :]
            h = tl.load(states + place, mask=there, other=0.0)
            dh = tl.load(direct + place, mask=there & scored, other=0.0)
            if not RESIDENT:
                r = tl.load(arriving + place, mask=there, other=0.0)
            if NORMS:
                dh = shifted(dh, -shared) + shifted(r, before - shared)
                total, total_power = squares_with(total, total_power, dh)
            else:
                dh += r
            d = dh * _slope(h, ACTIVATION)
            if NORMS:
                tl.store(delta + place, shifted(d, shared), mask=there)
                if not RESIDENT:
                    tl.store(scaled + place, d, mask=there)
            else:
                tl.store(delta + place, d, mask=there)
            if RESIDENT:
                r = dot(d, held, PRECISION)
                if NORMS:
                    largest = tl.maximum(largest, largest_of(r))
        if NORMS:
            tl.store(size + of_sizes, tl.sqrt(total), mask=rows < batch)
            tl.store(power + of_sizes, total_power + shared, mask=rows < batch)
            of_sizes -= batch
        if not RESIDENT:
            tl.debug_barrier()  # what follows, and the next step, read what other threads wrote
            for start in range(0, PADDED, UNITS):
                units = start + tl.arange(0, UNITS)
                r = streamed(
                    scaled if NORMS else delta, hidden, w, hidden, 1, rows, units, batch, hidden, PADDED, INNER,
                    PRECISION,
                )  # fmt: skip
                if NORMS:
                    largest = tl.maximum(largest, largest_of(r))
                there = (rows < batch)[:, None] & (units < hidden)[None, :]
                tl.store(arriving + rows[:, None] * hidden + units[None, :], r, mask=there)
            tl.debug_barrier()
        direct -= step
        states -= step
        delta -= step
    for start in range(0, PADDED, UNITS):
        units = start + tl.arange(0, UNITS)
        place = rows[:, None] * hidden + units[None, :]
        there = (rows < batch)[:, None] & (units < hidden)[None, :]
        if not RESIDENT:
            r = tl.load(arriving + place, mask=there, other=0.0)
        if NORMS:
            r = shifted(r, shared)
        tl.store(arriving + place, r, mask=there)
