"""The weights of the LSTM of 1997 as its programs multiply with them, and their gradients back.

Letters: ``lrd.kernels.cpu``. A step has P parts of N rows each, one row for each cell: its block's input gate, the cell
itself, and its block's output gate where there is one. So gates stand beside the cells that they multiply; a block's
gate is computed once for each of its cells, with the same result. What a step sees, D numbers without gaps, is h, y^in
and y^out of the step before, as far as W has columns for them, then x_t, then 1. ``size`` is the number of cells of a
block, everywhere.
"""

from __future__ import annotations

from typing import no_type_check

from lrd.kernels.cpu.compiled import inner
from lrd.kernels.cpu.vectors import LANES

#: The places of the parts.
INPUT, CELL, OUTPUT = 0, 1, 2


@inner
@no_type_check
def _row(part, unit, size, blocks, parts):
    """Return the row of U, W and b that a cell has in a part."""
    if part == CELL:
        return blocks * (parts - 1) + unit
    return unit // size if part == INPUT else blocks + unit // size


@inner
@no_type_check
def place_of_gate(gate, blocks, size, units):
    """Return where the gradient of a gate stands, behind that of h: that of its block's first cell."""
    return units + gate * size if gate < blocks else 2 * units + (gate - blocks) * size


@inner
@no_type_check
def lay_by_columns(u, w, b, run, hidden, size, out):
    """Lay W, U and b side by side as the right matrix of a ``product`` with what a step sees.

    Args:
        u: [R, rows, I].
        w: [R, rows, seen].
        b: [R, biased rows], the first ones.
        run: The run.
        hidden: The number of cells.
        size: Cells of a block.
        out: [P, N / 16, D, 16], zeros where no row belongs.
    """
    parts, seen, inputs = out.shape[0], w.shape[2], u.shape[2]
    for part in range(parts):
        for unit in range(hidden):
            row, vector, lane = _row(part, unit, size, hidden // size, parts), unit // LANES, unit % LANES
            for column in range(seen):
                out[part, vector, column, lane] = w[run, row, column]
            for column in range(inputs):
                out[part, vector, seen + column, lane] = u[run, row, column]
            if row < b.shape[1]:
                out[part, vector, seen + inputs, lane] = b[run, row]


@inner
@no_type_check
def lay_by_rows(w, run, hidden, size, units, out):
    """Lay W as the right matrices of a ``product`` of each part's delta, which leads to the states before.

    Args:
        w: [R, rows, seen].
        run: The run.
        hidden: The number of cells.
        size: Cells of a block.
        units: N.
        out: [P, 3 N / 16, N, 16], zeros where nothing belongs: columns in the order h, y^in, y^out. Of a block's rows
            of a gate only the first one is used.
    """
    parts = out.shape[0]
    for column in range(w.shape[2]):
        place = column if column < hidden else place_of_gate(column - hidden, hidden // size, size, units)
        for part in range(parts):
            for unit in range(hidden):
                row = _row(part, unit, size, hidden // size, parts)
                out[part, place // LANES, unit, place % LANES] = w[run, row, column]


@inner
@no_type_check
def lay_inputs_by_rows(u, run, hidden, size, units, parts, out):
    """Lay U as the right matrix of ``onto_inputs``.

    Args:
        u: [R, rows, I].
        run: The run.
        hidden: The number of cells.
        size: Cells of a block.
        units: N.
        parts: P.
        out: [R, I / 16, P N, 16], zeros where nothing belongs; no second axis where no gradient of x is wanted.
    """
    if out.shape[1] == 0:
        return
    for part in range(parts):
        for unit in range(hidden):
            row = _row(part, unit, size, hidden // size, parts)
            for column in range(u.shape[2]):
                out[run, column // LANES, part * units + unit, column % LANES] = u[run, row, column]


@inner
@no_type_check
def part_gradients(into_seen, run, hidden, size, units, parts, into_u, into_w, into_b):
    """Write the gradients of U, W and b of a run.

    Args:
        into_seen: [R, D, P N], the gradient of the weights of what a step sees. That of a gate stands in the first
            row of its block.
        run: The run.
        hidden: The number of cells.
        size: Cells of a block.
        units: N.
        parts: P.
        into_u: [R, rows, I].
        into_w: [R, rows, seen].
        into_b: [R, biased rows].
    """
    seen, inputs = into_w.shape[2], into_u.shape[2]
    for part in range(parts):
        for unit in range(0, hidden, 1 if part == CELL else size):
            row, place = _row(part, unit, size, hidden // size, parts), part * units + unit
            for column in range(seen):
                into_w[run, row, column] = into_seen[run, column, place]
            for column in range(inputs):
                into_u[run, row, column] = into_seen[run, seen + column, place]
            if row < into_b.shape[1]:
                into_b[run, row] = into_seen[run, seen + inputs, place]
