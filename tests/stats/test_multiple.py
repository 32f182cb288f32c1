"""Correction for many comparisons against published examples and its definition."""

from __future__ import annotations

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.stats import holm

#: Benjamini & Hochberg (1995), sec. 4.1: 15 comparisons of two treatments of myocardial infarction.
INFARCTION = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
INFARCTION += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0]


def test_the_example_of_benjamini_and_hochberg() -> None:
    """Corrections that guard against any false rejection reject three at 5 % (p. 295)."""
    assert (holm(INFARCTION) <= 0.05).sum() == 3
    assert holm(INFARCTION)[:4] == pytest.approx([0.0015, 0.0056, 0.0247, 0.1140])


def test_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # 3 x .01, 2 x .03, 4 x .005


values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(values)
def test_holm_rejects_what_his_steps_reject(p: list[float]) -> None:
    """From the least p on, reject as long as p_(i) <= level / (m - i + 1)."""
    level, rejected = 0.05, []
    for i, place in enumerate(np.argsort(p, kind="stable")):
        if p[place] * (len(p) - i) > level:
            break
        rejected.append(place)
    assert set(np.flatnonzero(holm(p) <= level)) == set(rejected)


def test_tests_that_could_not_be_made_do_not_count() -> None:
    found = holm([0.01, nan, 0.04])
    assert found[[0, 2]].tolist() == holm([0.01, 0.04]).tolist()
    assert np.isnan(found[1])
    assert np.isnan(holm([nan])).all()
    assert holm([]).shape == (0,)
    assert holm([0.3]).tolist() == [0.3]
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([1.1])
