"""A claim of a study: a sentence, and the same as a small statement that can be held against records.

    claims:
      lstm_gets_further:
        says: At the largest gaps the LSTM solves the task more often than the RNN.
        measure: share
        of: cell = 'lstm' and gap >= 50
        than: cell = 'rnn' and gap >= 50
        above: 0

says        the sentence, in words
measure     what of a group of runs is estimated: one of ``MEASURES``
of          the group: an SQL condition over the columns of ``runs`` (``lrd.records.reader``)
than        another group: the claim is then about the first minus the second, or, for the measures of ``RATIOS``, about
            the first over the second
above, below, within    the side that is claimed, one of them: a number, or ``within`` two, both included
number      the number of one run: SQL over the columns of ``runs``, such as ``test_loss``; a condition counts as 1 or
            0. For ``share`` it may be left out, which means ``solved``
table       of what table of a probe instead, such as ``gradient_fit``; then ``number`` is one number of all rows of one
            run (``avg(slope)``) among those of ``at`` (start, end: the looks before and after training, or all) that
            meet ``rows``
per         columns whose values make one unit of all runs that share them, with the mean of their numbers: [task, seed]
            where runs of one seed begin with the same weights and so depend on each other. For median and mean
against     for ``trend``: the number that is to grow, as ``number`` over ``runs``
pair        columns by which the runs of the two groups are paired: [seed, cell_gain]. Default: by seed, or by task,
            convention, gap and seed, where both groups have the same of these once each; else, and for [], not
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lrd.options import nearest, not_a_choice

#: What can be estimated, and what that is.
MEASURES = {
    "share": "share of runs that solved it, or whose number is not 0",
    "median": "median over runs of a number",
    "mean": "mean over runs of a number",
    "trend": "median over seeds of Kendall's tau between two numbers of the runs of a seed",
    "mean_updates": "mean updates to solve, restricted to the updates that all runs were given",
    "median_updates": "updates after which half of the runs have solved it",
    "solving_rate": "how many times as often as those of the other group the runs still unsolved solve it",
    "critical_gap": "gap at which half of the runs solve it, from a logistic curve",
    "wall": "largest gap that half of the runs or more solve",
}
RATIOS = frozenset({"solving_rate", "critical_gap"})
DIRECTIONS = ("above", "below", "within")
MOMENTS = ("start", "end", "all")

_TEXTS = ("says", "measure", "of", "than", "number", "table", "rows", "at", "against")
_KEYS = (*_TEXTS, "per", "pair", *DIRECTIONS)
_NUMBERED = frozenset({"share", "median", "mean", "trend"})  # measures of a number of each run
_ALONE = frozenset({"trend", "median_updates", "wall"})  # of one group


class ClaimError(ValueError):
    """A claim that says nothing that could be checked. One line: its name, what is wrong, the way out."""


@dataclass(frozen=True)
class Claim:
    """One statement, valid in itself: whether the records have its columns is known when it is checked."""

    name: str
    says: str
    measure: str
    of: str
    direction: str
    bounds: tuple[float, float]  # of the side that is claimed; -inf or inf where it is open
    than: str = ""
    number: str = ""
    table: str = ""
    rows: str = ""
    at: str = "end"
    against: str = ""
    per: tuple[str, ...] = ()
    pair: tuple[str, ...] | None = None

    @property
    def threshold(self) -> float:
        """The number that the estimate is held against; of ``within``, the upper one."""
        low, high = self.bounds
        return high if math.isfinite(high) else low

    @property
    def claimed(self) -> str:
        """The side that is claimed, in words: ``above 0.5``."""
        low, high = self.bounds
        return f"within {low:g} and {high:g}" if self.direction == "within" else f"{self.direction} {self.threshold:g}"


def claims_from(tree: Any, source: str = "claims") -> list[Claim]:
    """Claims from what stands under ``claims:``: a mapping from name to statement; none where there is nothing.

    Raises:
        ClaimError: there is something wrong; a line for each claim of which that is so. ``source`` begins the lines.
    """
    if tree is None:
        return []
    if not isinstance(tree, Mapping):
        raise ClaimError(f"{source}: must map the name of each claim to its statement, got {_short(tree)}")
    claims, wrong = [], []
    for name, statement in tree.items():
        try:
            claims.append(_claim(str(name), statement))
        except ClaimError as error:
            wrong.append(f"{source}.{name}: {error}")
    if wrong:
        raise ClaimError("\n".join(wrong))
    return claims


def _claim(name: str, statement: Any) -> Claim:
    if not isinstance(statement, Mapping):
        raise ClaimError(f"must hold says, measure, of and one of {', '.join(DIRECTIONS)}, got {_short(statement)}")
    given = {str(key): value for key, value in statement.items() if value is not None}
    for key in given:
        if key not in _KEYS:
            raise ClaimError(f"there is no key {key!r}{nearest(key, _KEYS)}; a claim has {', '.join(_KEYS)}")
    texts = {key: _text(key, given[key]) for key in _TEXTS if key in given}
    for key, example in (("says", "The LSTM solves it."), ("measure", "share"), ("of", "cell = 'lstm'")):
        if key not in texts:
            raise ClaimError(f"{key} is missing, for example {key}: {example}")
    _check(texts)
    columns = {key: _columns(key, given[key]) for key in ("per", "pair") if key in given}
    if "per" in columns and texts["measure"] not in ("median", "mean"):
        raise ClaimError("per: there is a mean of the numbers of several runs for measure: median and mean alone")
    if "pair" in columns and ("than" not in texts or "per" in columns):
        raise ClaimError("pair: goes with a second group, than, and without per, by which units are paired already")
    direction, bounds = _side(given)
    return Claim(name=name, direction=direction, bounds=bounds, **columns, **texts)  # type: ignore[arg-type]


def _check(texts: Mapping[str, str]) -> None:
    """Whether the keys go together."""
    measure = texts["measure"]
    if measure not in MEASURES:
        raise ClaimError(f"measure: {not_a_choice(measure, MEASURES)}")
    for key in ("number", "table"):
        if key in texts and measure not in _NUMBERED:
            raise ClaimError(f"{key}: {measure} is no number of each run; leave it out, or take measure: median")
    if measure in _NUMBERED - {"share"} and "number" not in texts:
        raise ClaimError(f"number is missing: {measure} of what, for example number: test_loss")
    if "number" not in texts and "table" in texts:
        raise ClaimError("number is missing: what of the rows of the table, for example number: avg(slope)")
    for key in ("rows", "at"):
        if key in texts and "table" not in texts:
            raise ClaimError(f"{key}: chooses among the rows of a table; say which, for example table: gradient_fit")
    if "at" in texts and texts["at"] not in MOMENTS:
        raise ClaimError(f"at: {not_a_choice(texts['at'], MOMENTS)}")
    if (measure == "trend") != ("against" in texts):
        way_out = "against is missing: which number grows" if measure == "trend" else "against: is for measure: trend"
        raise ClaimError(f"{way_out}, for example against: cell_gain")
    if measure in _ALONE and "than" in texts:
        raise ClaimError(f"than: {measure} is of one group; claim something of each, or take another measure")
    if measure == "solving_rate" and "than" not in texts:
        raise ClaimError("than is missing: solving_rate is that of one group over that of another")


def _side(given: Mapping[str, Any]) -> tuple[str, tuple[float, float]]:
    chosen = [key for key in DIRECTIONS if key in given]
    if len(chosen) != 1:
        has = " and ".join(chosen) or "none"
        raise ClaimError(f"needs one of {', '.join(DIRECTIONS)}, for example above: 0; it has {has}")
    (direction,) = chosen
    value = given[direction]
    if direction != "within":
        bound = _number(direction, value)
        return direction, (bound, math.inf) if direction == "above" else (-math.inf, bound)
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ClaimError(f"within: must be two numbers, for example [-0.1, 0.1], got {_short(value)}")
    low, high = (_number(direction, each) for each in value)
    if not low < high:
        raise ClaimError(f"within: the first number must be the smaller one, got {_short(value)}")
    return direction, (low, high)


def _number(key: str, value: Any) -> float:
    """A finite number; also as text, for YAML takes 1e-3 as one."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise ClaimError(f"{key}: must be a finite number, got {_short(value)}")
    return found


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool | int | float):  # an SQL literal, such as of: true
        value = str(value).lower()
    if not isinstance(value, str) or not value.strip():
        raise ClaimError(f"{key}: must be a text, got {_short(value)}")
    return " ".join(value.split())


def _columns(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each.isidentifier() for each in value):
        raise ClaimError(f"{key}: must be a list of columns of runs, for example [task, seed], got {_short(value)}")
    return tuple(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
