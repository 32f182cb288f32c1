"""Firth's regression where it has a closed form, and against a maximum found in another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from lrd.stats.firth import firth_line


@pytest.mark.parametrize("solved", [(8, 2), (10, 0), (10, 10), (0, 0), (3, 7)])
def test_two_points_are_shares_with_half_a_run_added(solved: tuple[int, int]) -> None:
    """A saturated model: each leverage is 1, so the score k - n p + 1/2 - p vanishes at p = (k + 1/2) / (n + 1)."""
    x, n = np.log([10.0, 40.0]), np.array([10.0, 10.0])
    (intercept,), (slope,) = firth_line(x, np.array([solved], float), n[None])
    logit = [np.log((k + 0.5) / (10 - k + 0.5)) for k in solved]
    assert intercept + slope * x == pytest.approx(logit, abs=1e-7)


@pytest.mark.parametrize(
    "solved", [(5, 5, 4, 2, 0), (5, 5, 0, 0, 0), (5, 5, 3, 0, 0), (1, 3, 0, 2, 1), (0, 0, 0, 0, 1)]
)
def test_it_is_the_greatest_penalised_likelihood(solved: tuple[int, ...]) -> None:
    x, n, k = np.log([10.0, 20, 40, 80, 160]), np.array([5.0, 5, 5, 7, 9]), np.array(solved, dtype=float)

    def loss(line: np.ndarray) -> float:
        p = 1 / (1 + np.exp(-(line[0] + line[1] * (x - 3.5))))
        design = np.stack([np.ones(5), x])
        information = (design * n * p * (1 - p)) @ design.T
        return -float(k @ np.log(p) + (n - k) @ np.log(1 - p) + 0.5 * np.log(np.linalg.det(information)))

    other = minimize(loss, [0, -1], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000}).x
    (intercept,), (slope,) = firth_line(x, k[None], n[None])
    assert (intercept + 3.5 * slope, slope) == pytest.approx(other, abs=1e-5)


def test_sets_do_not_touch_each_other_and_points_without_runs_take_no_part() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    k = np.array([[5.0, 4, 1, 0], [5, 0, 0, 0], [3, 0, 0, 1], [2, 0, 0, 0]])
    n = np.array([[5.0, 5, 5, 5], [5, 5, 5, 5], [4, 0, 0, 4], [4, 0, 0, 0]])
    together = np.array(firth_line(x, k, n))
    alone = [firth_line(x, k[[i]], n[[i]]) for i in range(4)]
    assert together == pytest.approx(np.concatenate(alone, 1), rel=1e-9, nan_ok=True)
    assert together[:, 2] == pytest.approx(np.array(firth_line(x[[0, 3]], k[[2]][:, [0, 3]], n[[2]][:, [0, 3]]))[:, 0])
    assert np.isnan(together[:, 3]).all()  # one point is no line
