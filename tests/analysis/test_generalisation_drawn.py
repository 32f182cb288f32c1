"""How runs do beyond their trained gap: what is drawn, against the made-up records it comes from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import finished, grouped, is_band_of, number, rows_of
from synthetic import MadeStudy
from synthetic_generalisation import GAPS, accuracy, chance, gaps_of, loss, met, slope

from lrd.figures import NotMeasuredError, draw_all, gap_axis
from lrd.figures.scripts import load_script
from lrd.records import open_study

generalisation = load_script("generalisation")
pytestmark = pytest.mark.usefixtures("numbers_alone")


def test_bands_over_seeds_at_each_gap(study: MadeStudy, tmp_path: Path) -> None:
    generalisation.draw(open_study(study.folder), tmp_path)
    runs = grouped(finished(study.runs))
    seen = set()
    for row in rows_of(tmp_path / "generalisation.csv"):
        task, label, trained, gap = row["panel"], row["label"], int(row["gap"]), int(row["tested_gap"])
        mine = [run for run in runs[task, label, trained] if gap in gaps_of(run)]
        quantity = row["quantity"]
        if quantity == "factor a step back":
            assert is_band_of(row, [10 ** -slope(run, gap) for run in mine])
            assert number(row["chance"]) == 1
        elif task == "copy":
            assert quantity == "recall accuracy"
            assert is_band_of(row, [accuracy(run, gap) for run in mine])
            assert number(row["chance"]) == 0.125
        else:
            assert quantity == "loss over chance"
            assert is_band_of(row, [loss(run, gap) for run in mine])
            assert number(row["chance"]) == 1
        if quantity != "factor a step back":
            assert number(row["met_criterion"]) == pytest.approx(np.mean([met(run, gap) for run in mine]))
        seen.add((task, label, trained, gap, quantity == "factor a step back"))
    places = {(*key, gap, flow) for key in runs for gap in {*GAPS, key[2]} for flow in (False, True)}
    assert seen == places


def test_without_the_gradient_flow_only_metrics_are_drawn(
    study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_study(study.folder)
    monkeypatch.setattr(type(opened), "tables", property(lambda self: ["generalisation"]))
    generalisation.draw(opened, tmp_path)
    assert {row["quantity"] for row in rows_of(tmp_path / "generalisation.csv")} == {
        "recall accuracy",
        "loss over chance",
    }


def test_a_study_that_was_tested_nowhere_else_has_no_such_figure(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match=r"train with evaluation\.gaps"):
        generalisation.draw(open_study(begun), tmp_path)
    assert "generalisation" not in draw_all(open_study(begun), tmp_path / "all").figures


def test_loss_is_over_the_chance_of_its_own_gap() -> None:
    """So that the synthetic records tell it from the chance of the trained gap."""
    assert len({chance(gap) for gap in GAPS}) == len(GAPS)


def test_the_trained_gap_and_the_ends_are_written_and_no_two_stand_too_close() -> None:
    gaps = [5, 10, 15, 18, 20, 30, 50, 75, 100, 150, 200]
    written = generalisation._written(gaps, 20)
    assert {5, 20, 200} <= set(written) < set(gaps)
    places = [gap_axis.share_of(gaps, gap) for gap in written]
    assert min(np.diff(places)) >= generalisation.APART
    assert generalisation._written([7], 7) == [7]
    assert generalisation._written([0, 20], 20) == [0, 20]
