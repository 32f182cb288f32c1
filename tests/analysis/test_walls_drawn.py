"""The walls of the synthetic study against counts made here."""

from __future__ import annotations

from math import inf, log
from pathlib import Path

import numpy as np
import pytest
from drawn import grouped, number, rows_of
from synthetic import MadeStudy

from lrd.figures import NotMeasuredError, runs_of
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study
from lrd.stats import critical_gap

walls = load_script("walls")

#: Of 4 runs: how many must have solved a gap for the lower bound (4 of 4: 0.510), the share, and the upper bound (1 of
#: 4: 0.699; 0 of 4: 0.490) of Wilson's interval to reach one half.
NEEDED = {"low": 4, "gap": 2, "high": 1}


def test_walls(study: MadeStudy, tmp_path: Path) -> None:
    paths = walls.draw(open_study(study.folder), tmp_path)
    assert [path.name for path in paths] == ["walls.pdf", "walls.png", "walls.csv", "walls.json"]
    solved: dict[tuple[str, str], dict[int, int]] = {}
    for (panel, label, gap), runs in grouped(study.runs).items():
        assert len(runs) == 4
        solved.setdefault((panel, label), {})[gap] = sum(run.outcome == "solved" for run in runs)
    several = {panel for (panel, _), of_gaps in solved.items() if len(of_gaps) > 1}
    rows = rows_of(tmp_path / "walls.csv")
    assert [(row["panel"], row["label"]) for row in rows] == sorted(key for key in solved if key[0] in several)
    for row in rows:
        of_gaps = solved[row["panel"], row["label"]]
        for name, least in NEEDED.items():
            enough = [gap for gap, count in of_gaps.items() if count >= least]
            assert (row[name] == "") if not enough else (number(row[name]) == max(enough))
        assert number(row["tried"]) == max(of_gaps)
        assert number(row["least_tried"]) == min(of_gaps)
        assert number(row["runs"]) == 4 * len(of_gaps)
        assert critical_of_two(of_gaps) == pytest.approx(number(row["critical_gap"]), rel=1e-6)
        assert not number(row["critical_low"]) > number(row["critical_gap"])
        assert not number(row["critical_high"]) < number(row["critical_gap"])


def critical_of_two(solved: dict[int, int]) -> float:
    """Of two gaps with 4 runs each, Firth's line goes through the shares with half a run added to both sides."""
    gaps = sorted(solved)
    assert len(gaps) == 2
    low, high = (log((solved[gap] + 0.5) / (4.5 - solved[gap])) for gap in gaps)
    if low <= high:
        return inf if sum(solved.values()) >= 4 else 0.0
    crossing = gaps[0] * (gaps[1] / gaps[0]) ** (low / (low - high))
    return 0.0 if crossing < gaps[0] else inf if crossing > gaps[1] else crossing


def test_critical_gaps(tmp_path: Path) -> None:
    """Five gaps with two mixed ones: as lrd.stats has it of the same runs, and one gap alone has none."""
    folder = tmp_path / "small"
    outcomes = {10: "ssss", 20: "sssu", 40: "ssdu", 80: "uufr", 160: "uuuu"}
    for label, gaps in {"lstm": list(outcomes), "rnn": [20]}.items():
        for gap in gaps:
            for seed, end in enumerate(outcomes[gap]):
                record = RunRecord(tmp_path, "small", f"{label}-{gap}-{seed}")
                spec = {"task": {"name": "copy", "gap": gap}, "cell": {"name": label}, "seed": seed}
                record.create({"spec": spec, "task": {}, "parameters": 1})
                if end in "sud":
                    record.finish({"outcome": {"s": "solved", "u": "unsolved", "d": "diverged"}[end], "update": 5})
                else:
                    record.status("failed" if end == "f" else "running", update=1, max_updates=5)
    walls.draw(open_study(folder), tmp_path)
    lstm, rnn = rows_of(tmp_path / "walls.csv")
    flags = np.array([[end == "s" for end in ends] for ends in outcomes.values()])
    expected = critical_gap(np.repeat(list(outcomes), 4), flags.ravel(), np.tile(np.arange(4), 5))
    assert 10 < expected.low < expected.gap < expected.high < 160
    found = [number(lstm[f"critical_{name}"]) for name in ("gap", "low", "high", "slope")]
    assert found == pytest.approx([expected.gap, expected.low, expected.high, expected.slope], rel=1e-8)
    assert all(rnn[f"critical_{name}"] == "" for name in ("gap", "low", "high", "slope"))


def test_a_study_of_one_gap_has_none(study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_study(study.folder)
    runs = runs_of(opened)
    smallest = {name: column[runs["gap"] == runs["gap"].min()] for name, column in runs.items()}
    monkeypatch.setattr(walls, "runs_of", lambda study: smallest)
    with pytest.raises(NotMeasuredError, match="more than one gap"):
        walls.draw(opened, tmp_path)
