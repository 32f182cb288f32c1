"""The Triton programs of the GRU, in torch's variant. Letters: ``lrd.kernels.fused``.

Reference: ``lrd.cells.gru``. With q_t = W_n h_{t-1} + d, and y_t for what arrives at h_t from later steps,

    dL/dh_t = dL/dh_t directly + y_t,            v_t = dL/dh_t (1 - z_t) (1 - n_t^2),
    delta_t of (n from x, r, z, q) = (v_t, v_t q_t r_t (1 - r_t), dL/dh_t (h_{t-1} - n_t) z_t (1 - z_t), v_t r_t),
    y_{t-1} = z_t dL/dh_t + W^T delta_t of (r, z, q).

delta stands in that order, so that the rows of U's gradient (n, r, z) and of W's (r, z, q) each stand together.
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


@triton.jit(do_not_specialize=["time"])
@no_type_check
def forward(
    gates, w, d, states, from_h, time, batch, hidden, ROWS: tl.constexpr, PADDED: tl.constexpr, INNER: tl.constexpr,
    UNITS: tl.constexpr, RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Run all steps of a tile of samples.

    Tensors:
        gates: [R, T, B, 3 N], U x_t + b; r, z and n take their place.
        w: [R, 3 N, N].
        d: [R, N].
        states: [R, T + 1, B, N], h; the first is given.
        from_h: [R, T, B, N], q_t, which is written.
    """
    run = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    step, square = batch * hidden, hidden * hidden
    gates += run * time * step * 3
    from_h += run * time * step
    states += run * (time + 1) * step
    w += run * square * 3
    d += run * hidden
    if RESIDENT:
        all_units = tl.arange(0, PADDED)
        w_r = matrix(w, all_units, all_units, 1, hidden, hidden)  # W^T: h stands in rows
        w_z = matrix(w + square, all_units, all_units, 1, hidden, hidden)
        w_n = matrix(w + 2 * square, all_units, all_units, 1, hidden, hidden)
        place = rows[:, None] * hidden + all_units[None, :]
        h = tl.load(states + place, mask=(rows < batch)[:, None] & (all_units < hidden)[None, :], other=0.0)
    for _ in range(time):
        for start in range(0, PADDED, UNITS):
            units = start + tl.arange(0, UNITS)
            place = rows[:, None] * hidden + units[None, :]
            gate = gates + rows[:, None] * (3 * hidden) + units[None, :]
            there = (rows < batch)[:, None] & (units < hidden)[None, :]
            r = tl.load(gate, mask=there, other=0.0)
            z = tl.load(gate + hidden, mask=there, other=0.0)
            n = tl.load(gate + 2 * hidden, mask=there, other=0.0)
            q = tl.load(d + units, mask=units < hidden, other=0.0)[None, :] + tl.zeros([ROWS, UNITS], tl.float32)
            if RESIDENT:
                r += dot(h, w_r, PRECISION)
                z += dot(h, w_z, PRECISION)
                q += dot(h, w_n, PRECISION)
                before = h
            else:
                before = tl.load(states + place, mask=there, other=0.0)
                for low in range(0, PADDED, INNER):
                    inner = low + tl.arange(0, INNER)
                    known = (rows < batch)[:, None] & (inner < hidden)[None, :]
                    h = tl.load(states + rows[:, None] * hidden + inner[None, :], mask=known, other=0.0)
                    r += dot(h, matrix(w, inner, units, 1, hidden, hidden), PRECISION)
                    z += dot(h, matrix(w + square, inner, units, 1, hidden, hidden), PRECISION)
                    q += dot(h, matrix(w + 2 * square, inner, units, 1, hidden, hidden), PRECISION)
            r, z = logistic(r), logistic(z)
            n = tanh(n + r * q)
            new = (1.0 - z) * n + z * before
            tl.store(gate, r, mask=there)
            tl.store(gate + hidden, z, mask=there)
            tl.store(gate + 2 * hidden, n, mask=there)
            tl.store(from_h + place, q, mask=there)
            tl.store(states + step + place, new, mask=there)
            if RESIDENT:
                h = new
        gates += 3 * step
        from_h += step
        states += step
        if not RESIDENT:
            tl.debug_barrier()  # the next step reads what other threads wrote


