"""Pairs of cells: recomputed run by run and by scipy, by hand, and where there is nothing to compare."""

from __future__ import annotations

from itertools import combinations
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import grouped, number, rows_of
from scipy.stats import binomtest, rankdata
from synthetic import Made, MadeStudy

from lrd.figures import NotMeasuredError
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

cell_pairs = load_script("cell_pairs")

pytestmark = pytest.mark.usefixtures("numbers_alone")


def holm(p: list[float]) -> list[float]:
    """Step by step; NaN does not count."""
    known = sorted((value, place) for place, value in enumerate(p) if not isnan(value))
    found, least = [nan] * len(p), 0.0
    for rank, (value, place) in enumerate(known):
        least = max(least, min(1.0, value * (len(known) - rank)))
        found[place] = least
    return found


def effect(differences: list[float]) -> float:
    """Rank-biserial correlation: the share of rank sums of one sign minus that of the other."""
    known = [value for value in differences if value != 0]
    ranks = rankdata(np.abs(known))
    return sum(rank * np.sign(value) for rank, value in zip(ranks, known, strict=True)) / sum(ranks) if known else 0.0


def minus(a: float, b: float) -> float:
    return 0.0 if a == b else a - b  # inf - inf is no number


def time_of(run: Made) -> float:
    return float(run.updates[-1]) if run.outcome == "solved" else inf


def loss_of(run: Made) -> float:
    return nan if run.state != "finished" else inf if run.outcome == "diverged" else float(run.losses[-1])


def test_all_pairs(study: MadeStudy, tmp_path: Path) -> None:
    cell_pairs.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "cell_pairs.csv")
    groups = grouped(study.runs)
    places = sorted({(panel, gap) for panel, _, gap in groups})
    labels = sorted({label for _, label, _ in groups})
    keys = [(panel, gap, a, b) for panel, gap in places for a, b in combinations(labels, 2)]
    assert [(row["panel"], int(row["gap"]), row["first"], row["second"]) for row in rows] == keys
    for row, (panel, gap, *two) in zip(rows, keys, strict=True):
        first, second = ({run.seed: run for run in groups[panel, label, gap]} for label in two)
        pairs = [(first[seed], second[seed]) for seed in sorted(first)]
        solved = [(a.outcome == "solved", b.outcome == "solved") for a, b in pairs]
        only = (solved.count((True, False)), solved.count((False, True)))
        assert (int(row["only_first"]), int(row["only_second"])) == only
        assert number(row["share"]) == (only[0] - only[1]) / 4
        assert number(row["share_low"]) <= number(row["share"]) <= number(row["share_high"])
        assert number(row["share_p"]) == pytest.approx(binomtest(only[0], sum(only)).pvalue if sum(only) else 1)
        assert number(row["sooner"]) == pytest.approx(effect([minus(time_of(b), time_of(a)) for a, b in pairs]))
        losses = [minus(loss_of(b), loss_of(a)) for a, b in pairs]
        known = [value for value in losses if not isnan(value)]
        assert number(row["lower"]) == pytest.approx(effect(known))
        assert (int(row["pairs"]), int(row["lower_missing"])) == (4, 4 - len(known))
    for name in cell_pairs.COLUMNS:
        corrected = holm([number(row[f"{name}_p"]) for row in rows])
        assert [number(row[f"{name}_p_holm"]) for row in rows] == pytest.approx(corrected, nan_ok=True)
    assert any(int(row["lower_missing"]) for row in rows)
    assert {-1, 0, 1} & {np.sign(number(row["sooner"])) for row in rows} == {-1, 0, 1}


def write(root: Path, label: str, ends: list[tuple[int, int | None]], **options: Any) -> None:
    """A finished run for each (seed, solved at)."""
    for seed, solved_at in ends:
        name = "-".join(map(str, (label, seed, *options.values())))
        record = RunRecord(root, "small", name)
        spec = {"task": {"name": "copy", "gap": 5}, "cell": {"name": "rnn", "label": label}, "seed": seed}
        record.create({"spec": spec | {"optimizer": options}, "task": {}, "parameters": 1})
        outcome = "unsolved" if solved_at is None else "solved"
        record.finish({"outcome": outcome, "update": 100, "solved_at": solved_at, "eval_loss": 0.5})


