"""The Triton programs of the LSTM. Letters: ``lrd.kernels.fused``; gates in torch's order i, f, g, o.

The equations are those of ``lrd.kernels.packed_lstm``, with r_t and s_t for what arrives at h_t and c_t from later
steps, and q_t = o_t (1 - tanh(c_t)^2):

    dL/dh_t = dL/dh_t directly + r_t,            r_{t-1} = k_t W^T delta_t,
    dL/dc_t = s_t + q_t dL/dh_t,                 s_{t-1} = f_t dL/dc_t.
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
def _write(place, hidden, i, f, g, o, there):
    """Write the numbers of the four gates: those of i at ``place``, each further gate ``hidden`` numbers on."""
    tl.store(place, i, mask=there)
    tl.store(place + hidden, f, mask=there)
    tl.store(place + 2 * hidden, g, mask=there)
    tl.store(place + 3 * hidden, o, mask=there)


@triton.jit(do_not_specialize=["time"])
@no_type_check
def forward(
    gates, w, states, cells, time, batch, hidden, ROWS: tl.constexpr, PADDED: tl.constexpr, INNER: tl.constexpr,
    UNITS: tl.constexpr, RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Run all steps of a tile of samples.

    Tensors:
        gates: [R, T, B, 4 N], U x_t + b; the gates take their place.
        w: [R, 4 N, N].
        states: [R, T + 1, B, N], h; the first is given.
        cells: [R, T + 1, B, N], c; the first is given.
    """
    run = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    step, square = batch * hidden, hidden * hidden
    gates += run * time * step * 4
    states += run * (time + 1) * step
    cells += run * (time + 1) * step
    w += run * square * 4
    if RESIDENT:
        all_units = tl.arange(0, PADDED)
        w_i = matrix(w, all_units, all_units, 1, hidden, hidden)  # W^T: h stands in rows
        w_f = matrix(w + square, all_units, all_units, 1, hidden, hidden)
        w_g = matrix(w + 2 * square, all_units, all_units, 1, hidden, hidden)
        w_o = matrix(w + 3 * square, all_units, all_units, 1, hidden, hidden)
        place = rows[:, None] * hidden + all_units[None, :]
        there = (rows < batch)[:, None] & (all_units < hidden)[None, :]
        h = tl.load(states + place, mask=there, other=0.0)
        c = tl.load(cells + place, mask=there, other=0.0)
    for _ in range(time):
        for start in range(0, PADDED, UNITS):
            units = start + tl.arange(0, UNITS)
            place = rows[:, None] * hidden + units[None, :]
            gate = gates + rows[:, None] * (4 * hidden) + units[None, :]
            there = (rows < batch)[:, None] & (units < hidden)[None, :]
            i = tl.load(gate, mask=there, other=0.0)
            f = tl.load(gate + hidden, mask=there, other=0.0)
            g = tl.load(gate + 2 * hidden, mask=there, other=0.0)
            o = tl.load(gate + 3 * hidden, mask=there, other=0.0)
            if RESIDENT:
                i += dot(h, w_i, PRECISION)
                f += dot(h, w_f, PRECISION)
                g += dot(h, w_g, PRECISION)
                o += dot(h, w_o, PRECISION)
            else:
                c = tl.load(cells + place, mask=there, other=0.0)
                for low in range(0, PADDED, INNER):
                    inner = low + tl.arange(0, INNER)
                    known = (rows < batch)[:, None] & (inner < hidden)[None, :]
                    h = tl.load(states + rows[:, None] * hidden + inner[None, :], mask=known, other=0.0)
                    i += dot(h, matrix(w, inner, units, 1, hidden, hidden), PRECISION)
                    f += dot(h, matrix(w + square, inner, units, 1, hidden, hidden), PRECISION)
                    g += dot(h, matrix(w + 2 * square, inner, units, 1, hidden, hidden), PRECISION)
                    o += dot(h, matrix(w + 3 * square, inner, units, 1, hidden, hidden), PRECISION)
            i, f, g, o = logistic(i), logistic(f), tanh(g), logistic(o)
            c = f * c + i * g
            new = o * tanh(c)
            _write(gate, hidden, i, f, g, o, there)
            tl.store(cells + step + place, c, mask=there)
            tl.store(states + step + place, new, mask=there)
            if RESIDENT:
                h = new
        gates += 4 * step
        states += step
        cells += step
        if not RESIDENT:
            tl.debug_barrier()  # the next step reads what other threads wrote


