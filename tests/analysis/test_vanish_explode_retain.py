"""The lead figure: which task and gap it is of, its numbers as written, and what it calls what one sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import finished, is_band_of, number, rows_of, update_at
from synthetic import CELLS, Made, MadeStudy, make_study
from synthetic_probes import CHANCE, ITEMS, score

from lrd.figures import NothingToDrawError, NotMeasuredError, runs_of
from lrd.figures.flow_and_retention import flow_and_retention
from lrd.figures.scripts import FIGURES, LEAD, load_script
from lrd.records import open_study

vanish_explode_retain = load_script("vanish_explode_retain")

pytestmark = pytest.mark.usefixtures("numbers_alone")


def drawn(folder: Path, out: Path, condition: str | None = None) -> list[dict[str, str]]:
    paths = vanish_explode_retain.draw(open_study(folder, condition), out)
    return [row for path in paths if path.suffix == ".csv" for row in rows_of(path)]


def kept(runs: list[Made], label: str) -> float:
    """What a cell retains at the answer, by its best variable, from 0 (chance) to 1."""
    of_label = [run for run in finished(runs) if run.label == label]
    variables = {variable for run in of_label for _, variable in run.profiles}
    found = []
    for variable in variables:
        values = []
        for run in of_label:
            last = len(run.profiles[0, "h"]) - 1
            scores = [score(run, update_at(run, "end"), item, variable, last) for item in ITEMS]
            values.append(np.median(scores))
        found.append(np.nanmedian(values))
    return (max(found) - CHANCE) / (1 - CHANCE)


def test_it_is_the_first_of_a_report() -> None:
    assert FIGURES[0] == LEAD == "vanish_explode_retain"


def test_the_place_is_where_cells_differ_most(study: MadeStudy, tmp_path: Path) -> None:
    rows = drawn(study.folder, tmp_path)
    places = {(run.task, run.gap) for run in study.runs}
    spans = {}
    for place in places:
        here = [run for run in study.runs if (run.task, run.gap) == place]
        values = [kept(here, label) for label in CELLS]
        spans[place] = max(values) - min(values)
    best = max(spans, key=lambda place: spans[place])
    assert {(row["panel"], int(row["gap"])) for row in rows} == {best}
    assert {row["label"] for row in rows} == set(CELLS)


def test_a_place_with_more_cells_comes_first(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), labels=("rnn", "lstm"), seeds=2)
    make_study(tmp_path, tasks=("adding",), gaps=(30,), labels=("rnn",), seeds=1)
    make_study(tmp_path, tasks=("adding",), gaps=(20,), labels=("rnn", "rnn g=2", "lstm"), seeds=1)
    assert {(row["panel"], row["gap"]) for row in drawn(tmp_path / "made", tmp_path / "out")} == {("adding", "20")}


def test_lines_are_those_of_the_records(study: MadeStudy, tmp_path: Path) -> None:
    rows = drawn(study.folder, tmp_path, "task = 'copy' and gap = 30")
    for row in rows:
        runs = [run for run in finished(study.runs) if (run.task, run.gap, run.label) == ("copy", 30, row["label"])]
        t = int(row["t"])
        if row["quantity"] == "gradient":
            keys = [(update_at(run, row["moment"]), row["variable"]) for run in runs]
            assert is_band_of(row, [float(run.profiles[key][t]) for run, key in zip(runs, keys, strict=True)]), row
            slope = np.median([run.slopes[key] for run, key in zip(runs, keys, strict=True)])
            assert number(row["slope"]) == pytest.approx(slope)
            assert number(row["factor"]) == pytest.approx(10**-slope)
        else:
            values = [
                float(np.median([score(run, update_at(run, row["moment"]), one, row["variable"], t) for one in ITEMS]))
                for run in runs
            ]
            assert is_band_of(row, values), row
            assert number(row["chance"]) == CHANCE
    lines = {tuple(row[name] for name in ("label", "variable", "moment", "quantity")) for row in rows}
    assert len(lines) == (1 + 1 + 2) * 2 * 2  # variables of the three cells, moments, quantities


def test_columns_stand_in_the_order_of_the_story(study: MadeStudy) -> None:
    found, _ = flow_and_retention(open_study(study.folder), runs_of(open_study(study.folder)))
    (one, *_) = found
    slopes = {"b arrives": 0.0, "a arrives": 0.0, "a explodes": -1.0, "z vanishes": 1.0}
    columns = [replace(one, label=label, slopes={(one.memory, "end"): slope}) for label, slope in slopes.items()]
    ordered = sorted(columns, key=vanish_explode_retain._order)
    assert [column.label for column in ordered] == ["z vanishes", "a explodes", "a arrives", "b arrives"]


@pytest.mark.parametrize("probe", ["retention", "gradient_flow"])
def test_what_no_probe_measured_is_named_with_the_way_out(probe: str, tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), seeds=1)
    for file in (tmp_path / "made").glob(f"*/{probe}.parquet"):
        file.unlink()
    with pytest.raises(NotMeasuredError, match=f"no run was measured by the probe `{probe}`: lrd probe "):
        drawn(tmp_path / "made", tmp_path / "out")


def test_runs_measured_by_one_probe_alone_are_not_drawn(tmp_path: Path) -> None:
    runs = make_study(tmp_path, tasks=("copy",), gaps=(10,), labels=("rnn", "lstm"), seeds=1)
    (tmp_path / "made" / runs[0].run_id / "retention.parquet").unlink()
    assert {row["label"] for row in drawn(tmp_path / "made", tmp_path / "out")} == {"lstm"}
    (tmp_path / "made" / runs[1].run_id / "gradient_flow.parquet").unlink()
    (tmp_path / "made" / runs[0].run_id / "gradient_fit.parquet").unlink()
    with pytest.raises(NothingToDrawError, match="both gradient_flow and retention"):
        drawn(tmp_path / "made", tmp_path / "again")
