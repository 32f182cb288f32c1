"""Critical gaps by hand, of separated data, and from curves that are known."""

from __future__ import annotations

from math import inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.stats import CriticalGap, critical_gap, share

GAPS = (10, 20, 40, 80, 160)


def found(solved: tuple[int, ...], runs: int, whole: bool = False, gaps: tuple[int, ...] = GAPS) -> CriticalGap:
    """Of so many ``runs`` a gap, the first few solved it."""
    flags = np.concatenate([np.arange(runs) < k for k in solved])
    seeds = np.tile(np.arange(runs), len(gaps))
    return critical_gap(np.repeat(gaps, runs), flags, seeds if whole else None)


def test_two_gaps_by_hand() -> None:
    """8 of 10 at 10, 2 of 10 at 40: half-way in the logarithm, and log odds of 8.5 to 2.5 on both sides."""
    one = found((8, 2), 10, gaps=(10, 40))
    assert one.gap == pytest.approx(20)
    assert one.slope == pytest.approx(-2 * log(8.5 / 2.5) / log(4), rel=1e-6)
    assert (one.count, one.missing, one.separated) == (20, 0, False)
    # An estimate beyond the gaps is none: resamples such as 10 and 6 of 10 cross above 40.
    assert one.low == 0 or 10 <= one.low < 20
    assert one.high == inf or 20 < one.high <= 40


def test_runs_without_a_gap_are_left_out() -> None:
    gaps, solved = np.repeat([0, 10, 40], 10), np.tile(np.arange(10), 3) < np.repeat([10, 8, 2], 10)
    with_seeds = np.tile(np.arange(10), 3)
    assert critical_gap(gaps, solved, with_seeds) == found((8, 2), 10, whole=True, gaps=(10, 40))
    with pytest.raises(ValueError, match=r"two gaps or more above 0; there are \[10\.0\]"):
        critical_gap([0, 10], [1, 0])
    with pytest.raises(ValueError, match="above 0"):
        critical_gap([-1, 10], [1, 0])


def test_a_symmetric_fall_is_in_the_middle() -> None:
    one = found((10, 9, 5, 1, 0), 10)
    assert one.gap == pytest.approx(40, rel=1e-6)
    assert 20 < one.low < 40 < one.high < 80
    assert one.slope < 0


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("solved", "runs", "low", "high"),
    [
        ((5, 5, 5, 0, 0), 5, 40, 80),
        ((5, 5, 5, 5, 5), 5, 160, inf),
        ((0, 0, 0, 0, 0), 5, 0, 10),
        ((3, 3, 0, 0, 0), 3, 0, inf),  # 3 of 3 is surely half of all seeds at no level
    ],
)
def test_separated(solved: tuple[int, ...], runs: int, low: float, high: float, whole: bool) -> None:
    one = found(solved, runs, whole)
    assert one.separated
    assert np.isnan(one.slope)
    assert (one.low, one.high) == (low, high)
    assert (share(3, 3).low < 0.5) == (runs == 3) or runs == 5
    last = max([gap for gap, k in zip(GAPS, solved, strict=True) if k], default=0)
    first = min([gap for gap, k in zip(GAPS, solved, strict=True) if k < runs], default=inf)
    assert last <= one.gap <= first
    if solved == (5, 5, 5, 0, 0):
        assert one.gap == pytest.approx(sqrt(40 * 80), rel=0.02)


def test_one_mixed_gap_leaves_no_slope() -> None:
    one = found((10, 10, 7, 0, 0), 10)
    assert not one.separated
    assert np.isnan(one.slope)
    assert 40 < one.gap < 80
    assert 20 < one.low < one.gap < one.high < 80


def test_beyond_the_gaps_that_were_tried_is_no_number() -> None:
    above, below = found((10, 10, 9, 9, 8), 10), found((1, 2, 0, 0, 0), 10)
    assert (above.gap, above.high) == (inf, inf)
    assert 80 < above.low <= 160
    assert (below.gap, below.low) == (0, 0)
    assert 10 <= below.high < 40
    rising = found((0, 0, 1, 5, 10), 10)  # no wall at all
    assert rising.gap == 0
    assert rising.slope > 0


counts = st.tuples(*[st.integers(0, 4)] * 5)


@given(counts, st.booleans())
def test_the_interval_holds_the_estimate(solved: tuple[int, ...], whole: bool) -> None:
    one = found(solved, 4, whole)
    if not np.isnan(one.low):
        assert one.low <= one.gap <= one.high
        assert one.low < one.high
        assert one.low == 0 or one.low in (10, 160) or 10 < one.low < 160


def test_depends_on_the_runs_alone() -> None:
    rng = np.random.default_rng(2)
    gaps, seeds = np.repeat(GAPS, 8), np.tile(np.arange(8), 5)
    solved = rng.random(40) < 1 / (1 + (gaps / 45) ** 2)
    order = rng.permutation(40)
    for by in (None, seeds):
        assert critical_gap(gaps, solved, by) == critical_gap(
            gaps[order], solved[order], None if by is None else by[order]
        )


def test_seeds_that_go_together_make_wide_intervals() -> None:
    """Four of eight seeds solve every gap but the last, four only the first: the runs of one seed are no eight."""
    flags = np.stack([np.arange(8) < k for k in (8, 4, 4, 4, 0)]).ravel()
    gaps, seeds = np.repeat(GAPS, 8), np.tile(np.arange(8), 5)
    within, whole = critical_gap(gaps, flags), critical_gap(gaps, flags, seeds)
    assert within.gap == whole.gap
    assert log(whole.high / whole.low) > 1.3 * log(within.high / within.low)


@pytest.mark.parametrize("whole", [False, True])
def test_three_runs_a_gap_are_too_few_to_resample(whole: bool) -> None:
    few, enough = found((3, 2, 1, 0, 0), 3, whole), found((4, 3, 1, 0, 0), 4, whole)
    assert np.isnan([few.low, few.high]).all()
    assert 10 < few.gap < 80
    assert enough.low < enough.gap < enough.high


def test_what_cannot_be_resampled_has_no_interval() -> None:
    flags = [1, 1, 0, 1, 0]
    for one in (critical_gap(GAPS, flags), critical_gap(GAPS, flags, [3] * 5)):
        assert 20 < one.gap < 160
        assert np.isnan([one.low, one.high]).all()


def test_missing_runs_are_left_out_and_counted() -> None:
    one = critical_gap([10, 10, 20, 20, 20], [1, 1, 0, 0, np.nan], seeds=list("abcab"))
    assert (one.count, one.missing, one.separated) == (4, 1, True)


@pytest.mark.parametrize(
    ("gaps", "solved", "text"),
    [([10, 10], [1, 0], "two gaps"), ([], [], "two gaps"), ([0, 10], [1, 0], "above 0"), ([10], [1, 0], "a run")],
)
def test_nonsense_is_refused(gaps: list[int], solved: list[int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        critical_gap(gaps, solved)
