"""Units on text: the run of the median score, its units, and every character with its activation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import finished, number, rows_of, update_at
from synthetic import Made, MadeStudy, make_study
from synthetic_probes import PASSAGE, activations, followed

from lrd.figures import NothingToDrawError, NotMeasuredError
from lrd.figures.scripts import load_script
from lrd.records import open_study

neurons_on_text = load_script("neurons_on_text")

pytestmark = pytest.mark.usefixtures("tables_alone")


def all_rows(paths: list[Path]) -> list[dict[str, str]]:
    return [row for path in paths if path.suffix == ".csv" for row in rows_of(path)]


def best_score(run: Made, feature: str) -> float:
    (unit,) = (u for u in followed(run, update_at(run, "end")) if u["feature"] == feature and u["rank"] == 1)
    return float(np.sign(unit["selecting"]) * unit["score"])


def test_of_each_label_the_run_of_the_median_score_is_shown_with_its_units(study: MadeStudy, tmp_path: Path) -> None:
    rows = all_rows(neurons_on_text.draw(open_study(study.folder), tmp_path))
    for feature in ("quote", "bracket", "line"):
        for task, gap, label in {(run.task, run.gap, run.label) for run in finished(study.runs) if run.gap == 10}:
            runs = [run for run in finished(study.runs) if (run.task, run.gap, run.label) == (task, gap, label)]
            ordered = sorted(runs, key=lambda run: (best_score(run, feature), run.run_id))
            shown = ordered[(len(ordered) - 1) // 2]
            mine = [
                row
                for row in rows
                if (row["panel"], int(row["gap"]), row["label"], row["feature"]) == (task, gap, label, feature)
            ]
            end = update_at(shown, "end")
            expected = [row for row in activations(shown, end) if row["feature"] == feature]
            assert len(mine) == len(expected) == 2 * len(PASSAGE)
            units = {(u["layer"], u["variable"], u["unit"]): u for u in followed(shown, end) if u["feature"] == feature}
            for row, known in zip(mine, expected, strict=True):
                unit = (int(row["layer"]), row["variable"], int(row["unit"]))
                assert unit == (known["layer"], known["variable"], known["unit"])
                assert (int(row["t"]), row["character"]) == (known["t"], known["character"])
                assert number(row["value"]) == pytest.approx(known["value"])
                assert number(row["level"]) == pytest.approx(known["level"], nan_ok=True)
                assert number(row["score"]) == pytest.approx(units[unit]["score"])
                assert number(row["chance"]) == pytest.approx(units[unit]["chance"])
                scores = [best_score(run, feature) for run in runs]
                assert (number(row["low"]), number(row["high"])) == pytest.approx((min(scores), max(scores)))
                assert int(row["runs"]) == len(runs)


def test_a_panel_has_the_passage_over_its_largest_activation_and_a_line_under_its_feature(
    study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    draw = neurons_on_text.draw_passage

    def watched(axes: object, characters: list[str], values: np.ndarray, marked: list[int], *sizes: int) -> object:
        seen.append(("".join(characters), np.abs(values).max(), marked))
        return draw(axes, characters, values, marked, *sizes)

    monkeypatch.setattr(neurons_on_text, "draw_passage", watched)
    neurons_on_text.draw(open_study(study.folder), tmp_path)
    assert {text for text, _, _ in seen} == {PASSAGE}
    assert all(largest == pytest.approx(1) for _, largest, _ in seen)
    under = [t for t in range(len(PASSAGE)) if t % 3 > 0]
    assert sum(marked == under for _, _, marked in seen) * 3 == 2 * len(seen)
    assert sum(marked == [] for _, _, marked in seen) * 3 == len(seen)


def test_the_line_over_a_panel_says_which_unit_and_how_well(
    study: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    monkeypatch.setattr("lrd.figures.layout.head", lambda axes, title, note="": said.append((title, note)))
    neurons_on_text.draw(open_study(study.folder), tmp_path)
    assert any(title == "lstm: open brackets, copy, $T$ = 10" for title, _ in said)
    (note,) = {note for title, note in said if title == "lstm: open brackets, copy, $T$ = 10" and "layer 2" in note}
    # Of a bracket's best unit the score is -(0.8 + 0.05 {0, 2, 1, 0} - 0.02 - 0.1): the lower of two middle seeds.
    assert note == "layer 2, c 31: r = −0.68 (|r| of seeds 0.68 to 0.78, chance 0.06)"
    (second,) = {note for title, note in said if title == "lstm: open brackets, copy, $T$ = 10" and "layer 1" in note}
    assert second == "layer 1, c 32: r = −0.28 (chance 0.06)"


def test_a_label_alone_has_a_column_of_panels(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), labels=("lstm",), seeds=1)
    paths = neurons_on_text.draw(open_study(tmp_path / "made"), tmp_path / "out")
    assert [path.name for path in paths if path.suffix == ".csv"] == ["neurons_on_text.csv"]
    assert len(all_rows(paths)) == 3 * 2 * len(PASSAGE)


def test_a_study_without_the_probe_says_how_to_measure(tmp_path: Path) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), seeds=1)
    for file in (tmp_path / "made").glob("*/text_*.parquet"):
        file.unlink()
    with pytest.raises(NotMeasuredError, match="probe `text_units`: lrd probe"):
        neurons_on_text.draw(open_study(tmp_path / "made"), tmp_path)


def test_runs_that_did_not_end_are_not_drawn(begun: Path, tmp_path: Path) -> None:
    with pytest.raises((NotMeasuredError, NothingToDrawError)):
        neurons_on_text.draw(open_study(begun), tmp_path)
