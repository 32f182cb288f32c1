"""Each measure of a hypothesis against an example worked out by other means, and what unknown runs do to it."""

from __future__ import annotations

from math import inf, isnan, sqrt
from typing import Any

import numpy as np
import pytest
from made_runs import GIVEN, found, row
from scipy import stats

from lrd.findings import FAILS, HOLDS, UNDECIDED

Rows = list[dict[str, Any]]
LEFT = ("running", "failed", "interrupted")


def solved(count: int, of: int, cell: str = "rnn", **more: Any) -> Rows:
    return [row(seed, cell, 300 + 10 * seed if seed < count else None, **more) for seed in range(of)]


def test_a_share_has_the_exact_interval() -> None:
    finding = found(solved(9, 10), above=0.5)
    # P(X >= 9 | low) = 0.025 = P(X <= 9 | high), X binomial of 10
    assert stats.binom.sf(8, 10, finding.low) == pytest.approx(0.025, rel=1e-6)
    assert stats.binom.cdf(9, 10, finding.high) == pytest.approx(0.025, rel=1e-6)
    assert (finding.estimate, finding.runs, finding.level) == (0.9, 10, 0.95)
    assert finding.verdict == HOLDS
    assert found(solved(9, 10), below=0.5).verdict == FAILS
    assert found(solved(5, 10), above=0.5).verdict == UNDECIDED


@pytest.mark.parametrize("state", LEFT)
def test_of_runs_that_did_not_end_a_share_takes_either(state: str) -> None:
    rows = [*solved(9, 10), *(row(seed, state=state) for seed in range(10, 14))]
    finding = found(rows, above=0.5)
    assert stats.binom.sf(8, 14, finding.low) == pytest.approx(0.025, rel=1e-6)  # none of the four solves it
    assert stats.binom.cdf(13, 14, finding.high) == pytest.approx(0.025, rel=1e-6)  # all four do
    assert finding.verdict == UNDECIDED
    assert f"4 {'failed' if state == 'failed' else 'unfinished'}" in finding.reason
    assert finding.runs == 14


def test_a_share_of_anything_that_is_so() -> None:
    rows = [row(seed, outcome="diverged" if seed < 2 else "unsolved", test_loss=0.1 * seed) for seed in range(20)]
    assert found(rows, number="outcome = 'diverged'", below=0.5).estimate == 0.1
    assert found(rows, number="test_loss > 0.55", above=0.3).estimate == 0.7


def test_a_difference_of_shares_is_paired_over_the_seeds_that_both_have() -> None:
    first, second = solved(9, 10, "lstm"), solved(1, 10)
    paired = found([*first, *second], of="cell = 'lstm'", than="cell = 'rnn'", above=0)
    assert "of 10 pairs" in paired.numbers
    assert paired.estimate == pytest.approx(0.8)
    assert paired.verdict == HOLDS
    apart = found([*first, *second[:-1]], of="cell = 'lstm'", than="cell = 'rnn'", above=0)
    assert "pairs" not in apart.numbers
    assert apart.estimate == pytest.approx(9 / 10 - 1 / 9)
    # Wilson's bounds by his formula, squared and added (Newcombe's method 10)
    (p, low, _), (q, _, high) = wilson(9, 10), wilson(1, 9)
    assert apart.low == pytest.approx(p - q - sqrt((p - low) ** 2 + (high - q) ** 2), rel=1e-9)


def wilson(k: int, n: int) -> tuple[float, float, float]:
    p, z = k / n, stats.norm.ppf(0.975)
    reach = z * sqrt(p * (1 - p) / n + z * z / 4 / n**2)
    return p, (p + z * z / 2 / n - reach) / (1 + z * z / n), (p + z * z / 2 / n + reach) / (1 + z * z / n)


def test_shares_do_not_differ_where_the_exact_test_finds_no_difference() -> None:
    rows = [*solved(5, 5, "lstm"), *solved(0, 5)]  # McNemar's p is 2 / 32
    finding = found(rows, of="cell = 'lstm'", than="cell = 'rnn'", above=0)
    assert finding.verdict == UNDECIDED
    assert "exact p = 0.062" in finding.numbers
    assert found(rows, of="cell = 'lstm'", than="cell = 'rnn'", below=0).verdict == UNDECIDED
    rows = [*solved(6, 6, "lstm"), *solved(0, 6)]  # 2 / 64
    assert found(rows, of="cell = 'lstm'", than="cell = 'rnn'", above=0).verdict == HOLDS
    assert found(rows, of="cell = 'lstm'", than="cell = 'rnn'", below=0).verdict == FAILS


