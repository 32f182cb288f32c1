"""Comparing a level that a task states with the mean of samples."""

from __future__ import annotations

import math

from lrd.shapes import Tensor

#: Standard errors: of a hundred true levels compared, one in 1500 test runs has one further away.
SIGMAS = 4.5


def assert_mean(values: Tensor, level: float, key: str = "") -> None:
    """The mean of independent values lies within sampling error of a level."""
    values = values.double().flatten()
    error = float(values.std()) / math.sqrt(len(values))
    assert abs(float(values.mean()) - level) <= SIGMAS * error + 1e-6 * abs(level), key


def assert_share(share: float, level: float, size: int, key: str = "") -> None:
    """A share of so many independent samples lies within binomial error of a probability."""
    assert abs(share - level) <= SIGMAS * math.sqrt(level * (1 - level) / size) + 1e-6, key