@triton.jit(do_not_specialize=["time", "steps"])
@no_type_check
def backward(
    direct, w, gates, cells, keep, delta, arriving_h, arriving_c, scaled, size_h, size_c, power_h, power_c,
    time, steps, batch, hidden, CUT: tl.constexpr, NORMS: tl.constexpr, ROWS: tl.constexpr, PADDED: tl.constexpr,
    INNER: tl.constexpr, UNITS: tl.constexpr, RESIDENT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Go through all steps of a tile of samples from the last to the first.

    Tensors:
        direct: [R, steps, B, N], dL/dh_t directly, of the last ``steps`` steps.
        gates: [R, T, B, 4 N].
        cells: [R, T + 1, B, N].
        keep: [R, T], k_t; read where CUT.
        delta: [R, T, B, 4 N], which is written.
        arriving_h: [R, B, N], gradient of the last h; r_0, that of the initial state h_0, is written over it.
        arriving_c: [R, B, N], gradient of the last c; s_0, that of the initial state c_0, is written over it.
        scaled: [R, B, 4 N], delta_t of the present step without the samples' powers of two.
        size_h, power_h, size_c, power_c: [R, T, B], written where NORMS (see ``GradientNorms.put``).
    """
    run = tl.program_id(0).to(tl.int64)
    rows = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    step, square = batch * hidden, hidden * hidden
    direct += (run * steps + steps - 1) * step
    cells += (run * (time + 1) + time) * step
    gates += (run * time + time - 1) * step * 4
    delta += (run * time + time - 1) * step * 4
    arriving_h += run * step
    arriving_c += run * step
    w += run * square * 4
    if CUT:
        keep += run * time + time - 1
    if NORMS:
        scaled += run * step * 4
        of_sizes = (run * time + time - 1) * batch + rows
        shared = tl.zeros([ROWS], dtype=tl.int32)  # gradients that go on are times 2^shared
        largest_h = largest_in(arriving_h, rows, True, batch, hidden, PADDED, UNITS)
        largest = tl.maximum(largest_h, largest_in(arriving_c, rows, True, batch, hidden, PADDED, UNITS))
    if RESIDENT:
        all_units = tl.arange(0, PADDED)
        w_i = matrix(w, all_units, all_units, hidden, 1, hidden)
        w_f = matrix(w + square, all_units, all_units, hidden, 1, hidden)
        w_g = matrix(w + 2 * square, all_units, all_units, hidden, 1, hidden)
        w_o = matrix(w + 3 * square, all_units, all_units, hidden, 1, hidden)
        place = rows[:, None] * hidden + all_units[None, :]
        there = (rows < batch)[:, None] & (all_units < hidden)[None, :]
        r = tl.load(arriving_h + place, mask=there, other=0.0)
        s = tl.load(arriving_c + place, mask=there, other=0.0)
    for back in range(time):
        scored = back < steps
        if NORMS:
            largest_direct = largest_in(direct, rows, scored, batch, hidden, PADDED, UNITS)
            before = shared
            shared = common(largest, before, largest_direct)
            total_h = tl.zeros([ROWS], dtype=tl.float32)
            total_c = tl.zeros([ROWS], dtype=tl.float32)
            total_h_power = tl.full([ROWS], -126, dtype=tl.int32)
            total_c_power = tl.full([ROWS], -126, dtype=tl.int32)
            largest = tl.zeros([ROWS], dtype=tl.float32)
        for start in range(0, PADDED, UNITS):
            units = start + tl.arange(0, UNITS)
            place = rows[:, None] * hidden + units[None, :]
            gate = rows[:, None] * (4 * hidden) + units[None, :]
            there = (rows < batch)[:, None] & (units < hidden)[None, :]
            i = tl.load(gates + gate, mask=there, other=0.0)
            f = tl.load(gates + gate + hidden, mask=there, other=0.0)
            g = tl.load(gates + gate + 2 * hidden, mask=there, other=0.0)
            o = tl.load(gates + gate + 3 * hidden, mask=there, other=0.0)
            seen = tanh(tl.load(cells + place, mask=there, other=0.0))
            c_before = tl.load(cells - step + place, mask=there, other=0.0)
            dh = tl.load(direct + place, mask=there & scored, other=0.0)
            if not RESIDENT:
                r = tl.load(arriving_h + place, mask=there, other=0.0)
                s = tl.load(arriving_c + place, mask=there, other=0.0)
            if NORMS:
                dh = shifted(dh, -shared) + shifted(r, before - shared)
                dc = shifted(s, before - shared)
            else:
                dh += r
                dc = s
            dc += dh * o * (1.0 - seen * seen)
            d_i = dc * g * i * (1.0 - i)
            d_f = dc * c_before * f * (1.0 - f)
            d_g = dc * i * (1.0 - g * g)
            d_o = dh * seen * o * (1.0 - o)
            s = dc * f
            if not RESIDENT:
                tl.store(arriving_c + place, s, mask=there)
            if NORMS:
                total_h, total_h_power = squares_with(total_h, total_h_power, dh)
                total_c, total_c_power = squares_with(total_c, total_c_power, dc)
                largest = tl.maximum(largest, largest_of(s))
                if not RESIDENT:
                    _write(scaled + gate, hidden, d_i, d_f, d_g, d_o, there)
                tl.store(delta + gate, shifted(d_i, shared), mask=there)
                tl.store(delta + gate + hidden, shifted(d_f, shared), mask=there)
                tl.store(delta + gate + 2 * hidden, shifted(d_g, shared), mask=there)
                tl.store(delta + gate + 3 * hidden, shifted(d_o, shared), mask=there)
            else:
                _write(delta + gate, hidden, d_i, d_f, d_g, d_o, there)
            if RESIDENT:
                r = dot(d_i, w_i, PRECISION) + dot(d_f, w_f, PRECISION)
                r += dot(d_g, w_g, PRECISION) + dot(d_o, w_o, PRECISION)
                if CUT:
                    r *= tl.load(keep)
                if NORMS:
                    largest = tl.maximum(largest, largest_of(r))
        if NORMS:
            tl.store(size_h + of_sizes, tl.sqrt(total_h), mask=rows < batch)
            tl.store(size_c + of_sizes, tl.sqrt(total_c), mask=rows < batch)
            tl.store(power_h + of_sizes, total_h_power + shared, mask=rows < batch)
            tl.store(power_c + of_sizes, total_c_power + shared, mask=rows < batch)
            of_sizes -= batch
        if not RESIDENT:
            tl.debug_barrier()
            from_gates = scaled if NORMS else delta
            for start in range(0, PADDED, UNITS):
                units = start + tl.arange(0, UNITS)
                r = tl.zeros([ROWS, UNITS], dtype=tl.float32)
                for gate_number in tl.static_range(4):
                    r += streamed(
                        from_gates + gate_number * hidden, 4 * hidden, w + gate_number * square, hidden, 1,
                        rows, units, batch, hidden, PADDED, INNER, PRECISION,
                    )  # fmt: skip
                if CUT:
                    r *= tl.load(keep)
                if NORMS:
                    largest = tl.maximum(largest, largest_of(r))
                there = (rows < batch)[:, None] & (units < hidden)[None, :]
                tl.store(arriving_h + rows[:, None] * hidden + units[None, :], r, mask=there)
            tl.debug_barrier()
        direct -= step
        cells -= step
        gates -= 4 * step
        delta -= 4 * step
        if CUT:
            keep -= 1
    for start in range(0, PADDED, UNITS):
        units = start + tl.arange(0, UNITS)
        place = rows[:, None] * hidden + units[None, :]
        there = (rows < batch)[:, None] & (units < hidden)[None, :]
        if not RESIDENT:
            r = tl.load(arriving_h + place, mask=there, other=0.0)
            s = tl.load(arriving_c + place, mask=there, other=0.0)
        if NORMS:
            r, s = shifted(r, shared), shifted(s, shared)
        tl.store(arriving_h + place, r, mask=there)
        tl.store(arriving_c + place, s, mask=there)
