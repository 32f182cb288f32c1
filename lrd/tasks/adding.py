"""Adding: two of many numbers are marked, and their sum is asked for at the end.

Each step shows a pair (value, marker). T is ``gap``, steps are 0-based, L is the length of one sample:

==============  ========  ===================================  ==================================  ===============
convention      values    length                               marked                              target
==============  ========  ===================================  ==================================  ===============
arjovsky2016    U[0, 1)   T                                    one in each half                    X1 + X2
bai2018         U[0, 1)   T                                    two distinct places anywhere        X1 + X2
hochreiter1997  U[-1, 1)  uniform in T..T + T // 10            in the first 10; another in the     .5 + (X1+X2)/4
                                                               first T // 2 - 1
pascanu2013     U[0, 1)   uniform in T..T + T // 10            in [0, L // 10); in                 (X1 + X2) / 2
                                                               [L // 10, L // 2)
==============  ========  ===================================  ==================================  ===============

Sources: Hochreiter & Schmidhuber 1997, experiment 4; Pascanu, Mikolov, Bengio 2013, supplement; Arjovsky, Shah, Bengio
2016, section 5.2; Bai, Kolter, Koltun 2018. The output of 1997 is logistic. Our readings: Pascanu's length is an
integer uniform in [T, 11/10 T], and the marked places scale with each sample's own length. "One of the first T/2 - 1
still unmarked pairs" of 1997 is one of the first T // 2 - 1 pairs, as a public re-implementation has it too; it can be
read as one more, since one of those is marked already, which would make the least lag the paper's T/2 and not T/2 + 1.
Hochreiter marks the first
and the final pair with -1, and sets X1 to 0 where the first pair is also the marked one; here the mark 1 wins there and
X1 keeps its value, so that every sequence has two numbers to remember and the level of a constant is 1/24 exactly.
Shorter samples are padded with zeros behind their answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lrd.options import option
from lrd.shapes import Bool, Float, Tensor
from lrd.tasks.marked_pairs import LEAST_GAP, MarkedPairs


@dataclass(frozen=True)
class Adding(MarkedPairs):
    """Answer the sum of the two marked numbers at the last step. The module says what each convention is."""

    gap: int = option(100, "length of a sequence; the least length where lengths vary", ge=1)
    convention: str = option("arjovsky2016", "whose places, lengths and target", choices=tuple(LEAST_GAP))

    name = "adding"
    combination = "sum"

    @property
    def criterion(self) -> str:
        if self.convention == "hochreiter1997":
            return "mean absolute error < 0.01 and no error above 0.04 (Hochreiter & Schmidhuber 1997: 2000 sequences)"
        return "fewer than 1 % of sequences with a squared error above 0.04 (Pascanu et al. 2013: 10,000 sequences)"

    def value_range(self) -> tuple[float, float]:
        return (-1.0, 1.0) if self.convention == "hochreiter1997" else (0.0, 1.0)

    def combined(self, x1: Float[Tensor, "runs batch"], x2: Float[Tensor, "runs batch"]) -> Float[Tensor, "runs batch"]:
        return x1 + x2

    def scaled(self, combined: Float[Tensor, "runs batch"]) -> Float[Tensor, "runs batch"]:
        scale, offset = {"hochreiter1997": (0.25, 0.5), "pascanu2013": (0.5, 0.0)}.get(self.convention, (1.0, 0.0))
        return combined * scale + offset

    @property
    def _half_width(self) -> float:
        """Distance from the mean of the target to its ends; it is distributed as a triangle."""
        return 0.5 if self.random_length else 1.0

    def chance(self) -> dict[str, float]:
        """Return the levels of the target's centre as the answer, best for all three: it is mean, median and mode.

        The sum of two uniform numbers is triangular: the error e has density ``(1 - |e|/w) / w`` on [-w, w] (w = 1, or
        1/2 for the scaled targets), hence ``E e^2 = w^2 / 6``, ``E|e| = w / 3`` and ``P(|e| > a) = (1 - a/w)^2``.
        """
        width = self._half_width
        return {
            "loss": width**2 / 6,
            "error_share": (1 - self.tolerance / width) ** 2,
            "mean_absolute_error": width / 3,
        }

    def landmarks(self) -> dict[str, float]:
        """Return ``one number known``: the variance of the other number is left, half of the variance of both."""
        return {"one number known": self._half_width**2 / 12}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        if self.convention == "hochreiter1997":
            return (metrics["mean_absolute_error"] < 0.01) & (metrics["error_share"] == 0)
        return metrics["error_share"] < 0.01
