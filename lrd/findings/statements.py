"""Statements as YAML gives them, made into hypotheses: ``lrd.findings.hypothesis`` has their grammar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lrd.findings.hypothesis import DIRECTIONS, MEASURES, MOMENTS, Hypothesis, HypothesisError
from lrd.options import nearest, not_a_choice

_TEXTS = ("says", "measure", "of", "than", "number", "table", "rows", "at", "against")
_KEYS = (*_TEXTS, "per", "pair", "published", *DIRECTIONS)
_NUMBERED = frozenset({"share", "median", "mean", "trend"})  # measures of a number of each run
_ALONE = frozenset({"trend", "median_updates", "wall"})  # of one group


def hypotheses_from(tree: Any, source: str = "hypotheses") -> list[Hypothesis]:
    """Return the hypotheses that stand under a key ``hypotheses:``.

    Args:
        tree: a mapping from name to statement, as YAML gives it; ``None`` makes an empty list.
        source: where it stands, with which messages begin.

    Raises:
        HypothesisError: something is wrong; the message has a line for each hypothesis of which that is so.
    """
    if tree is None:
        return []
    if not isinstance(tree, Mapping):
        raise HypothesisError(f"{source}: must map the name of each hypothesis to its statement, got {_short(tree)}")
    hypotheses, wrong = [], []
    for name, statement in tree.items():
        try:
            hypotheses.append(_hypothesis(str(name), statement))
        except HypothesisError as error:
            wrong.append(f"{source}.{name}: {error}")
    if wrong:
        raise HypothesisError("\n".join(wrong))
    return hypotheses


def _hypothesis(name: str, statement: Any) -> Hypothesis:
    if not isinstance(statement, Mapping):
        raise HypothesisError(
            f"must hold says, measure, of and one of {', '.join(DIRECTIONS)}, got {_short(statement)}"
        )
    given = {str(key): value for key, value in statement.items() if value is not None}
    if "published" in statement and "published" not in given:
        raise HypothesisError("published: has no number; give the paper's, or leave the key out")
    for key in given:
        if key not in _KEYS:
            raise HypothesisError(f"there is no key {key!r}{nearest(key, _KEYS)}; a hypothesis has {', '.join(_KEYS)}")
    texts: dict[str, Any] = {key: _text(key, given[key]) for key in _TEXTS if key in given}
    for key, example in (("says", "The LSTM solves it."), ("measure", "share"), ("of", "cell = 'lstm'")):
        if key not in texts:
            raise HypothesisError(f"{key} is missing, for example {key}: {example}")
    _check(texts)
    columns: dict[str, Any] = {key: _columns(key, given[key]) for key in ("per", "pair") if key in given}
    if "per" in columns and texts["measure"] not in ("median", "mean"):
        raise HypothesisError("per: there is a mean of the numbers of several runs for measure: median and mean alone")
    if "pair" in columns and ("than" not in texts or "per" in columns):
        raise HypothesisError(
            "pair: goes with a second group, than, and without per, by which units are paired already"
        )
    published = _number("published", given["published"]) if "published" in given else None
    direction, bounds = _side(given, published)
    return Hypothesis(name=name, direction=direction, bounds=bounds, published=published, **columns, **texts)


def _check(texts: Mapping[str, str]) -> None:
    """Raise ``HypothesisError`` where keys of a statement do not go together."""
    measure = texts["measure"]
    if measure not in MEASURES:
        raise HypothesisError(f"measure: {not_a_choice(measure, MEASURES)}")
    for key in ("number", "table"):
        if key in texts and measure not in _NUMBERED:
            raise HypothesisError(f"{key}: {measure} is no number of each run; leave it out, or take measure: median")
    if measure in _NUMBERED - {"share"} and "number" not in texts:
        raise HypothesisError(f"number is missing: {measure} of what, for example number: test_loss")
    if "number" not in texts and "table" in texts:
        raise HypothesisError("number is missing: what of the rows of the table, for example number: avg(slope)")
    for key in ("rows", "at"):
        if key in texts and "table" not in texts:
            raise HypothesisError(
                f"{key}: chooses among the rows of a table; say which, for example table: gradient_fit"
            )
    if "at" in texts and texts["at"] not in MOMENTS:
        raise HypothesisError(f"at: {not_a_choice(texts['at'], MOMENTS)}")
    if (measure == "trend") != ("against" in texts):
        way_out = "against is missing: which number grows" if measure == "trend" else "against: is for measure: trend"
        raise HypothesisError(f"{way_out}, for example against: cell_gain")
    if measure in _ALONE and "than" in texts:
        raise HypothesisError(f"than: {measure} is of one group; state something of each, or take another measure")
    if measure == "solving_rate" and "than" not in texts:
        raise HypothesisError("than is missing: solving_rate is that of one group over that of another")


def _side(given: Mapping[str, Any], published: float | None) -> tuple[str, tuple[float, float]]:
    chosen = [key for key in DIRECTIONS if key in given]
    if len(chosen) != 1:
        has = " and ".join(chosen) or "none"
        raise HypothesisError(f"needs one of {', '.join(DIRECTIONS)}, for example above: 0; it has {has}")
    (direction,) = chosen
    value = given[direction]
    if direction == "within_factor":
        factor = _number(direction, value)
        if factor <= 1 or published is None or published <= 0:
            raise HypothesisError(
                "within_factor: a number above 1, beside the number above 0 that it is a factor of, for example "
                "published: 74000, within_factor: 2"
            )
        return direction, (published / factor, published * factor)
    if direction != "within":
        bound = _number(direction, value)
        return direction, (bound, math.inf) if direction == "above" else (-math.inf, bound)
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise HypothesisError(f"within: must be two numbers, for example [-0.1, 0.1], got {_short(value)}")
    low, high = (_number(direction, each) for each in value)
    if not low < high:
        raise HypothesisError(f"within: the first number must be the smaller one, got {_short(value)}")
    return direction, (low, high)


def _number(key: str, value: Any) -> float:
    """Return a finite number, also from a text, for YAML takes 1e-3 as one."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not math.isfinite(found):
        raise HypothesisError(f"{key}: must be a finite number, got {_short(value)}")
    return found


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool | int | float):  # an SQL literal, such as of: true
        value = str(value).lower()
    if not isinstance(value, str) or not value.strip():
        raise HypothesisError(f"{key}: must be a text, got {_short(value)}")
    return " ".join(value.split())


def _columns(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each.isidentifier() for each in value):
        raise HypothesisError(
            f"{key}: must be a list of columns of runs, for example [task, seed], got {_short(value)}"
        )
    return tuple(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
