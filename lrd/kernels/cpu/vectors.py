"""Vectors of sixteen float32 numbers inside numba functions, by the machine's own vector instructions.

LLVM makes of such a vector as many registers as the processor needs for it: one of AVX-512, two of AVX2, four of NEON.
Every operation rounds each of the sixteen numbers as the same operation on one number would, and a product and a sum
share one rounding where ``fused`` stands and nowhere else. So a number does not depend on its place in a vector, nor a
sample on its place in a batch, as both would where a compiler makes vectors of loops as it likes.

Memory is reached by pointers into C-contiguous float32 arrays, by ``pointer``; nothing checks their ends.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

#: Numbers in a vector.
LANES = 16

FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)
_FLAGS = ir.VectorType(ir.IntType(1), LANES)
_FIRST = ir.Constant(ir.IntType(32), 0)


class Vector(types.Type):
    """Numba's type of sixteen float32 numbers."""

    def __init__(self) -> None:
        super().__init__(name="Vector")


class Mask(types.Type):
    """Numba's type of sixteen answers, yes or no."""

    def __init__(self) -> None:
        super().__init__(name="Mask")


VECTOR, MASK, POINTER = Vector(), Mask(), types.CPointer(types.float32)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, FLOATS)


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLAGS)


# LLVM's side of it: each of these adds instructions to a function that is being compiled.


def load_at(builder: ir.IRBuilder, place: ir.Value) -> ir.Value:
    """Return the sixteen numbers from a place on."""
    return builder.load(builder.bitcast(place, FLOATS.as_pointer()), align=4)


def store_at(builder: ir.IRBuilder, vector: ir.Value, place: ir.Value) -> None:
    """Write sixteen numbers from a place on."""
    builder.store(vector, builder.bitcast(place, FLOATS.as_pointer()), align=4)


def repeated(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """Return a vector of one number sixteen times."""
    nothing = ir.Constant(FLOATS, ir.Undefined)
    alone = builder.insert_element(nothing, number, _FIRST)
    return builder.shuffle_vector(alone, nothing, ir.Constant(_INTS, [0] * LANES))


def of_llvm(builder: ir.IRBuilder, name: str, *args: ir.Value) -> ir.Value:
    """Return what one of LLVM's own functions of vectors gives."""
    full = f"llvm.{name}.v{LANES}f32"
    known = builder.module.globals.get(full)
    function = known or ir.Function(builder.module, ir.FunctionType(FLOATS, [FLOATS] * len(args)), full)
    return builder.call(function, args)


# Memory.


@intrinsic
def pointer(typing: Any, array: Any, index: Any) -> Any:
    """``pointer(array, index)``: the place of an element, by a tuple of as many numbers as the array has axes."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, array = signature.args[0], context.make_array(signature.args[0])(context, builder, args[0])
        return cgutils.get_item_pointer(context, builder, kind, array, cgutils.unpack_tuple(builder, args[1]))

    return POINTER(array, types.UniTuple(types.intp, array.ndim)), generate


@intrinsic
def after(typing: Any, place: Any, count: Any) -> Any:
    """``after(place, count)``: the place so many numbers on."""
    return POINTER(POINTER, types.intp), lambda context, builder, signature, args: builder.gep(args[0], [args[1]])


@intrinsic
def number(typing: Any, place: Any) -> Any:
    """``number(place)``: the one number there."""
    return types.float32(POINTER), lambda context, builder, signature, args: builder.load(args[0])


@intrinsic
def put(typing: Any, place: Any, number: Any) -> Any:
    """``put(place, number)``: write the one number there."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[1], args[0])
        return context.get_dummy_value()

    return types.void(POINTER, types.float32), generate


@intrinsic
def load(typing: Any, place: Any, count: Any) -> Any:
    """``load(place, count)``: sixteen numbers, from so many on after a place."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return load_at(builder, builder.gep(args[0], [args[1]]))

    return VECTOR(POINTER, types.intp), generate


@intrinsic
def store(typing: Any, place: Any, count: Any, vector: Any) -> Any:
    """``store(place, count, vector)``: write sixteen numbers, from so many on after a place."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        store_at(builder, args[2], builder.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return types.void(POINTER, types.intp, VECTOR), generate


@intrinsic
def splat(typing: Any, number: Any) -> Any:
    """``splat(number)``: a number sixteen times."""
    return VECTOR(types.float32), lambda context, builder, signature, args: repeated(builder, args[0])


# Arithmetic.


def _operation(name: str) -> Any:
    """Return an operation of LLVM's on two vectors."""

    @intrinsic
    def of_two(typing: Any, a: Any, b: Any) -> Any:
        return VECTOR(VECTOR, VECTOR), lambda context, builder, signature, args: getattr(builder, name)(*args)

    return of_two


def _as_operator(symbol: Callable[..., Any], operation: Any) -> None:
    """Let ``a + b`` and the like work on vectors."""

    @overload(symbol, strict=False)
    def on_vectors(a: Any, b: Any) -> Any:
        both = isinstance(a, Vector) and isinstance(b, Vector)
        return (lambda a, b: operation(a, b)) if both else None


for _symbol, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _as_operator(_symbol, _operation(_name))


@intrinsic
def fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """``fused(a, b, c)``: a b + c, rounded once."""
    return VECTOR(VECTOR, VECTOR, VECTOR), lambda context, builder, signature, args: of_llvm(builder, "fma", *args)


@intrinsic
def size_of(typing: Any, a: Any) -> Any:
    """``size_of(a)``: the absolute value."""
    return VECTOR(VECTOR), lambda context, builder, signature, args: of_llvm(builder, "fabs", *args)


@intrinsic
def with_sign_of(typing: Any, a: Any, b: Any) -> Any:
    """``with_sign_of(a, b)``: the size of a with the sign of b."""
    return VECTOR(VECTOR, VECTOR), lambda context, builder, signature, args: of_llvm(builder, "copysign", *args)


@intrinsic
def less(typing: Any, a: Any, b: Any) -> Any:
    """``less(a, b)``: whether a < b, which holds for no NaN."""
    return MASK(VECTOR, VECTOR), lambda context, builder, signature, args: builder.fcmp_ordered("<", *args)


@intrinsic
def where(typing: Any, mask: Any, yes: Any, no: Any) -> Any:
    """``where(mask, yes, no)``: of each pair the first number where the mask says yes, else the second."""
    return VECTOR(MASK, VECTOR, VECTOR), lambda context, builder, signature, args: builder.select(*args)


@intrinsic
def two_to_low_bits(typing: Any, a: Any) -> Any:
    """``two_to_low_bits(a)``: 2^n of the whole number n that adding 1.5 * 2^23 has left in the low bits of a."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        shifted = builder.shl(builder.bitcast(args[0], _INTS), ir.Constant(_INTS, [23] * LANES))
        return builder.bitcast(builder.add(shifted, ir.Constant(_INTS, [127 << 23] * LANES)), FLOATS)

    return VECTOR(VECTOR), generate


@intrinsic
def total(typing: Any, a: Any) -> Any:
    """``total(a)``: the sum of the sixteen numbers, by halves: eight sums of two, four of two of these, and so on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (vector,), lanes = args, LANES
        while lanes > 1:
            lanes //= 2
            nothing, kind = ir.Constant(vector.type, ir.Undefined), ir.VectorType(ir.IntType(32), lanes)
            low, high = (
                builder.shuffle_vector(vector, nothing, ir.Constant(kind, list(range(start, start + lanes))))
                for start in (0, lanes)
            )
            vector = builder.fadd(low, high)
        return builder.extract_element(vector, _FIRST)

    return types.float32(VECTOR), generate
