"""Times and sizes in words."""

from __future__ import annotations

import pytest

from lrd.sweeps.units import duration, memory, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0432, "0.04 s"),
        (0.2, "0.2 s"),
        (0.96, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (599.6, "10 min"),
        (12.2 * 60, "12 min"),
        (3599.7, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (47.5 * 3600, "47 h 30 min"),
        (86400 * 123, "123 days"),
    ],
)
def test_a_time_has_few_digits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_range_that_reads_as_one_time_is_one() -> None:
    assert span(70, 200) == "1 min 10 s to 3 min 20 s"
    assert span(4.9, 5.2) == "5 s"


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 MB"), (4.26e5, "0.43 MB"), (3.14e8, "310 MB"), (9.94e8, "990 MB"), (9.96e8, "1 GB")]
)
def test_a_size_has_two_digits(size: float, text: str) -> None:
    assert memory(size) == text
