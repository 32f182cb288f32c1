"""Statistics over samples against numpy, and the fitted line."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import FIRST
from lrd.gradients.flow import Flow
from lrd.gradients.schema import QUANTILES
from lrd.gradients.summary import fit, over_samples
from lrd.tasks import Adding, Copy

norms = st.floats(-300, 300) | st.just(-math.inf) | st.just(math.nan)


@settings(max_examples=60)
@given(st.integers(1, 70).flatmap(lambda n: st.lists(st.lists(norms, min_size=n, max_size=n), min_size=1, max_size=3)))
def test_statistics_are_numpys(rows: list[list[float]]) -> None:
    got = {name: v.numpy() for name, v in over_samples(torch.tensor(rows, dtype=torch.float64)).items()}
    for j, row in enumerate(rows):
        there = np.array([x for x in row if not math.isnan(x)])
        if not len(there):
            assert all(math.isnan(v[j]) for v in got.values())
            continue
        finite = there[np.isfinite(there)]
        mean = np.mean(10.0**there)
        # Sums of up to 70 powers of ten, whose logarithms of 300 are good to 300 eps ln 10 each.
        assert got["log10_mean"][j] == pytest.approx(np.log10(mean) if mean > 0 else -np.inf, abs=1e-11)
        assert got["log10_gmean"][j] == pytest.approx(finite.mean() if len(finite) else -np.inf, abs=1e-11)
        assert got["zero_share"][j] == np.isneginf(there).mean()
        for name, q in QUANTILES.items():
            assert got[name][j] == np.quantile(there, q, method="inverted_cdf")


def flow_of(total: np.ndarray) -> Flow:
    """One run and variable ``h``; ``total`` [lags, batch]."""
    norms = torch.from_numpy(total)[:, None]
    lags = torch.arange(len(total) - 1, -1, -1)
    return Flow("last", FIRST, lags, {"h": norms}, {"h": torch.full_like(norms, -torch.inf)})


@pytest.mark.parametrize("slope", [0.25, -0.1, 1e-6, 3.0])
def test_fit_of_an_exact_line_over_the_quiet_steps_alone(slope: float) -> None:
    task = Copy(gap=12, items=3)
    t = np.arange(task.sequence_length, dtype=float)
    y = slope * t - 7
    y[: task.quiet_steps.start], y[task.quiet_steps.stop :] = 99.0, -99.0
    line = fit(task, flow_of(np.stack([y - 1, y + 1], 1)), "h", 0)
    assert line.points == 12
    assert line.slope == pytest.approx(slope, rel=1e-9)
    assert line.horizon == pytest.approx(1 / (slope * math.log(10)) if slope > 0 else math.inf, rel=1e-9)


def test_fit_leaves_out_zeros_and_steps_that_are_not_there() -> None:
    task = Adding(gap=12)
    y = 0.5 * np.arange(12.0) - 3
    y[3], y[5] = -np.inf, np.nan
    line = fit(task, flow_of(y[:, None]), "h", 0)
    assert (line.points, line.slope) == (9, pytest.approx(0.5, rel=1e-12))
    y[2:] = -np.inf
    assert fit(task, flow_of(y[:, None]), "h", 0).points == 2
    assert math.isnan(fit(task, flow_of(y[:, None]), "h", 0).slope)
    assert math.isnan(fit(task, flow_of(y[:, None]), "h", 0).horizon)


def test_the_error_of_a_slope_is_that_of_the_samples_own_lines() -> None:
    task = Adding(gap=12)
    t = np.arange(12.0)
    slopes = np.array([0.1, 0.2, 0.6])  # mean 0.3, variance 0.07
    line = fit(task, flow_of(t[:, None] * slopes), "h", 0)
    assert line.slope == pytest.approx(0.3, rel=1e-12)
    assert (line.slope_error, line.samples) == (pytest.approx(math.sqrt(0.07 / 3), rel=1e-12), 3)
    alone = fit(task, flow_of(t[:, None] * slopes[:1]), "h", 0)
    assert math.isnan(alone.slope_error)
    assert alone.samples == 1


@pytest.mark.parametrize(("slope", "to_e", "to_milli"), [(0.25, 2, math.inf), (0.5, 1, 6), (-0.3, math.inf, math.inf)])
def test_where_the_norm_itself_has_fallen(slope: float, to_e: float, to_milli: float) -> None:
    """The first whole step at which slope * steps exceeds log10 e = 0.434, or 3; eleven steps are there."""
    line = fit(Adding(gap=12), flow_of(slope * np.arange(12.0)[:, None]), "h", 0)
    assert (line.fallen_e, line.fallen_milli) == (to_e, to_milli)
