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
    fill = _filling()
    return None if fill is None else lambda seeds, starts, place, found: fill(seeds, starts, place, found, _NO_UNIFORM)


@functools.cache
def uniform() -> Callable[..., None] | None:
    """Return a function like that of ``words`` that fills float32 with the numbers of ``Stream.uniform``."""
    fill = _filling()
    return None if fill is None else lambda seeds, starts, place, found: fill(seeds, starts, place, _NO_WORDS, found)


_NO_WORDS, _NO_UNIFORM = np.empty((0, 0), np.int64), np.empty((0, 0), np.float32)


@functools.cache
def _filling() -> Callable[..., None] | None:
    return machine_code(_fill, "void(int64[::1], int64[::1], int64, int64[:,::1], float32[:,::1])")


@no_type_check
def _fill(seeds, starts, place, words, uniform):
    """Fill one of the two, that which has rows."""
    wants_words = len(words) > 0
    for run in range(len(seeds)):
        # The key of a run is its seed, mixed as words are.
        key = np.uint64(seeds[run]) * _GOLDEN + _1
        for _ in range(2):
            key = (key ^ (key >> _30)) * _MIX_1
            key = (key ^ (key >> _27)) * _MIX_2
            key = key ^ (key >> _31)
        first, count = np.uint64(starts[run]) + np.uint64(place), words.shape[1] if wants_words else uniform.shape[1]
        for i in range(count):
            z = (first + np.uint64(i)) * _GOLDEN + key
            for _ in range(2):
                z = (z ^ (z >> _30)) * _MIX_1
                z = (z ^ (z >> _27)) * _MIX_2
                z = z ^ (z >> _31)
            if wants_words:
                words[run, i] = np.int64(z)
            else:
                uniform[run, i] = np.float32(np.int32(z >> _40)) * _GRID
