"""Items that a sequence shows and its answers need, by name: the subject of the probe ``retention``."""

from __future__ import annotations

from dataclasses import dataclass

from lrd.shapes import Int, Num, Tensor


@dataclass(frozen=True)
class Item:
    """One thing that a sequence shows and its answer needs.

    Attributes:
        name: of the item.
        values: what it was in each sample: numbers 0..classes-1 of a class, or real values where ``classes`` is
            None.
        steps: the step at which it was there to be seen in full, in each sample.
        classes: number of classes, or None.
    """

    name: str
    values: Num[Tensor, "runs batch"]
    steps: Int[Tensor, "runs batch"]
    classes: int | None = None


def spread(count: int, most: int) -> list[int]:
    """Return numbers out of range(count): all, or ``most`` at even distances, always with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(k * (count - 1) / (most - 1)) for k in range(most)})
