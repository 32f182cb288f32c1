"""A published result that a study re-runs: what stands under ``paper:`` in its file, and the verdict on the whole.

    paper:
      source: Hochreiter & Schmidhuber (1997), Long short-term memory, experiment 4
      result: An LSTM solves adding at T = 100 after 74,000 sequences.
      size: as published; 10 seeds
      assumptions: [Biases of the readout are drawn as its weights are.]
      deviations: [The criterion is asked of 2,000 fresh sequences, every 1,000 updates.]

The hypotheses of the study say what the result claims, in numbers; what the paper gives for each stands there under
``published:``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lrd.findings.finding import FAILS, HOLDS, UNDECIDED, Finding
from lrd.findings.hypothesis import HypothesisError
from lrd.options import nearest

AGREES, PARTLY, DISAGREES = "agrees", "partly", "disagrees"

_TEXTS = ("source", "result", "size", "figure")
_LISTS = ("assumptions", "deviations", "further")
_NEEDED = (*_TEXTS[:3], *_LISTS[:2])
_KEYS = (*_TEXTS, *_LISTS, "quick")


@dataclass(frozen=True)
class Paper:
    """A published result, and how it is re-run.

    Attributes:
        source: authors, year, title, and the table, figure or public code that the settings are from.
        result: what was published, in a sentence.
        size: how the re-run compares in size: as published, or what is smaller; and the number of seeds.
        assumptions: what the source does not say, and what is done instead; may be empty.
        deviations: what the source says, and is done otherwise; may be empty.
        further: what was checked after the first run disagreed, with what came out; may be empty.
        figure: the script of ``analysis/`` whose picture stands for the study.
        quick: whether it is one of those that ``make papers`` trains.
    """

    source: str
    result: str
    size: str
    assumptions: tuple[str, ...]
    deviations: tuple[str, ...]
    further: tuple[str, ...] = ()
    figure: str = "learning_curves"
    quick: bool = False


def paper_from(tree: Any, source: str = "paper") -> Paper:
    """Return the paper that stands under a key ``paper:``.

    Args:
        tree: a mapping, as YAML gives it.
        source: where it stands, with which messages begin.

    Raises:
        HypothesisError: a key is missing, unknown, or has no value of its kind; the message is one line.
    """
    if not isinstance(tree, Mapping):
        raise HypothesisError(f"{source}: must hold {', '.join(_NEEDED)}, got {tree!r}")
    for key in tree:
        if key not in _KEYS:
            raise HypothesisError(f"{source}: there is no key {key!r}{nearest(str(key), _KEYS)}")
    for key in _NEEDED:
        if key not in tree:
            raise HypothesisError(f"{source}: {key} is missing" + (", [] if there are none" if key in _LISTS else ""))
    texts: dict[str, Any] = {key: _text(tree[key], f"{source}.{key}") for key in _TEXTS if key in tree}
    lists: dict[str, Any] = {key: _texts(tree[key], f"{source}.{key}") for key in _LISTS if key in tree}
    quick = tree.get("quick", False)
    if not isinstance(quick, bool):
        raise HypothesisError(f"{source}.quick: must be true or false, got {quick!r}")
    return Paper(quick=quick, **texts, **lists)


def paper_verdict(findings: Sequence[Finding]) -> str:
    """Return what the records say of a published result as a whole.

    Args:
        findings: on the hypotheses of its study.

    Returns:
        ``agrees`` where every hypothesis holds, ``partly`` where some hold and others fail, ``disagrees`` where some
        fail and none holds, else ``undecided``.
    """
    verdicts = {finding.verdict for finding in findings}
    if FAILS in verdicts:
        return PARTLY if HOLDS in verdicts else DISAGREES
    return AGREES if verdicts == {HOLDS} else UNDECIDED


def verdict_line(paper: Paper, findings: Sequence[Finding]) -> str:
    """Return the verdict on a published result in a line: ``agrees: what was published (its source)``."""
    return f"{paper_verdict(findings)}: {paper.result} ({paper.source})"


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise HypothesisError(f"{key}: must be a text, got {value!r}")
    return " ".join(value.split())


def _texts(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise HypothesisError(f"{key}: must be a list of sentences, got {value!r}")
    if mapping := next((each for each in value if isinstance(each, Mapping)), None):
        raise HypothesisError(f"{key}: put quotes around a sentence that holds a colon, got {mapping!r}")
    return tuple(_text(each, key) for each in value)