def test_a_difference_counts_what_is_unknown_against_the_verdict() -> None:
    rows = [*solved(6, 6, "lstm"), *solved(0, 5), row(5, state="running")]
    assert found(rows, of="cell = 'lstm'", than="cell = 'rnn'", above=0).verdict == UNDECIDED


def test_pairs_by_further_columns() -> None:
    rows = [
        row(s, c, 100 if c == "lstm" else None, cell_gain=g) for c in ("rnn", "lstm") for s in range(3) for g in (1, 2)
    ]
    two = {"of": "cell = 'lstm'", "than": "cell = 'rnn'", "above": 0}
    assert "6 pairs" in found(rows, **two, pair=["seed", "cell_gain"]).numbers
    assert "pairs" not in found(rows, **two).numbers  # neither a seed nor a seed of a task and gap is there once
    assert "pairs" not in found(rows[:3] + rows[6:9], **two, pair=[]).numbers
    assert "name more columns" in found(rows, **two, pair=["seed"]).broken


def test_a_median_has_order_statistics_around_it() -> None:
    rows = [row(seed, test_loss=float(seed)) for seed in range(9)]
    finding = found(rows, measure="median", number="test_loss", within=[0, 8])
    # [x_2, x_8] covers with 1 - 20 / 512, [x_3, x_7] with 1 - 92 / 512 alone
    assert (finding.low, finding.high) == (1, 7)
    assert finding.estimate == 4
    assert finding.verdict == HOLDS


def test_a_median_of_too_few_says_how_many_it_takes() -> None:
    finding = found(
        [row(seed, test_loss=1.0 + seed) for seed in range(5)], measure="median", number="test_loss", above=0
    )
    assert finding.verdict == UNDECIDED
    assert finding.reason == "5 runs are too few for an interval of a median at 95 %: that takes 6"
    assert finding.estimate == 3
    assert isnan(finding.low)


def test_numbers_that_are_not_known_may_be_any() -> None:
    rows = [row(seed, test_loss=1.0 + seed) for seed in range(9)]
    assert found(rows, measure="median", number="test_loss", above=0).verdict == HOLDS
    two = found(rows + [row(seed, state="failed") for seed in (9, 10)], measure="median", number="test_loss", above=0)
    assert two.low == -inf  # [x_2, x_10] of 11
    assert two.estimate == 5
    assert two.verdict == UNDECIDED
    assert "2 failed" in two.reason
    many = [row(seed, test_loss=1.0 + seed) for seed in range(30)] + [row(30, state="failed")]
    finding = found(many, measure="median", number="test_loss", above=0)
    assert finding.verdict == HOLDS
    assert "1 failed" in finding.numbers
    assert found(many, measure="mean", number="test_loss", above=0).reason.startswith("1 without the number")


def test_a_difference_of_medians() -> None:
    losses = {"rnn": [5.0, 6.1, 7.3, 8.2, 9.4, 10.9], "lstm": [1.0, 2.2, 3.1, 4.4, 5.3, 6.7]}
    rows = [row(s, c, test_loss=loss) for c, mine in losses.items() for s, loss in enumerate(mine)]
    two = {"measure": "median", "number": "test_loss", "of": "cell = 'lstm'", "than": "cell = 'rnn'"}
    pairs = found(rows, **two, below=0)
    apart = np.subtract(losses["lstm"], losses["rnn"])
    assert pairs.estimate == pytest.approx(np.median(apart))
    assert apart.min() <= pairs.low < pairs.high <= apart.max()
    assert pairs.verdict == HOLDS
    shift = found(rows, **two, below=0, pair=[])
    every = np.sort(np.subtract.outer(losses["lstm"], losses["rnn"]).ravel())
    assert shift.estimate == pytest.approx(np.median(every))
    # Mann and Whitney's table, 6 and 6 at 5 %: U <= 5 is extreme, so the 6th difference from either end
    assert (shift.low, shift.high) == (pytest.approx(every[5]), pytest.approx(every[-6]))
    assert "at most at 90 %" in found(rows[:3] + rows[6:9], **two, below=0, pair=[]).reason


