"""The walls of the synthetic study against counts made here."""

from __future__ import annotations

from pathlib import Path

import common
import pytest
import walls
from drawn import grouped, number, rows_of
from synthetic import MadeStudy

from lrd.records import open_study

#: Of 4 runs: how many must have solved a gap for the lower bound (4 of 4: 0.510), the share, and the upper bound (1 of
#: 4: 0.699; 0 of 4: 0.490) of Wilson's interval to reach one half.
NEEDED = {"low": 4, "gap": 2, "high": 1}


def test_walls(study: MadeStudy, tmp_path: Path) -> None:
    paths = walls.draw(open_study(study.folder), tmp_path)
    assert [path.name for path in paths] == ["walls.pdf", "walls.png", "walls.csv"]
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


def test_a_study_of_one_gap_has_none(study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open_study(study.folder)
    runs = common.runs_of(opened)
    smallest = {name: column[runs["gap"] == runs["gap"].min()] for name, column in runs.items()}
    monkeypatch.setattr(common, "runs_of", lambda study: smallest)
    with pytest.raises(common.NotLookedAtError, match="more than one gap"):
        walls.draw(opened, tmp_path)
