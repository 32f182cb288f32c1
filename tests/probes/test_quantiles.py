"""Quantiles where some values lie beyond resolution, against numpy's on what stands in their place."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.gradients.schema import QUANTILES
from lrd.probes.quantiles import quantiles

VALUES = st.floats(-300, 300) | st.just(-math.inf) | st.just(math.nan)
ROW = st.lists(st.tuples(VALUES, st.booleans()), min_size=1, max_size=30)


@settings(max_examples=100)
@given(ROW, st.sampled_from([-math.inf, math.inf]))
def test_quantiles_are_numpys(row: list[tuple[float, bool]], unresolved: float) -> None:
    values, there = torch.tensor([v for v, _ in row]).double(), torch.tensor([here for _, here in row])
    got = {name: column.item() for name, column in quantiles(values, there, unresolved).items()}
    present = values[there].numpy()
    assert got["samples"] == len(present)
    if not len(present):
        assert all(math.isnan(v) for name, v in got.items() if name != "samples")
        return
    lost = np.isnan(present)
    assert got["unresolved"] == pytest.approx(lost.mean(), abs=1e-15)
    # Far outside the range of the values: a quantile there is one that could not be resolved.
    ranked = np.where(lost, math.copysign(1e9, unresolved), np.where(np.isneginf(present), -1e6, present))
    if unresolved < 0:
        ranked = np.where(np.isneginf(present), -1e9, ranked)  # exactly 0 and too small: the order is not known
    for name, q in QUANTILES.items():
        expected = np.quantile(ranked, q, method="inverted_cdf")
        if abs(expected) == 1e9:
            assert math.isnan(got[name]) or (unresolved < 0 and got[name] == -math.inf)
        else:
            assert got[name] == (-math.inf if expected == -1e6 else expected)


def test_unresolved_values_are_small_or_large_as_asked() -> None:
    values, there = torch.tensor([math.nan, 1.0, 2.0, 3.0]), torch.ones(4, dtype=torch.bool)
    small, large = quantiles(values, there, -math.inf), quantiles(values, there, math.inf)
    assert (small["log10_q50"], large["log10_q50"]) == (1.0, 2.0)
    assert small["log10_q05"].isnan()
    assert large["log10_q95"].isnan()
    assert small["unresolved"] == large["unresolved"] == 0.25
