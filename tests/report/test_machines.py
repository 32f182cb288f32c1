"""Versions and machines, all that occur, and how many runs were made with each."""

from __future__ import annotations

from typing import Any

from lrd.report.machines import machines

HERE: dict[str, Any] = {"lrd": "0.1", "commit": "a" * 40, "dirty": False, "python": "3.11", "torch": "2.13"}
HERE |= {"cuda": None, "numpy": "2.4", "host": "alpha", "device_name": "Xeon", "device": "cpu", "threads": 1}


def test_every_combination_has_a_row_with_its_runs() -> None:
    there = HERE | {"host": "beta"}
    versions, places = machines({"1": HERE, "2": there, "3": there | {"torch": "2.14", "dirty": True}})
    assert versions.rows == (
        ("0.1", "a" * 12, "3.11", "2.13", "–", "2.4", "2"),
        ("0.1", "a" * 12 + " with changes", "3.11", "2.14", "–", "2.4", "1"),
    )
    assert places.rows == (("beta", "Xeon", "cpu", "1", "–", "2"), ("alpha", "Xeon", "cpu", "1", "–", "1"))


def test_a_run_that_moved_counts_wherever_it_was() -> None:
    moved = HERE | {"host": "beta", "earlier": [HERE, HERE]}
    _, places = machines({"1": moved, "2": HERE})
    assert [(row[0], row[-1]) for row in places.rows] == [("alpha", "2"), ("beta", "1")]


def test_a_run_that_says_nothing_is_counted() -> None:
    versions, places = machines({"1": HERE, "2": {}, "3": {"earlier": "nonsense", "host": "beta"}})
    assert [(row[0], row[-1]) for row in places.rows] == [("alpha", "1"), ("beta", "1"), ("not known", "1")]
    assert versions.rows[1] == ("–", "–", "–", "–", "–", "–", "1")


def test_of_many_hosts_most_are_counted_alone() -> None:
    _, places = machines({str(n): HERE | {"host": f"h{n:03}"} for n in range(100)})
    assert (len(places.rows), places.more) == (40, 60)
