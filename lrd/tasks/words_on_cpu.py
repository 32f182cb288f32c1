"""The random words of ``lrd.tasks.streams`` as machine code for the CPU: one pass, where torch makes some twenty."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import no_type_check

import numpy as np

from lrd.machine_code import machine_code

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_1, _27, _30, _31, _40 = map(np.uint64, (1, 27, 30, 31, 40))
_GRID = np.float32(2.0**-24)


@functools.cache
def words() -> Callable[..., None] | None:
    """Return a function that fills int64 [runs, count] with words; None where there is no numba.

    Its arguments are the seed and the start of each run, int64 [runs], the first place, and what is filled.
    """
    return machine_code(_words, "void(int64[::1], int64[::1], int64, int64[:,::1])")


@functools.cache
def uniform() -> Callable[..., None] | None:
    """Return a function like that of ``words`` that fills float32 with the numbers of ``Stream.uniform``."""
    return machine_code(_uniform, "void(int64[::1], int64[::1], int64, float32[:,::1])")


@no_type_check
def _words(seeds, starts, place, found):
    for run in range(len(found)):
        # The key of a run is its seed, mixed as words are.
        key = np.uint64(seeds[run]) * _GOLDEN + _1
        for _ in range(2):
            key = (key ^ (key >> _30)) * _MIX_1
            key = (key ^ (key >> _27)) * _MIX_2
            key = key ^ (key >> _31)
        first, row = np.uint64(starts[run]) + np.uint64(place), found[run]
        for i in range(len(row)):
            z = (first + np.uint64(i)) * _GOLDEN + key
            for _ in range(2):
                z = (z ^ (z >> _30)) * _MIX_1
                z = (z ^ (z >> _27)) * _MIX_2
                z = z ^ (z >> _31)
            row[i] = np.int64(z)


@no_type_check
def _uniform(seeds, starts, place, found):
    for run in range(len(found)):
        key = np.uint64(seeds[run]) * _GOLDEN + _1
        for _ in range(2):
            key = (key ^ (key >> _30)) * _MIX_1
            key = (key ^ (key >> _27)) * _MIX_2
            key = key ^ (key >> _31)
        first, row = np.uint64(starts[run]) + np.uint64(place), found[run]
        for i in range(len(row)):
            z = (first + np.uint64(i)) * _GOLDEN + key
            for _ in range(2):
                z = (z ^ (z >> _30)) * _MIX_1
                z = (z ^ (z >> _27)) * _MIX_2
                z = z ^ (z >> _31)
            row[i] = np.float32(np.int32(z >> _40)) * _GRID
