"""Products of matrices in registers: tiles of up to six rows of numbers by four vectors of columns.

A tile's sums stay in registers while the inner index runs. Every sum takes its terms in the order of that index
whatever the tile, so that a sample's numbers do not depend on how many samples there are.
"""

from __future__ import annotations

from typing import Any, no_type_check

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from lrd.kernels.cpu.compiled import inner
from lrd.kernels.cpu.processor import WIDE
from lrd.kernels.cpu.vectors import FLOATS, LANES, POINTER, after, load_at, of_llvm, repeated, store_at

#: Vectors of columns of a tile at most: four where they and the sums of six rows fit in registers.
COLUMNS = 4 if WIDE else 1


def _tile(rows: int, columns: int) -> Any:
    """Return the function that does one tile of a ``product``, of so many rows and vectors of columns."""
    index = types.intp
    kinds = (POINTER, index, POINTER, index, index, POINTER, index, index, index, types.boolean)

    @intrinsic
    def tile(
        typing: Any, out: Any, out_row: Any, left: Any, left_row: Any, left_step: Any, right: Any, right_column: Any,
        right_step: Any, steps: Any, onto: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
            out, out_row, left, left_row, left_step, right, right_column, right_step, steps, onto = args
            number = steps.type
            places = [
                b.gep(out, [b.add(b.mul(out_row, number(row)), number(LANES * column))])
                for row in range(rows)
                for column in range(columns)
            ]
            sums = [cgutils.alloca_once(b, FLOATS) for _ in places]  # LLVM keeps them in registers
            with b.if_else(onto) as (adding, writing):
                with adding:
                    for one, place in zip(sums, places, strict=True):
                        b.store(load_at(b, place), one)
                with writing:
                    for one in sums:
                        b.store(ir.Constant(FLOATS, [0.0] * LANES), one)
            lefts = [b.gep(left, [b.mul(left_row, number(row))]) for row in range(rows)]
            rights = [b.gep(right, [b.mul(right_column, number(column))]) for column in range(columns)]
            with cgutils.for_range(b, steps, intp=number) as loop:
                along_left, along_right = b.mul(loop.index, left_step), b.mul(loop.index, right_step)
                vectors = [load_at(b, b.gep(place, [along_right])) for place in rights]
                for row, place in enumerate(lefts):
                    factor = repeated(b, b.load(b.gep(place, [along_left])))
                    for vector, one in zip(vectors, sums[row * columns : (row + 1) * columns], strict=True):
                        b.store(of_llvm(b, "fma", factor, vector, b.load(one)), one)
            for one, place in zip(sums, places, strict=True):
                store_at(b, b.load(one), place)
            return context.get_dummy_value()

        return types.void(*kinds), generate

    return tile


_6x4, _4x4, _2x4, _1x4 = (_tile(rows, 4) for rows in (6, 4, 2, 1))
_6x2, _4x2, _2x2, _1x2 = (_tile(rows, 2) for rows in (6, 4, 2, 1))
_6x1, _4x1, _2x1, _1x1 = (_tile(rows, 1) for rows in (6, 4, 2, 1))


@inner
@no_type_check
def _do_tile(rows, columns, out, out_row, left, left_row, left_step, right, right_column, right_step, steps, onto):
    """Do a tile of 6, 4, 2 or 1 rows and 4, 2 or 1 vectors of columns."""
    rest = (out, out_row, left, left_row, left_step, right, right_column, right_step, steps, onto)
    if columns == 4:
        if rows == 6:
            _6x4(*rest)
        elif rows == 4:
            _4x4(*rest)
        elif rows == 2:
            _2x4(*rest)
        else:
            _1x4(*rest)
    elif columns == 2:
        if rows == 6:
            _6x2(*rest)
        elif rows == 4:
            _4x2(*rest)
        elif rows == 2:
            _2x2(*rest)
        else:
            _1x2(*rest)
    elif rows == 6:
        _6x1(*rest)
    elif rows == 4:
        _4x1(*rest)
    elif rows == 2:
        _2x1(*rest)
    else:
        _1x1(*rest)


@inner
@no_type_check
def product(
    out, out_row, rows, columns, left, left_row, left_step, right, right_column, right_step, steps, onto
):  # fmt: skip
    """Write the product of two matrices, or add it to what is there (``onto``).

    out[row, column] = sum over step of left[row, step] right[step, column], where columns are counted in vectors.

    Args:
        out: Where the result begins; its columns lie side by side.
        out_row: How many numbers apart its rows lie.
        rows: How many rows it has.
        columns: How many vectors a row has.
        left: Where the left matrix begins.
        left_row: How many numbers apart its rows lie.
        left_step: How many numbers apart its steps lie.
        right: Where the right matrix begins; the numbers of a vector lie side by side.
        right_column: How many numbers apart its vectors lie.
        right_step: How many numbers apart its steps lie.
        steps: How many terms a sum has.
        onto: Whether to add.
    """
    column = 0
    while column < columns:
        wide = min(COLUMNS, columns - column)
        wide = 2 if wide == 3 else wide
        row = 0
        while row < rows:
            tall = rows - row
            if tall == 8 or tall == 4 or tall == 5:  # 8 = 4 + 4, not 6 + 2
                tall = 4
            elif tall >= 6:
                tall = 6
            elif tall >= 2:
                tall = 2
            _do_tile(
                tall, wide, after(out, row * out_row + column * LANES), out_row,
                after(left, row * left_row), left_row, left_step,
                after(right, column * right_column), right_column, right_step, steps, onto,
            )  # fmt: skip
            row += tall
        column += wide
