"""The loss of closing signs by distance: medians over seeds as written, what was seen seldom named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from drawn import finished, is_band_of, number, rows_of, update_at
from matplotlib.axes import Axes
from synthetic import MadeStudy, make_study
from synthetic_probes import BINS, closed

from lrd.figures import NothingToDrawError, NotMeasuredError
from lrd.figures.scripts import load_script
from lrd.records import open_study

closing_distance = load_script("closing_distance")

pytestmark = pytest.mark.usefixtures("numbers_alone")


def test_points_are_medians_over_seeds_of_each_bin(study: MadeStudy, tmp_path: Path) -> None:
    rows = rows_of(closing_distance.draw(open_study(study.folder), tmp_path)[2])
    for row in rows:
        place = row["panel"], int(row["gap"]), row["label"]
        runs = [run for run in finished(study.runs) if (run.task, run.gap, run.label) == place]
        tables = [closed(run, update_at(run, row["moment"])) for run in runs]
        seen = [line for table in tables for line in table if line["low"] == int(row["from"])]
        assert is_band_of(row, [line[row["quantity"]] for line in seen]), row
        assert number(row["distance"]) == pytest.approx(np.median([line["distance"] for line in seen]))
        assert number(row["signs"]) == np.median([line["count"] for line in seen])
        if row["quantity"] == "loss":
            assert number(row["unigram"]) == pytest.approx(np.median([line["unigram"] for line in seen]))
        else:
            assert row["unigram"] == ""
    # 2 tasks x 2 gaps x 3 labels x 2 moments x 2 quantities, each with all bins: some seed saw each
    assert len(rows) == 2 * 2 * 3 * 2 * 2 * BINS
    last = {int(row["runs"]) for row in rows if int(row["from"]) == 2 ** (BINS - 1)}
    first = {int(row["runs"]) for row in rows if int(row["from"]) == 1}
    assert (min(first), min(last)) == (3, 2)  # of four seeds one did not finish, and one saw none of the last bin


def test_curves_hold_the_numbers_of_the_csv(study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    plot = Axes.plot
    monkeypatch.setattr(Axes, "plot", lambda axes, *args, **how: drawn.append(args) or plot(axes, *args, **how))
    rows = rows_of(closing_distance.draw(open_study(study.folder), tmp_path)[2])
    lines = {tuple(f"{y:.9g}" for y in args[1]) for args in drawn}
    keys = {(row["panel"], row["gap"], row["label"], row["moment"], row["quantity"]) for row in rows}
    for key in keys:
        mine = [row for row in rows if (row["panel"], row["gap"], row["label"], row["moment"], row["quantity"]) == key]
        assert tuple(row["median"] for row in mine) in lines
        if key[-1] == "loss":
            assert tuple(row["unigram"] for row in mine) in lines
    # and in each panel of losses one line for the frequencies
    assert len(drawn) == len(keys) + len({key[:2] for key in keys})


@pytest.mark.slow
def test_points_of_few_signs_are_named(study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr("lrd.figures.layout.foot", lambda figure, lines: said.extend(lines))
    closing_distance.draw(open_study(study.folder), tmp_path)
    # 400, 200, ..., 12, 6 signs a bin: the last one has fewer than ten
    assert "From a distance of 64 on, some points have fewer than 10 signs a run." in said[0]
    monkeypatch.setattr(closing_distance, "FEW", 6)
    closing_distance.draw(open_study(study.folder), tmp_path)
    assert "From a distance" not in said[1]


def test_many_places_go_to_several_pages(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(1, 2, 3, 4, 5, 6), labels=("rnn",), seeds=1)
    paths = closing_distance.draw(open_study(tmp_path / "made"), tmp_path / "out")
    assert [path.name for path in paths if path.suffix == ".csv"] == ["closing_distance.csv", "closing_distance_2.csv"]
    assert {int(row["gap"]) for row in rows_of(paths[2])} == {1, 2, 3, 4, 5}
    assert {int(row["gap"]) for row in rows_of(paths[6])} == {6}


def test_a_study_without_the_probe_says_how_to_measure(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), seeds=1)
    for file in (tmp_path / "made").glob("*/closing.parquet"):
        file.unlink()
    with pytest.raises(NotMeasuredError, match="probe `closing`: lrd probe"):
        closing_distance.draw(open_study(tmp_path / "made"), tmp_path)


def test_where_nothing_closes_there_is_nothing_to_draw(tmp_path: Path) -> None:
    import duckdb

    make_study(tmp_path, tasks=("copy",), gaps=(10,), seeds=1)
    for file in (tmp_path / "made").glob("*/closing.parquet"):
        duckdb.sql(f"copy (from read_parquet('{file}') limit 0) to '{file}.none' (format parquet)")
        Path(f"{file}.none").rename(file)
        status = json.loads((file.parent / "status.json").read_text(encoding="utf-8"))
        del status["crc32"][file.name]
        (file.parent / "status.json").write_text(json.dumps(status))
    with pytest.raises(NothingToDrawError, match="nothing closed in its text"):
        closing_distance.draw(open_study(tmp_path / "made"), tmp_path)
