"""Measurements at the start and at the end, and no others; matrices that lose nothing; who is missing, in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn import finished, update_at
from hypothesis import given
from hypothesis import strategies as st
from synthetic import MadeStudy, make_study

from lrd.figures import pivot
from lrd.figures.start_and_end import LAST_ANSWER, absent, rows_at
from lrd.records import open_study


def test_rows_are_of_the_first_and_the_last_update(study: MadeStudy) -> None:
    rows = rows_at(open_study(study.folder), "gradient_fit", "measured.update as at, slope", "variable = 'h'")
    expected = {
        (run.run_id, moment, update_at(run, moment), run.slopes[update_at(run, moment), "h"])
        for run in finished(study.runs)
        for moment in ("init", "end")
    }
    assert len(rows["run_id"]) == len(expected)
    assert set(zip(rows["run_id"], rows["moment"], rows["at"], rows["slope"], strict=True)) == expected


def test_measurements_between_start_and_end_are_left_out(tmp_path: Path) -> None:
    (run,) = make_study(tmp_path, tasks=("copy",), gaps=(10,), labels=("rnn",), seeds=1)
    from lrd.records import RunRecord

    record = RunRecord(tmp_path, "made", run.run_id)
    table = record.read_table("gradient_fit")
    first = {name: column[:1] for name, column in table.items() if name != "update"}
    from lrd.records.schema import GRADIENT_FIT_COLUMNS

    types = {name: kind for name, kind in GRADIENT_FIT_COLUMNS.items() if name != "update"}
    record.merge_measurement("gradient_fit", 7, first, types)
    rows = rows_at(open_study(tmp_path / "made"), "gradient_fit", "measured.update as at")
    assert sorted(rows["at"]) == sorted({0, int(run.updates[-1])})


@pytest.mark.parametrize(
    ("answers", "chosen"),
    [(["first", "last", "all"], "last"), (["0", "2", "10", "9"], "10"), (["first", "all"], "all"), (["3", "all"], "3")],
)
def test_of_several_answers_the_last_one_counts(answers: list[str], chosen: str) -> None:
    import duckdb

    table = ", ".join(f"('a', 0, '{answer}')" for answer in answers)
    query = f"select answer from (values {table}) as measured(run_id, update, answer) {LAST_ANSWER}"
    assert duckdb.sql(query).fetchall() == [(chosen,)]


cells = st.dictionaries(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), st.floats(-9, 9), min_size=1)


@given(cells)
def test_a_matrix_holds_each_value_once(values: dict[tuple[str, int], float]) -> None:
    rows = {
        "name": np.array([name for name, _ in values], dtype=object),
        "t": np.array([t for _, t in values]),
        "value": np.array(list(values.values())),
    }
    steps, matrix = pivot(rows, "name", "t", "value")
    names = sorted({name for name, _ in values})
    expected = [[values.get((name, t), np.nan) for t in sorted({t for _, t in values})] for name in names]
    np.testing.assert_array_equal(matrix, expected)
    assert steps.tolist() == sorted({t for _, t in values})


def test_who_is_missing_in_words() -> None:
    runs = {
        "run_id": np.array(["a", "b", "c", "d"], dtype=object),
        "state": np.array(["finished", "failed", "finished", "running"], dtype=object),
    }
    assert absent(runs, ["a"]) == " Not drawn: 2 runs that did not come to an end, 1 runs not measured."
    finished = {name: column[[0, 2]] for name, column in runs.items()}
    assert absent(finished, ["a", "c", "a"]) == ""
