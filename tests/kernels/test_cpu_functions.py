"""exp, the logistic function and tanh of vectors, against NumPy's in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lrd.kernels import cpu

if cpu.why_not():
    pytest.skip(cpu.why_not(), allow_module_level=True)

import numba

from lrd.kernels.cpu import functions
from lrd.kernels.cpu.vectors import LANES, load, pointer, store

Array = np.ndarray[Any, np.dtype[Any]]


def on_arrays(function: Any) -> Callable[[Array], Array]:
    """Return a function of vectors as one of arrays whose length is a multiple of 16."""

    @numba.njit
    def fill(x: Any, found: Any) -> None:
        for k in range(0, len(x), LANES):
            store(pointer(found, (k,)), 0, function(load(pointer(x, (k,)), 0)))

    def call(x: Array) -> Array:
        found = np.full_like(x, 7.0)
        fill(x, found)
        return found

    return call


@pytest.fixture(scope="module")
def exponential() -> Callable[[Array], Array]:
    return on_arrays(functions.exponential)


@pytest.fixture(scope="module")
def logistic() -> Callable[[Array], Array]:
    return on_arrays(functions.logistic)


@pytest.fixture(scope="module")
def tanh() -> Callable[[Array], Array]:
    return on_arrays(functions.tanh)


def points(end: float) -> Array:
    """Return numbers of either sign up to an end, close to 0 and far from it."""
    random = np.random.default_rng(0)
    near = random.uniform(-1, 1, 16_000) * 10.0 ** random.uniform(-6, 0, 16_000)
    return np.concatenate([random.uniform(-end, end, 16_000), near]).astype(np.float32)


def units_off(found: Array, exact: Array) -> float:
    """Return the largest error in units in the last place of the exact result, rounded to float32."""
    unit = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    return float(np.max(np.abs(found.astype(np.float64) - exact) / unit))


def test_they_are_as_exact_as_their_module_says(
    exponential: Callable[[Array], Array], logistic: Callable[[Array], Array], tanh: Callable[[Array], Array]
) -> None:
    x = points(87.0)
    exact = x.astype(np.float64)
    assert units_off(exponential(x), np.exp(exact)) <= 1
    assert units_off(logistic(x), 1 / (1 + np.exp(-exact))) <= 3
    assert units_off(tanh(x), np.tanh(exact)) <= 1.5


def test_far_out_they_stay_at_their_ends(
    exponential: Callable[[Array], Array], logistic: Callable[[Array], Array], tanh: Callable[[Array], Array]
) -> None:
    x = np.repeat(np.array([-np.inf, -1e30, -200, 200, 1e30, np.inf, np.nan, 0], np.float32), LANES)
    low, high = slice(0, 3 * LANES), slice(3 * LANES, 6 * LANES)
    for function, least, most, middle in ((exponential, 1e-37, np.inf, 1), (logistic, 1e-38, 1, 0.5), (tanh, -1, 1, 0)):
        found = function(x)
        assert np.isfinite(found[: 6 * LANES]).all()
        assert (found[low] <= least).all()
        assert (found[high] >= min(most, 1e38)).all()
        assert np.isnan(found[6 * LANES : 7 * LANES]).all()
        assert (found[7 * LANES :] == middle).all()


def test_a_number_has_the_same_result_in_every_lane(
    exponential: Callable[[Array], Array], logistic: Callable[[Array], Array], tanh: Callable[[Array], Array]
) -> None:
    x = points(30.0)
    for function in (exponential, logistic, tanh):
        whole = function(x)
        for shift in (1, 7, 15):
            np.testing.assert_array_equal(function(np.roll(x, shift)), np.roll(whole, shift))
