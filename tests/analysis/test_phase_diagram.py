"""The phase diagram against what was written, and the line of theory against its closed forms."""

from __future__ import annotations

from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest
from drawn import is_band_of, number, rows_of
from synthetic import MadeStudy, make_study
from synthetic_probes import exponent, gain

from lrd.figures import NothingToDrawError, NotMeasuredError
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

phase_diagram = load_script("phase_diagram")


@pytest.fixture(scope="module")
def rows(study: MadeStudy, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    out = tmp_path_factory.mktemp("phase")
    phase_diagram.draw(open_study(study.folder), out)
    return rows_of(out / "phase_diagram.csv")


@pytest.mark.slow
def test_rates_are_those_before_training_in_nats(study: MadeStudy, rows: list[dict[str, str]]) -> None:
    """Of every run, also of those that failed or were cut off later."""
    measured = [row for row in rows if row["quantity"] != "theory"]
    for row in measured:
        runs = [
            run
            for run in study.runs
            if f"{run.task}, $T$ = {run.gap}" == row["panel"]
            and (run.label, gain(run)) == (row["label"], pytest.approx(number(row["gain"])))
        ]
        values = [
            -log(10) * run.slopes[0, "h"] if row["quantity"] == "gradient" else exponent(run, 0, row["quantity"])
            for run in runs
        ]
        assert len(values) == (2 if row["label"] == "rnn g=2" or number(row["gain"]) == 0.8 else 1)
        assert is_band_of(row, values), row
        assert row["kind"] == ("rnn, relu, gaussian" if row["label"] == "rnn g=2" else "rnn, tanh, gaussian")
    # 2 tasks x 2 gaps x (3 gains of the RNN + 2 of the other) x 3 quantities; the LSTM has one gain and is not there
    assert len(measured) == 60
    assert Counter(row["quantity"] for row in measured) == {"gradient": 20, "driven": 20, "free": 20}


@pytest.mark.slow
def test_theory_stands_beside_each_panel(rows: list[dict[str, str]]) -> None:
    theory = [row for row in rows if row["quantity"] == "theory"]
    assert len({(row["panel"], row["kind"]) for row in theory}) == 8
    for row in theory:
        g, rate = number(row["gain"]), number(row["median"])
        if "relu" in row["kind"]:
            assert rate == pytest.approx(log(g) - log(2) / 2, rel=1e-7)
        elif g <= 1:
            assert rate == pytest.approx(log(g), rel=1e-7, abs=1e-9)
        else:
            assert 0 < rate < log(g)


def test_a_study_without_a_sweep_of_the_gain_was_not_made_for_it(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), labels=("lstm",), seeds=2)
    study = open_study(tmp_path / "made")
    with pytest.raises(NotMeasuredError, match=r"sweep cell\.gain"):
        phase_diagram.draw(study, tmp_path)
    (tmp_path / "bare").mkdir()
    record = RunRecord(tmp_path, "bare", "a")
    record.create({"spec": {"task": {"name": "copy", "gap": 5}, "cell": {"name": "mine"}, "seed": 0}, "task": {}})
    with pytest.raises(NotMeasuredError, match="no cell of the study has an option `gain`"):
        phase_diagram.draw(open_study(tmp_path / "bare"), tmp_path)


def small(root: Path, name: str, gain: object, **cell: object) -> RunRecord:
    """A run that has only just begun."""
    record = RunRecord(root, "small", name)
    spec = {"task": {"name": "copy", "gap": 5}, "cell": {"name": "mine", "gain": gain} | cell, "seed": 0}
    record.create({"spec": spec, "task": {}, "parameters": 1})
    return record


def test_what_left_the_range_of_floats_and_what_has_no_theory(tmp_path: Path) -> None:
    inf, nan = float("inf"), float("nan")
    for name, g, slope in (("a", 1.0, 0.5), ("b", 2.0, nan), ("c", 3.0, -inf)):
        fit = {"update": [0, 0], "variable": ["z", "y"], "slope": [9.0, slope], "points": [3, 3], "samples": [2, 2]}
        fit |= {"layer": [1, 1], "direction": ["forward"] * 2}
        others = ("horizon", "slope_error", "fallen_e", "fallen_milli")
        small(tmp_path, name, g).write_table("gradient_fit", fit | {key: [1.0, 1.0] for key in others})
    study = open_study(tmp_path / "small")
    phase_diagram.draw(study, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "phase_diagram.csv")
    assert [(row["kind"], row["quantity"], row["gain"], row["low"]) for row in rows] == [
        ("mine", "gradient", g, "") for g in "123"
    ]
    found = [number(row["median"]) for row in rows]
    np.testing.assert_allclose(found, [-0.5 * log(10), nan, inf], rtol=1e-8)  # of y, the first variable by name


def test_gains_without_a_measurement_are_named(tmp_path: Path) -> None:
    for name, g in (("a", 1.0), ("b", 2.0)):
        small(tmp_path, name, g)
    with pytest.raises(NothingToDrawError, match=r"before its first update: lrd probe .*small"):
        phase_diagram.draw(open_study(tmp_path / "small"), tmp_path)
