"""Multiplication: two of many numbers are marked, and their product is asked for at the end.

Sequences are those of the adding task (``lrd/tasks/adding.py``) in the conventions of these two, with values from
U[0, 1): the pairs, the marks, the places and the random lengths are the same.

* ``hochreiter1997`` (default; Hochreiter & Schmidhuber 1997, experiment 5): logistic output; wrong is an absolute error
  above 0.04. Where the first pair is the marked one the paper sets X1 to 1; here it keeps its value, as in adding.
* ``pascanu2013`` (Pascanu, Mikolov, Bengio 2013, supplement and public code; after Martens & Sutskever 2011, whose task
  Sutskever et al. 2013 train on too): linear output; wrong is a squared error above 0.04.

The paper of 1997 stops at fewer than 140, and again at fewer than 13, wrong among the last 2000 training sequences:
``allowed``. Here they are counted among evaluation sequences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lrd.options import option
from lrd.shapes import Bool, Float, Tensor
from lrd.tasks.marked_pairs import LEAST_GAP, MarkedPairs

_CONVENTIONS = ("hochreiter1997", "pascanu2013")


@dataclass(frozen=True)
class Multiplication(MarkedPairs):
    """Answer the product of the two marked numbers at the last step. The module says what each convention is."""

    gap: int = option(100, "least length of a sequence", ge=min(LEAST_GAP[name][0] for name in _CONVENTIONS))
    convention: str = option("hochreiter1997", "whose places and criterion", choices=_CONVENTIONS)
    allowed: int = option(140, "solved with fewer wrong of 2000 sequences (hochreiter1997: 140 or 13)", ge=1, le=2000)

    name = "multiplication"
    combination = "product"

    @property
    def criterion(self) -> str:
        if self.convention == "hochreiter1997":
            return f"fewer than {self.allowed} of 2000 with an error above 0.04 (Hochreiter & Schmidhuber 1997)"
        return "fewer than 1 % of sequences with a squared error above 0.04 (Pascanu et al. 2013: 10,000 sequences)"

    def value_range(self) -> tuple[float, float]:
        return 0.0, 1.0

    def combined(self, x1: Float[Tensor, "runs batch"], x2: Float[Tensor, "runs batch"]) -> Float[Tensor, "runs batch"]:
        return x1 * x2

    def chance(self) -> dict[str, float]:
        """Return, for each metric, the level of the best constant, since the last pair says nothing of the numbers.

        The product Z of two numbers uniform in [0, 1] has density ``-ln z`` and ``F(z) = z (1 - ln z)``. Its mean
        leaves its variance, 1/9 - 1/16. Its median m, ``m (1 - ln m) = 1/2``, leaves ``E|Z - m| = 1/4 - m + 2 (integral
        of F from 0 to m) = 1/4 - m + m^2 (3/2 - ln m)``. The density falls, so that no interval of width 2a holds more
        than [0, 2a].
        """
        median = _median()
        return {
            "loss": 1 / 9 - 1 / 16,
            "error_share": 1 - _below(2 * self.tolerance),
            "mean_absolute_error": 0.25 - median + median**2 * (1.5 - math.log(median)),
        }

    def landmarks(self) -> dict[str, float]:
        """Return ``one number known``: where it is x, x/2 is the best answer, and E x^2 / 12 = 1/36 is left."""
        return {"one number known": 1 / 36}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["error_share"] < (self.allowed / 2000 if self.convention == "hochreiter1997" else 0.01)


def _below(z: float) -> float:
    """Return P(Z <= z), where Z is the product of two numbers uniform in [0, 1]."""
    return z * (1 - math.log(z))


def _median() -> float:
    low, high = 0.0, 1.0
    for _ in range(60):  # halves the interval to below a float's rounding
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle) < 0.5 else (low, middle)
    return (low + high) / 2
