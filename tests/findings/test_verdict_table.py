"""The short table of verdicts: a line a hypothesis, no longer than asked for."""

from __future__ import annotations

from math import nan

import pytest

from lrd.findings import FAILS, HOLDS, UNDECIDED, Finding, tally, verdict_table


def finding(name: str, verdict: str, says: str, estimate: float, low: float, high: float) -> Finding:
    return Finding(name, says, verdict, "", "", estimate, low, high, 0.95, 0.5, 9)


LONG = "It is said at great length and again and again that it is only few of them that do."
FINDINGS = [
    finding("a", HOLDS, "Most do.", 0.9375, 0.698, 0.998),
    finding("b", FAILS, LONG, 0.75, 0.6, 0.9),
    finding("c", UNDECIDED, "Nobody knows.", nan, nan, nan),
]


def test_a_line_each_with_its_numbers() -> None:
    assert verdict_table(FINDINGS, 80).splitlines() == [
        "3 hypotheses: 1 holds, 1 fails, 1 undecided           estimate   95 % interval",
        "holds      Most do.                                      0.938  0.698 to 0.998",
        "fails      It is said at great length and again and…      0.75      0.6 to 0.9",
        "undecided  Nobody knows.                                     -               -",
    ]


@pytest.mark.parametrize("width", [75, 80, 100, 200])
def test_lines_are_no_longer_than_asked_for(width: int) -> None:
    lines = verdict_table(FINDINGS, width).splitlines()
    assert max(map(len, lines)) <= width
    assert (LONG in lines[2]) == (width == 200)  # whole where there is room


def test_the_tally() -> None:
    assert tally(FINDINGS) == "3 hypotheses: 1 holds, 1 fails, 1 undecided"
