"""Estimates in words."""

from __future__ import annotations

import pytest

from lrd.sweeps.units import about, memory, two_digits


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0432, "0.043 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (99.6, "1.7 min"),
        (3599, "60 min"),
        (5969, "99 min"),
        (5971, "1.7 h"),
        (47.4 * 3600, "47 h"),
        (86400 * 123, "120 days"),
    ],
)
def test_a_time_has_two_digits(seconds: float, text: str) -> None:
    assert about(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 MB"), (4.26e5, "0.43 MB"), (3.14e8, "310 MB"), (9.94e8, "990 MB"), (9.96e8, "1 GB")]
)
def test_a_size_has_two_digits(size: float, text: str) -> None:
    assert memory(size) == text


def test_numbers_are_rounded_and_never_in_powers_of_ten() -> None:
    assert [two_digits(x) for x in (0.0123, 1.25, 99.4, 12345.0)] == ["0.012", "1.2", "99", "12000"]
