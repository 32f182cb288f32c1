"""What a sequence shows that must be remembered, by name: the subject of the probe ``retention``."""

from __future__ import annotations

from dataclasses import dataclass

from lrd.shapes import Int, Num, Tensor


@dataclass(frozen=True)
class Item:
    """One thing shown: what it was in each sample, and at which step (0-based) it was there to be seen in full.

    ``values``: numbers 0..classes-1 of a class, or real values where ``classes`` is None.
    """

    name: str
    values: Num[Tensor, "runs batch"]
    steps: Int[Tensor, "runs batch"]
    classes: int | None = None


def spread(count: int, most: int) -> list[int]:
    """Numbers out of range(count), all of them or ``most`` at even distances, always with the first and the last."""
    if count <= most:
        return list(range(count))
    return sorted({round(k * (count - 1) / (most - 1)) for k in range(most)})
