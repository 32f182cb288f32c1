"""Runs that end at different updates, set side by side."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lrd.figures.through_training import moments_of


def table(updates: list[list[int]], ended: list[float]) -> dict[str, np.ndarray]:
    """A row a measurement, whose value is 1000 times the number of the run plus the update."""
    of_run = [(run, update) for run, own in enumerate(updates) for update in own]
    rows = [(f"run{run}", update, ended[run], 1000.0 * run + update) for run, update in of_run]
    names = ("run_id", "update", "ended", "value")
    return {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def test_a_run_that_ended_keeps_its_last_measurement_and_one_that_did_not_has_none() -> None:
    rows = table([[0, 1, 10, 14], [0, 1, 7], [0, 1, 10, 20]], [14, 7, np.nan])
    moments = moments_of(rows)
    assert moments.updates.tolist() == [0, 1, 10, 14, 20]
    expected = [
        [0, 1000, 2000],
        [1, 1001, 2001],
        [10, 1007, 2010],
        [14, 1007, np.nan],
        [14, 1007, 2020],
    ]
    np.testing.assert_array_equal(moments.laid_out(rows["value"]), expected)


def test_a_run_whose_end_was_not_measured_is_not_kept() -> None:
    rows = table([[0, 5], [0, 5, 9]], [7, 9])
    np.testing.assert_array_equal(moments_of(rows).laid_out(rows["value"])[-1], [np.nan, 1009])


def test_places_within_a_measurement() -> None:
    rows = table([[0, 0, 3, 3]], [3])
    laid = moments_of(rows).laid_out(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 2, 0, 1]))
    np.testing.assert_array_equal(laid, [[[1.0, np.nan, 2.0]], [[3.0, 4.0, np.nan]]])


measured_updates = st.lists(st.lists(st.integers(0, 50), min_size=1, unique=True), min_size=1, max_size=5)


@given(measured_updates, st.data())
def test_what_counts_is_the_runs_own_measurement_or_its_last(measured: list[list[int]], data: st.DataObject) -> None:
    finished = data.draw(st.lists(st.booleans(), min_size=len(measured), max_size=len(measured)))
    rows = table(measured, [max(own) if done else np.nan for own, done in zip(measured, finished, strict=True)])
    moments = moments_of(rows)
    laid = moments.laid_out(rows["value"])
    for at, update in enumerate(moments.updates):
        for run, (own, done) in enumerate(zip(measured, finished, strict=True)):
            counts = update if update in own else max(own) if done and update > max(own) else np.nan
            np.testing.assert_array_equal(laid[at, run], 1000.0 * run + counts)
    for own, done in zip(measured, finished, strict=True):
        assert set(own) - ({max(own)} if done else set()) <= set(moments.updates.tolist())