def test_means_have_students_interval() -> None:
    rows = [row(s, c, slope_h_end=x + (c == "lstm")) for c in ("rnn", "lstm") for s, x in enumerate([0.1, 0.4, 0.2])]
    values = [0.1, 0.4, 0.2]
    one = found(rows, measure="mean", number="slope_h_end", above=0)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (one.low, one.high) == (pytest.approx(low), pytest.approx(high))
    two = {"measure": "mean", "number": "slope_h_end", "of": "cell = 'lstm'", "than": "cell = 'rnn'", "above": 0}
    assert "no spread" in found(rows, **two).reason  # all pairs differ by the same
    apart = found(rows, **two, pair=[])
    low, high = stats.ttest_ind(np.add(values, 1), values, equal_var=False).confidence_interval(0.95)
    assert (apart.low, apart.high) == (pytest.approx(low), pytest.approx(high))


def test_units_are_counted_once() -> None:
    rows = [row(seed, gap=gap, test_loss=seed + gap / 100) for seed in range(6) for gap in (10, 30)]
    finding = found(rows, measure="median", number="test_loss", per=["seed"], above=0)
    assert "median of 6 units" in finding.numbers
    assert finding.estimate == pytest.approx(2.7)  # seeds 2 and 3, at a mean gap of 20
    assert finding.runs == 12
    other = [row(seed, "lstm", gap=gap, test_loss=0.5 * seed) for seed in range(6) for gap in (10, 30, 50)]
    two = {"of": "cell = 'rnn'", "than": "cell = 'lstm'", "above": 0}
    paired = found([*rows, *other], measure="median", number="test_loss", per=["seed"], **two)
    assert paired.estimate == pytest.approx(1.45)  # median of 0.5 seed + 0.2
    unknown = found(
        [*rows, row(5, gap=50, state="running")], measure="median", number="test_loss", per=["seed"], above=0
    )
    assert unknown.high == inf


def test_a_trend_is_that_of_each_seed() -> None:
    rows = [
        row(s, cell_gain=g, test_loss=g + 100 * s, gap=t) for s in range(3) for g in (1.0, 2.0, 3.0) for t in (10, 20)
    ]
    rising = {"measure": "trend", "number": "test_loss", "against": "cell_gain"}
    finding = found(rows, **rising, above=0)
    assert (finding.estimate, finding.low, finding.verdict) == (1, 1, HOLDS)  # of 3 seeds at 2 gaps
    assert found(rows, **rising | {"number": "-test_loss"}, above=0).verdict == FAILS
    with_gaps = found(rows, **rising | {"number": "gap", "against": "gap"}, above=0)
    assert with_gaps.estimate == 1
    assert "3 seeds are too few" in with_gaps.reason
    assert "one and the same" in found(rows, **rising | {"against": "seed"}, above=0).reason
    hidden = [{**each, "test_loss": None} if each["cell_gain"] == 3 and each["seed"] < 1 else each for each in rows]
    assert found(hidden, **rising, above=0).low == -1  # two of six seeds may fall


def test_mean_updates_are_restricted_to_what_all_were_given() -> None:
    rows = [*solved(3, 4, "lstm"), *solved(0, 4)]
    one = found(rows, measure="mean_updates", of="cell = 'lstm'", below=GIVEN)
    times = [300, 310, 320, GIVEN]
    low, high = stats.ttest_1samp(times, 0).confidence_interval(0.95)
    # each time is known up to the horizon: the area under the curve is their mean, its error that of a sample's mean
    assert one.estimate == pytest.approx(np.mean(times))
    assert (one.low, one.high) == (pytest.approx(low), pytest.approx(high))
    two = found(rows, measure="mean_updates", of="cell = 'lstm'", than="cell = 'rnn'", below=0)
    low, high = stats.ttest_1samp(np.subtract(times, GIVEN), 0).confidence_interval(0.95)
    assert (two.low, two.high) == (pytest.approx(low), pytest.approx(high))
    apart = found(rows, measure="mean_updates", of="cell = 'lstm'", than="cell = 'rnn'", below=0, pair=[])
    assert "none was solved" in apart.reason


