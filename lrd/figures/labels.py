"""Labels in the order in which one reads them, and families of labels that differ by a number alone.

``bias -2`` stands before ``bias -1``, and ``units 8`` before ``units 16``: numbers in labels count as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: A number; what stands before a minus tells it from a hyphen: ``bias -2`` is negative, ``rnn-2`` is not.
NUMBER = re.compile(r"((?:(?<![\w.)])[-−])?\d+(?:\.\d+)?(?:e[-+]?\d{1,2}(?!\w))?)")
SMALLEST_FAMILY = 3  # of two, no order is to be seen


class Label(str):
    """A label that several studies have, told apart by study: it reads as ``lstm (demo2)``.

    ``base`` is the label itself, ``rank`` the place of the study among those compared.
    """

    base: str
    rank: int

    def __new__(cls, base: str, study: str, rank: int) -> Label:
        """The label ``base`` of the study in place ``rank``."""
        label = super().__new__(cls, f"{base} ({study})")
        label.base, label.rank = base, rank
        return label


Parts = tuple[tuple[str | float, ...], str]


def natural(label: str) -> Parts:
    """What to sort labels by: texts as texts, numbers as numbers; labels equal in these, by their spelling.

    Labels told apart by study stand together, in the order in which the studies are given.
    """
    if isinstance(label, Label):
        return natural(label.base)[0], f"{label.base} {label.rank:06}"
    parts = NUMBER.split(str(label))
    return tuple(float(part.replace("−", "-")) if at % 2 else part for at, part in enumerate(parts)), str(label)


def base_of(label: str) -> str:
    """The label without the study that it is told apart by."""
    return label.base if isinstance(label, Label) else label


def by_study(labels: Sequence[str], studies: Sequence[str], names: Sequence[str]) -> list[str]:
    """The label of each run, with its study where several of the studies ``names`` have the same."""
    owners: dict[str, set[str]] = {}
    for label, study in zip(labels, studies, strict=True):
        owners.setdefault(label, set()).add(study)
    ranks = {name: rank for rank, name in enumerate(names)}
    return [
        Label(label, study, ranks[study]) if len(owners[label]) > 1 else label
        for label, study in zip(labels, studies, strict=True)
    ]


def in_order(labels: Iterable[str]) -> list[str]:
    """The distinct labels, in natural order."""
    return sorted(set(labels), key=natural)


def family(labels: Iterable[str]) -> list[str]:
    """The labels that differ by one number alone, in the order of that number; the most there are of one kind.

    Empty where fewer than ``SMALLEST_FAMILY`` belong together.
    """
    kinds: dict[tuple[str | float, ...], list[str]] = {}
    for label in in_order(labels):
        parts = natural(label)[0]
        for at in range(1, len(parts), 2):  # whichever of its numbers differs
            kinds.setdefault((at, *parts[:at], *parts[at + 1 :]), []).append(label)
    most = max(kinds.values(), key=len, default=[])
    return most if len(most) >= SMALLEST_FAMILY else []
