"""Regimes and horizons through training, computed here in another way from what was written."""

from __future__ import annotations

from math import e, inf, log, log10, nan
from pathlib import Path

import numpy as np
import pytest
from drawn import grouped, number, rows_of
from synthetic import Made, MadeStudy
from test_gradient_heatmap import moments_of, small_run

from lrd.figures import NotMeasuredError
from lrd.figures.regime_curve import RegimeCurve
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

regimes = load_script("regimes")

T_OF_7 = 2.364624251592784  # 97.5 % quantile of Student's t with 7 degrees of freedom, from a table


def regime(slope: float, steps: int) -> str:
    """By hand: the synthetic slopes have a standard error of 0.001 over 8 samples."""
    low, high = (10 ** ((slope + side * T_OF_7 * 0.001) * steps) for side in (-1, 1))  # lost over the gap
    if low > e:
        return "vanishing"
    if high < 1 / e:
        return "exploding"
    return "preserving" if 1 / e <= low and high <= e else "undecided"


def slope_at(run: Made, variable: str, update: int) -> float | None:
    measured = {at: slope for (at, of), slope in run.slopes.items() if of == variable}
    if update in measured:
        return measured[update]
    return measured[max(measured)] if run.state == "finished" and update > max(measured) else None


@pytest.mark.slow
def test_regimes(study: MadeStudy, tmp_path: Path) -> None:
    regimes.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "regimes.csv")
    seen = set()
    for row in rows:
        runs = grouped(study.runs)[row["panel"], row["label"], int(row["gap"])]
        assert int(row["update"]) in moments_of(runs)
        known = [one for run in runs if (one := slope_at(run, row["variable"], int(row["update"]))) is not None]
        steps = int(row["gap"]) + (20 if row["panel"] == "copy" else 0)
        assert int(row["runs"]) == len(known)
        assert int(row["steps"]) == steps
        found = [regime(slope, steps) for slope in known]
        seen |= set(found)
        for name in ("vanishing", "preserving", "exploding", "undecided"):
            assert int(row[name]) == found.count(name)
        horizons = [log10(e) / slope if slope > 0 else inf for slope in known]
        factors = [10**-slope for slope in known]
        several = len(known) > 1
        for name, values in {
            "factor": factors,
            "fallen_e": horizons,
            "fallen_milli": [one * log(1000) for one in horizons],
        }.items():
            bounds = (min(values), max(values)) if several else (nan, nan)
            assert number(row[name]) == pytest.approx(float(np.median(values)), rel=1e-8)
            assert (number(row[f"{name}_low"]), number(row[f"{name}_high"])) == pytest.approx(
                bounds, rel=1e-8, nan_ok=True
            )
        assert number(row["fallen_e_of_slope"]) == pytest.approx(float(np.median(horizons)), rel=1e-8)
    assert seen == {"vanishing", "preserving", "exploding", "undecided"}
    assert len({(row["panel"], row["gap"], row["label"], row["variable"]) for row in rows}) == 2 * 2 * 4
    for (task, label, gap), runs in grouped(study.runs).items():
        mine = [row for row in rows if (row["panel"], row["label"], row["gap"]) == (task, label, str(gap))]
        assert sorted({int(row["update"]) for row in mine}) == moments_of(runs)


def test_a_marker_is_filled_where_most_runs_agree() -> None:
    numbers = {"slope": [0.2, 0.2, -0.2, 0.2, nan], "update": [0, 0, 0, 3, 3], "ended": [nan] * 5}
    rows = {name: np.array(column) for name, column in numbers.items()}
    rows |= {"slope_error": np.full(5, 1e-6), "samples": np.full(5, 8), "points": np.full(5, 20)}
    rows |= {name: np.full(5, 2.0) for name in ("horizon", "fallen_e", "fallen_milli")}
    rows["run_id"] = np.array(["a", "b", "c", "a", "b"], dtype=object)
    curve = RegimeCurve(rows)
    assert curve.runs["vanishing"].tolist() == [2, 1]
    assert curve.runs["exploding"].tolist() == [1, 0]
    assert curve.decided.tolist() == [True, True]  # 2 of 3, 1 of 1
    assert not RegimeCurve({name: column[1:3] for name, column in rows.items()}).decided.any()  # 1 of 2


def test_slopes_that_were_not_fitted_leave_gaps(tmp_path: Path) -> None:
    small_run(tmp_path, 0, {0: [-inf, -inf, -1.0], 1: [-2.0, -1.5, -1.0], 5: [-2.0, -1.5, -1.0]}, end=5)
    slopes = [nan, 0.4, 0.5]
    fits = {"update": [0, 1, 5], "variable": ["h"] * 3, "slope": slopes, "horizon": slopes, "points": [1, 3, 3]}
    fits |= {
        "layer": [1] * 3,
        "direction": ["forward"] * 3,
        "slope_error": [nan] * 3,
        "samples": [0, 1, 1],
    } | dict.fromkeys(("fallen_e", "fallen_milli"), (1.0, 2.0, inf))
    RunRecord(tmp_path, "small", "run0").write_table("gradient_fit", fits)
    regimes.draw(open_study(tmp_path / "small"), tmp_path)
    first, _, last = rows_of(tmp_path / "regimes.csv")
    assert (first["factor"], first["runs"], first["fallen_e"]) == ("", "0", "1")
    assert [first[name] for name in ("vanishing", "preserving", "exploding", "undecided")] == ["0"] * 4
    assert (number(last["factor"]), last["undecided"], last["fallen_milli"]) == (pytest.approx(10**-0.5), "1", "inf")


def test_a_study_that_was_not_measured(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match=r"^no run was measured .*: train with probe=gradient_flow "):
        regimes.draw(open_study(begun), tmp_path)