def test_nothing_solved_and_nothing_watched() -> None:
    none = solved(0, 6)
    for measure in ("mean_updates", "median_updates"):
        assert found(none, measure=measure, below=500).verdict in (UNDECIDED, FAILS)
        assert found(none, measure=measure, below=2 * GIVEN).verdict == UNDECIDED
    begun = [row(seed, state="running", update=20) for seed in range(6)]
    assert "no run was watched up to 1000 updates yet" in found(begun, measure="mean_updates", below=500).reason
    assert found(begun, measure="median_updates", below=500).verdict == UNDECIDED
    two = {"measure": "solving_rate", "of": "cell = 'lstm'", "than": "cell = 'rnn'", "above": 1}
    assert "nothing was solved" in found([*none, *solved(0, 6, "lstm")], **two).reason


def test_median_updates_to_solve() -> None:
    finding = found(solved(19, 20), measure="median_updates", below=500)
    assert finding.estimate == 390  # the tenth of 300, 310, ...
    assert (finding.low, finding.high) == (350, 440)  # [x_6, x_15] of 20 covers with 95.9 %, [x_7, x_14] with 88.5 %
    assert finding.verdict == HOLDS


def test_the_rate_of_solving_is_the_hazard_ratio_of_the_log_rank_test() -> None:
    rows = [*(row(s, "lstm", 100 + s) for s in range(10)), *(row(s, "rnn", 200 + s) for s in range(10))]
    finding = found(rows, measure="solving_rate", of="cell = 'lstm'", than="cell = 'rnn'", above=1)
    # the k-th solved of the first ten, of 20 - k at risk: E = sum (10 - k) / (20 - k), V = sum of p (1 - p)
    p = [(10 - k) / (20 - k) for k in range(10)]
    expected, variance = sum(p), sum(x * (1 - x) for x in p)
    log, reach = (10 - expected) / variance, stats.norm.ppf(0.975) / sqrt(variance)
    assert finding.estimate == pytest.approx(np.exp(log))
    assert (finding.low, finding.high) == (pytest.approx(np.exp(log - reach)), pytest.approx(np.exp(log + reach)))
    assert finding.verdict == HOLDS


def at_gaps(shares: dict[int, int], of: int, cell: str = "rnn") -> Rows:
    return [row(s, cell, 100 if s < k else None, gap=gap) for gap, k in shares.items() for s in range(of)]


def test_the_wall_holds_all_gaps_at_once() -> None:
    rows = at_gaps({10: 12, 20: 12, 40: 6, 80: 0}, of=12)
    finding = found(rows, measure="wall", within=[20, 40])
    assert (finding.estimate, finding.low, finding.high, finding.verdict) == (40, 20, 40, HOLDS)
    assert found(rows, measure="wall", above=40).verdict == FAILS
    assert found(at_gaps({10: 12, 20: 12}, of=12), measure="wall", below=30).high == inf
    assert found(at_gaps({10: 0, 20: 0}, of=12), measure="wall", below=10).high == 0
    unknown = [*rows, *(row(100 + s, state="running", gap=80) for s in range(20))]
    assert found(unknown, measure="wall", below=80).verdict == UNDECIDED


def test_critical_gaps_and_their_ratio() -> None:
    near, far = at_gaps({10: 20, 20: 10, 40: 0}, of=20), at_gaps({40: 20, 80: 10, 160: 0}, of=20, cell="lstm")
    one = found(near, measure="critical_gap", within=[15, 27])
    assert one.estimate == pytest.approx(20, rel=0.02)  # by symmetry, but for the penalty of the fit
    assert 10 <= one.low < 20 < one.high <= 40
    ratio = found([*near, *far], measure="critical_gap", of="cell = 'lstm'", than="cell = 'rnn'", above=1)
    assert ratio.estimate == pytest.approx(4, rel=0.04)
    assert ratio.low > 1
    assert ratio.verdict == HOLDS
    mixed = [*near, *({**each, "task": "copy"} for each in far)]
    assert "gaps of several tasks" in found(mixed, measure="critical_gap", of="true", above=1).broken
    assert "two gaps" in found(near[:20], measure="critical_gap", above=1).reason
