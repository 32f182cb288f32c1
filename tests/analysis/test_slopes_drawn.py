"""Slopes against gaps: points and lines recomputed run by run, and what has no line or no interval."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from drawn import finished, grouped, number, rows_of, update_at
from synthetic import MadeStudy, make_study

from lrd.figures import NothingToDrawError, NotMeasuredError
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

slopes = load_script("slopes")

pytestmark = pytest.mark.usefixtures("numbers_alone")


def test_points_and_lines(study: MadeStudy, tmp_path: Path) -> None:
    slopes.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "slopes.csv")
    groups = grouped(study.runs)
    keys = {(row["panel"], row["label"], int(row["gap"]), row["moment"]) for row in rows}
    assert len(rows) == len(keys)
    assert keys == {(*key, moment) for key in groups for moment in ("init", "end")}
    for row in rows:
        task, label, moment = row["panel"], row["label"], row["moment"]
        variable = "c" if label == "lstm" else "h"
        rates = {
            gap: [-run.slopes[update_at(run, moment), variable] for run in finished(groups[task, label, gap])]
            for gap in (10, 30)
        }
        mine = rates[int(row["gap"])]
        assert row["variable"] == variable
        assert number(row["factor"]) == pytest.approx(10 ** np.median(mine), rel=1e-8)
        assert number(row["low"]) == pytest.approx(10 ** min(mine), rel=1e-8)  # of fewer than 6: all of them
        assert number(row["high"]) == pytest.approx(10 ** max(mine), rel=1e-8)
        assert (int(row["fits"]), int(row["without_fit"])) == (len(mine), 4 - len(mine))
        every = [(np.log10(gap), rate) for gap in rates for rate in rates[gap]]
        slopes_of_pairs = [(b - a) / (y - x) for (x, a), (y, b) in combinations(every, 2) if x != y]
        trend = np.median(slopes_of_pairs)
        assert number(row["trend"]) == pytest.approx(trend, rel=1e-7)
        assert number(row["trend_at_1"]) == pytest.approx(np.median([b - trend * x for x, b in every]), rel=1e-7)
        assert int(row["trend_runs"]) == len(every)
        # Of 4 and 4 runs the most extreme 2 of 70 orders are few enough for 95 %; of 4 and 3, 2 of 35 are not.
        assert bool(row["trend_low"]) == (len(every) == 8)
        assert not row["trend_low"] or number(row["trend_low"]) <= trend <= number(row["trend_high"])
    assert {row["trend_low"] == "" for row in rows} == {True, False}


def test_runs_without_a_fit_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr("lrd.figures.layout.foot", lambda _, lines: notes.extend(lines))
    for seed, gap, slope in ((0, 5, 0.1), (0, 9, 0.2), (1, 9, float("nan")), (2, 9, None)):
        record = RunRecord(tmp_path, "small", f"rnn-{gap}-{seed}")
        spec = {"task": {"name": "copy", "gap": gap}, "cell": {"name": "rnn"}, "seed": seed}
        record.create({"spec": spec, "task": {}, "parameters": 1})
        if slope is not None:
            fit = {"update": [0], "layer": [1], "direction": ["forward"], "variable": ["h"], "slope": [slope]}
            fit |= {"horizon": [1.0], "points": [2]}
            more = {"slope_error": [0.1], "samples": [4], "fallen_e": [1.0], "fallen_milli": [2.0]}
            record.write_table("gradient_fit", fit | more)
        record.finish({"outcome": "unsolved", "update": 5})
    slopes.draw(open_study(tmp_path / "small"), tmp_path)
    rows = rows_of(tmp_path / "slopes.csv")
    found = [(row["moment"], row["gap"], row["fits"], row["without_fit"]) for row in rows]
    assert found == [("init", "5", "1", "0"), ("init", "9", "1", "2")]
    assert [number(row["factor"]) for row in rows] == pytest.approx([10**-0.1, 10**-0.2])
    assert {row["low"] for row in rows} == {""}
    assert number(rows[0]["trend"]) == pytest.approx(-0.1 / np.log10(9 / 5))
    assert {row["trend_low"] for row in rows} == {""}
    assert notes[0].endswith("Not drawn: 1 runs not measured. Without a fit: 1 measurements.")


def test_a_single_gap_has_no_slope_against_it(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), seeds=1)
    with pytest.raises(NotMeasuredError, match="more than one gap"):
        slopes.draw(open_study(tmp_path / "made"), tmp_path)


def test_a_study_that_nobody_looked_at(tmp_path: Path) -> None:
    for gap in (5, 9):
        record = RunRecord(tmp_path, "small", f"rnn-{gap}")
        spec = {"task": {"name": "copy", "gap": gap}, "cell": {"name": "rnn"}, "seed": 0}
        record.create({"spec": spec, "task": {}, "parameters": 1})
        record.finish({"outcome": "unsolved", "update": 5})
    with pytest.raises(NothingToDrawError, match="no finished run has a slope"):
        slopes.draw(open_study(tmp_path / "small"), tmp_path)
