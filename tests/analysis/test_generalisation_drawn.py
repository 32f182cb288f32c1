"""How runs do beyond their trained gap: what is drawn, against the made-up records it comes from."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import finished, grouped, is_band_of, number, rows_of
from synthetic import MadeStudy
from synthetic_generalisation import GAPS, accuracy, chance, gaps_of, loss, met, slope

from lrd.figures import NotMeasuredError, draw_all, gap_axis, runs_of
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

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


def test_each_part_of_a_network_has_a_factor_of_its_own(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "deep", "run")
    spec = {"task": {"name": "copy", "gap": 4}, "cell": {"name": "lstm", "layers": 2, "bidirectional": True}}
    record.create({"spec": spec | {"seed": 0}, "task": {}, "parameters": 1})
    record.finish({"outcome": "unsolved", "update": 5})
    parts = [(layer, way) for layer in (1, 2) for way in ("forward", "backward")]
    slopes = [0.1, 0.2, 0.4, nan]  # of the last layer, what reads backward has a gradient at one step: no fit
    columns: dict[str, list[Any]] = {"update": [5] * 4, "tested_gap": [9] * 4, "variable": ["h"] * 4, "slope": slopes}
    columns |= {"layer": [layer for layer, _ in parts], "direction": [way for _, way in parts]}
    columns |= {name: [1] * 4 for name in ("points", "samples")}
    columns |= {name: [nan] * 4 for name in ("slope_error", "horizon", "fallen_e", "fallen_milli")}
    record.write_table("generalisation_fit", columns)
    study = open_study(tmp_path / "deep")
    rows, _ = generalisation._flows(study, runs_of(study))
    lines = {key[2]: line.values.median.tolist() for key, line in generalisation._lines(rows)}
    assert list(lines) == [f"lstm, layer {layer}, {way}" for layer, way in parts]
    values = [value for line in lines.values() for value in line]
    assert values == pytest.approx([10**-slope for slope in slopes], nan_ok=True)


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