@triton.jit(do_not_specialize=["time", "steps"])
@no_type_check
def backward(
    direct, w, gates, from_h, states, delta, arriving, scaled, size, power, time, steps, batch, hidden,
    NORMS: tl.constexpr, ROWS: tl.constexpr, PADDED: tl.constexpr, INNER: tl.constexpr, UNITS: tl.constexpr,
    RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Go through all steps of a tile of samples from the last to the first.

    Tensors:
        direct: [R, steps, B, N], dL/dh_t directly, of the last ``steps`` steps.
        gates: [R, T, B, 3 N].
        from_h: [R, T, B, N], q_t.
        states: [R, T + 1, B, N].
        delta: [R, T, B, 4 N], which is written.
        arriving: [R, B, N], gradient of the last h; y_0, that of the initial state h_0, is written over it.
        scaled: [R, B, 3 N], delta_t of (r, z, q) of the present step without the samples' powers of two.
        size, power: [R, T, B], written where NORMS (see ``GradientNorms.put``).
    """
    run = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    step, square = batch * hidden, hidden * hidden
    direct += (run * steps + steps - 1) * step
    states += (run * (time + 1) + time - 1) * step  # h_{t-1}
    gates += (run * time + time - 1) * step * 3
    from_h += (run * time + time - 1) * step
    delta += (run * time + time - 1) * step * 4
    arriving += run * step
    w += run * square * 3
    if NORMS:
        scaled += run * step * 3
        of_sizes = (run * time + time - 1) * batch + rows
        shared = tl.zeros([ROWS], dtype=tl.int32)  # gradients that go on are times 2^shared
        largest = largest_in(arriving, rows, True, batch, hidden, PADDED, UNITS)
    if RESIDENT:
        all_units = tl.arange(0, PADDED)
        w_r = matrix(w, all_units, all_units, hidden, 1, hidden)
        w_z = matrix(w + square, all_units, all_units, hidden, 1, hidden)
        w_n = matrix(w + 2 * square, all_units, all_units, hidden, 1, hidden)
        place = rows[:, None] * hidden + all_units[None, :]
        y = tl.load(arriving + place, mask=(rows < batch)[:, None] & (all_units < hidden)[None, :], other=0.0)
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
            gate = gates + rows[:, None] * (3 * hidden) + units[None, :]
            there = (rows < batch)[:, None] & (units < hidden)[None, :]
            r = tl.load(gate, mask=there, other=0.0)
            z = tl.load(gate + hidden, mask=there, other=0.0)
            n = tl.load(gate + 2 * hidden, mask=there, other=0.0)
            q = tl.load(from_h + place, mask=there, other=0.0)
            h = tl.load(states + place, mask=there, other=0.0)
            dh = tl.load(direct + place, mask=there & scored, other=0.0)
            if not RESIDENT:
                y = tl.load(arriving + place, mask=there, other=0.0)
            if NORMS:
                dh = shifted(dh, -shared) + shifted(y, before - shared)
                total, total_power = squares_with(total, total_power, dh)
            else:
                dh += y
            d_n = dh * (1.0 - z) * (1.0 - n * n)
            d_r = d_n * q * r * (1.0 - r)
            d_z = dh * (h - n) * z * (1.0 - z)
            d_q = d_n * r
            y = dh * z
            into = delta + rows[:, None] * (4 * hidden) + units[None, :]
            if NORMS:
                if not RESIDENT:
                    here = scaled + rows[:, None] * (3 * hidden) + units[None, :]
                    tl.store(here, d_r, mask=there)
                    tl.store(here + hidden, d_z, mask=there)
                    tl.store(here + 2 * hidden, d_q, mask=there)
                tl.store(into, shifted(d_n, shared), mask=there)
                tl.store(into + hidden, shifted(d_r, shared), mask=there)
                tl.store(into + 2 * hidden, shifted(d_z, shared), mask=there)
                tl.store(into + 3 * hidden, shifted(d_q, shared), mask=there)
            else:
                tl.store(into, d_n, mask=there)
                tl.store(into + hidden, d_r, mask=there)
                tl.store(into + 2 * hidden, d_z, mask=there)
                tl.store(into + 3 * hidden, d_q, mask=there)
            if RESIDENT:
                y += dot(d_r, w_r, PRECISION) + dot(d_z, w_z, PRECISION) + dot(d_q, w_n, PRECISION)
                if NORMS:
                    largest = tl.maximum(largest, largest_of(y))
            else:
                tl.store(arriving + place, y, mask=there)
        if NORMS:
            tl.store(size + of_sizes, tl.sqrt(total), mask=rows < batch)
            tl.store(power + of_sizes, total_power + shared, mask=rows < batch)
            of_sizes -= batch
        if not RESIDENT:
            tl.debug_barrier()  # what follows, and the next step, read what other threads wrote
            from_gates = scaled if NORMS else delta + hidden
            row = 3 * hidden if NORMS else 4 * hidden
            for start in range(0, PADDED, UNITS):
                units = start + tl.arange(0, UNITS)
                place = arriving + rows[:, None] * hidden + units[None, :]
                there = (rows < batch)[:, None] & (units < hidden)[None, :]
                y = tl.load(place, mask=there, other=0.0)
                for number in tl.static_range(3):
                    y += streamed(
                        from_gates + number * hidden, row, w + number * square, hidden, 1, rows, units, batch, hidden,
                        PADDED, INNER, PRECISION,
                    )  # fmt: skip
                if NORMS:
                    largest = tl.maximum(largest, largest_of(y))
                tl.store(place, y, mask=there)
            tl.debug_barrier()
        direct -= step
        states -= step
        gates -= 3 * step
        from_h -= step
        delta -= 4 * step
    for start in range(0, PADDED, UNITS):
        units = start + tl.arange(0, UNITS)
        place = rows[:, None] * hidden + units[None, :]
        there = (rows < batch)[:, None] & (units < hidden)[None, :]
        if not RESIDENT:
            y = tl.load(arriving + place, mask=there, other=0.0)
        if NORMS:
            y = shifted(y, shared)
        tl.store(arriving + place, y, mask=there)
