"""The study that benchmarks draw: what the writer writes, and rubbish that is named, left out and never fatal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lrd.records import open_study

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import records

from lrd.figures import draw_all


@pytest.mark.slow
@pytest.mark.usefixtures("numbers_alone")
def test_what_is_broken_or_foreign_is_named_and_left_out(tmp_path: Path) -> None:
    runs = 12
    litter = records.make_study(tmp_path / "made", runs, workers=1)
    (tmp_path / "made" / "figures").mkdir()  # what lrd itself puts beside runs is neither
    study = open_study(tmp_path / "made")
    study.check()
    assert len(litter) == len(study.problems) == 7
    assert all(any(str(path) in problem for problem in study.problems) for path in litter)
    spoiled = [path for path in litter if path.name in ("run.json", "summary.json")]
    assert study.sql("select count(*) from runs").fetchall() == [(runs - len(spoiled),)]
    assert study.sql("select count(distinct run_id) from metrics").fetchall() == [(runs - len(spoiled) - 1,)]
    drawn = draw_all(study, tmp_path / "out")
    assert drawn.missing == drawn.failed == {}
    assert {"gradient_flow.csv", "gradient_heatmap.csv", "regimes.csv"} <= {path.name for path in drawn.paths}
    assert len(study.problems) == len(litter)