def test_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five common seeds ``a`` alone solves two, is sooner in one, later in one; neither solves the last."""
    notes: list[str] = []
    monkeypatch.setattr("lrd.figures.layout.foot", lambda _, lines: notes.extend(lines))
    write(tmp_path, "a", [(0, 10), (1, 20), (2, 30), (3, 90), (4, None)])
    write(tmp_path, "b", [(0, None), (1, None), (2, 50), (3, 80), (4, None), (7, 10)])
    cell_pairs.draw(open_study(tmp_path / "small"), tmp_path)
    (row,) = rows_of(tmp_path / "cell_pairs.csv")
    assert [row[name] for name in ("pairs", "without_partner", "both", "only_first", "neither")] == list("51221")
    assert number(row["share"]) == 2 / 5
    assert number(row["share_p"]) == number(row["share_p_holm"]) == 0.5  # 2 of 2: 2 / 2^2
    # Ranks of what is ahead: later by 10: 1; sooner by 20: 2; twice never against some time: 3.5 each.
    assert number(row["sooner"]) == pytest.approx((2 + 3.5 + 3.5 - 1) / 10)
    # Sums as far from 5 as 9: {}, {1} and their complements, 4 of the 16 ways to give 4 ranks their signs.
    assert number(row["sooner_p"]) == 4 / 16
    assert (number(row["lower"]), number(row["lower_p"]), int(row["lower_equal"])) == (0, 1, 5)
    assert "no p can be below 0.062; 6 are needed for 0.05" in notes[0]  # 2 / 2^5, and 2 / 2^6 = 0.031
    assert notes[0].endswith("Runs without a partner, pair by pair: 1.")


def test_partners_agree_in_what_was_swept(tmp_path: Path) -> None:
    for lr, of_a, of_b in ((0.1, 10, 20), (0.2, 40, 30)):
        write(tmp_path, "a", [(0, of_a)], lr=lr)
        write(tmp_path, "b", [(0, of_b)], lr=lr)
    write(tmp_path, "a", [(0, 10)], lr=0.5)
    cell_pairs.draw(open_study(tmp_path / "small"), tmp_path)
    (row,) = rows_of(tmp_path / "cell_pairs.csv")
    assert [row[name] for name in ("pairs", "without_partner", "sooner_first", "sooner_second")] == list("2111")


def test_none_solved_it(tmp_path: Path) -> None:
    for label in "ab":
        write(tmp_path, label, [(seed, None) for seed in range(3)])
    cell_pairs.draw(open_study(tmp_path / "small"), tmp_path)
    (row,) = rows_of(tmp_path / "cell_pairs.csv")
    assert [number(row[name]) for name in ("share", "share_p", "sooner", "sooner_p", "neither")] == [0, 1, 0, 1, 3]
    assert number(row["share_low"]) < 0 < number(row["share_high"])


@pytest.mark.parametrize("labels", ["a", "ab"])
def test_nothing_to_compare(labels: str, tmp_path: Path) -> None:
    for seed, label in enumerate(labels):
        write(tmp_path, label, [(seed, 10)])
    with pytest.raises(NotMeasuredError, match="nothing to compare"):
        cell_pairs.draw(open_study(tmp_path / "small"), tmp_path)


@pytest.mark.slow
def test_many_pairs_go_on_pages(tmp_path: Path) -> None:
    labels = "abcdefghi"  # 36 pairs and their heading, 36 lines a page
    for label in labels:
        write(tmp_path, label, [(0, 10)])
    paths = cell_pairs.draw(open_study(tmp_path / "small"), tmp_path)
    assert [path.name for path in paths if path.suffix == ".csv"] == ["cell_pairs.csv", "cell_pairs_2.csv"]
    found = [(row["first"], row["second"]) for path in paths if path.suffix == ".csv" for row in rows_of(path)]
    assert found == list(combinations(labels, 2))
    assert len(rows_of(tmp_path / "cell_pairs.csv")) == cell_pairs.LINES - 1
