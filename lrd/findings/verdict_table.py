"""The verdicts of a study as a short table: a line a hypothesis."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from lrd.findings.estimate import short
from lrd.findings.finding import FAILS, HOLDS, UNDECIDED, Finding

WIDTH = 100  # letters of a line
LEAST = 20  # letters of a sentence that are always there


def verdict_table(findings: Sequence[Finding], width: int = WIDTH) -> str:
    """Return a line for each hypothesis: verdict, sentence, estimate, interval and the side that is stated.

    Sentences are shortened where lines would be longer than ``width``; ``lrd hypotheses`` prints them whole, with
    counts and reasons.
    """
    header = ("estimate", f"{100 * findings[0].level:.4g} % interval", "stated")
    numbers = [header, *((_known(one.estimate), _interval(one), one.stated) for one in findings)]
    widths = [max(map(len, column)) for column in zip(*numbers, strict=True)]
    verdicts = max(len(verdict) for verdict in (HOLDS, FAILS, UNDECIDED))
    longest = max(len(one.says) for one in findings)
    room = max(LEAST, min(longest, width - verdicts - sum(widths) - 2 * (len(widths) + 1)))
    names = [("verdict", "hypothesis"), *((one.verdict, textwrap.shorten(one.says, room)) for one in findings)]
    return "\n".join(
        f"{verdict:{verdicts}}  {says:{room}}  {estimate:>{widths[0]}}  {interval:>{widths[1]}}  {stated}".rstrip()
        for (verdict, says), (estimate, interval, stated) in zip(names, numbers, strict=True)
    )


def tally(findings: Sequence[Finding]) -> str:
    """Return how many hypotheses hold, fail and are undecided, in one line."""
    counts = {verdict: sum(one.verdict == verdict for one in findings) for verdict in (HOLDS, FAILS, UNDECIDED)}
    return f"{len(findings)} hypotheses: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}"


def _known(number: float) -> str:
    return "-" if number != number else short(number)


def _interval(finding: Finding) -> str:
    return "-" if finding.low != finding.low else f"{short(finding.low)} to {short(finding.high)}"
