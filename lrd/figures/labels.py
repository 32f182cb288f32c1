"""Labels in the order in which one reads them, and families of labels that differ by a number alone.

``bias -2`` stands before ``bias -1``, and ``units 8`` before ``units 16``: numbers in labels count as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: A number; what stands before a minus makes it a sign or a hyphen: ``bias -2`` is negative, ``rnn-2`` is not.
NUMBER = re.compile(r"((?:(?<![\w.)])[-−])?\d+(?:\.\d+)?(?:e[-+]?\d{1,2}(?!\w))?)")
SMALLEST_FAMILY = 3  # of two, no order is to be seen


class Label(str):
    """A label that several studies have, with the name of one of them: it reads as ``lstm (demo2)``.

    Attributes:
        base: The label itself.
        rank: The place of the study among those compared.
    """

    base: str
    rank: int

    def __new__(cls, base: str, study: str, rank: int) -> Label:
        """Return the label ``base`` of the study in place ``rank``."""
        label = super().__new__(cls, f"{base} ({study})")
        label.base, label.rank = base, rank
        return label


class PartLabel(str):
    """The label of one part of a network of several: it reads as ``lstm, layer 2, backward``.

    Attributes:
        whole: The label of the whole network.
        layer: The layer of the part, from 1.
        direction: In which the part reads: ``forward`` or ``backward``.
        deepest: The layers of the deepest network of the study, of which figures make shades.
        is_last: Whether it is the forward part of the last layer, above which there is the readout alone.
    """

    whole: str
    layer: int
    direction: str
    deepest: int
    is_last: bool

    def __new__(cls, whole: str, layer: int, direction: str, network: tuple[int, bool], deepest: int) -> PartLabel:
        """Return the label of a part of a network, which is given as (layers, whether it is bidirectional)."""
        layers, bidirectional = network
        where = [f"layer {layer}"] * (layers > 1) + [direction] * bidirectional
        label = super().__new__(cls, ", ".join([whole, *where]))
        label.whole, label.layer, label.direction, label.deepest = whole, layer, direction, deepest
        label.is_last = layer == layers and direction == "forward"
        return label

    @property
    def part(self) -> str:
        """The part alone: ``layer 2, backward``."""
        return self[len(self.whole) + 2 :]

    @property
    def is_backward(self) -> bool:
        """Whether the part reads from the last step to the first."""
        return self.direction == "backward"


Parts = tuple[tuple[str | float, ...], str]


def natural(label: str) -> Parts:
    """Return a key to sort labels by: texts as texts, numbers as numbers, equal ones by their spelling.

    A label that several studies have stands together, in the order in which the studies are given; so do the parts of a
    network, layer by layer.
    """
    if isinstance(label, PartLabel):
        order, spelling = natural(label.whole)
        return order, f"{spelling} {label.layer:06} {label.is_backward:d}"
    if isinstance(label, Label):
        return natural(label.base)[0], f"{label.base} {label.rank:06}"
    parts = NUMBER.split(str(label))
    return tuple(float(part.replace("−", "-")) if at % 2 else part for at, part in enumerate(parts)), str(label)


def whole_of(label: str) -> str:
    """Return the label of the network of which a label may name a part."""
    return label.whole if isinstance(label, PartLabel) else label


def base_of(label: str) -> str:
    """Return a label without the part of its network and the name of its study."""
    whole = whole_of(label)
    return whole.base if isinstance(whole, Label) else whole


def by_study(labels: Sequence[str], studies: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the label of each run, with its study where several studies have the same label.

    Args:
        labels: [runs] the label of each run.
        studies: [runs] the study of each run.
        names: The studies, in the order in which they are compared.
    """
    owners: dict[str, set[str]] = {}
    for label, study in zip(labels, studies, strict=True):
        owners.setdefault(label, set()).add(study)
    ranks = {name: rank for rank, name in enumerate(names)}
    return [
        Label(label, study, ranks[study]) if len(owners[label]) > 1 else label
        for label, study in zip(labels, studies, strict=True)
    ]


def in_order(labels: Iterable[str]) -> list[str]:
    """Return the distinct labels, in natural order."""
    return sorted(set(labels), key=natural)


def family(labels: Iterable[str]) -> list[str]:
    """Return the labels that differ by one number alone, in the order of that number.

    Where there are several such families, the largest one; none where fewer than ``SMALLEST_FAMILY`` belong together.
    """
    kinds: dict[tuple[str | float, ...], list[str]] = {}
    for label in in_order(labels):
        parts = natural(label)[0]
        for at in range(1, len(parts), 2):  # whichever of its numbers differs
            kinds.setdefault((at, *parts[:at], *parts[at + 1 :]), []).append(label)
    most = max(kinds.values(), key=len, default=[])
    return most if len(most) >= SMALLEST_FAMILY else []
