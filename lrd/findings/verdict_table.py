"""The verdicts of a study as a short table: a line a hypothesis."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from lrd.findings.estimate import short
from lrd.findings.finding import FAILS, HOLDS, UNDECIDED, Finding

WIDTH = 100  # letters of a line
LEAST = 20  # letters of a sentence that are always there


def verdict_table(findings: Sequence[Finding], width: int = WIDTH) -> str:
    """Return a line for each hypothesis, with verdict, sentence, estimate and interval, below how many there are.

    Sentences are shortened where lines would be longer than ``width``; ``lrd hypotheses`` prints them whole, with
    counts, the side that is stated, and reasons.
    """
    numbers = [("estimate", f"{100 * findings[0].level:.4g} % interval")]
    numbers += [(_known(one.estimate), _interval(one)) for one in findings]
    widths = [max(map(len, column)) for column in zip(*numbers, strict=True)]
    verdicts = max(len(verdict) for verdict in (HOLDS, FAILS, UNDECIDED))
    room = max(LEAST, width - verdicts - sum(widths) - 2 * (len(widths) + 1))
    says = [textwrap.shorten(one.says, room, placeholder="…") for one in findings]
    names = [tally(findings), *(f"{one.verdict:{verdicts}}  {text}" for one, text in zip(findings, says, strict=True))]
    longest = max(map(len, names))
    return "\n".join(
        f"{name:{longest}}  {estimate:>{widths[0]}}  {interval:>{widths[1]}}"
        for name, (estimate, interval) in zip(names, numbers, strict=True)
    )


def tally(findings: Sequence[Finding]) -> str:
    """Return how many hypotheses hold, fail and are undecided, in one line."""
    counts = {verdict: sum(one.verdict == verdict for one in findings) for verdict in (HOLDS, FAILS, UNDECIDED)}
    return f"{len(findings)} hypotheses: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}"


def _known(number: float) -> str:
    return "-" if number != number else short(number)


def _interval(finding: Finding) -> str:
    return "-" if finding.low != finding.low else f"{short(finding.low)} to {short(finding.high)}"
