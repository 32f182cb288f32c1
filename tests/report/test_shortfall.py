"""What is missing is named and counted, and no more of it than one can read."""

from __future__ import annotations

from reported import study_of

from lrd.report.shortfall import shortfall

FAILED = {"state": "failed", "outcome": None}


def test_nothing_is_missing_where_all_went_well() -> None:
    assert shortfall(study_of({}, {"outcome": "solved"})) == []


def test_each_kind_has_its_table() -> None:
    study = study_of(
        FAILED | {"message": "disk full"},
        FAILED | {"message": "out of memory"},
        FAILED | {"message": "disk full"},
        FAILED | {"message": None},
        {"outcome": "diverged", "diverged_at": 40},
        {"outcome": "diverged", "diverged_at": 7},
        {"state": "interrupted", "outcome": None, "update": 30},
        {"state": "running", "outcome": None, "update": None, "cell": "lstm"},
        {},
        problems=("no run: other", "cannot read /nowhere/written/x/run.json: it is damaged", "cannot read a"),
    )
    failed, diverged, unfinished, left_out = shortfall(study)
    assert failed.rows == (
        ("disk full", "2", "run0"),
        ("no reason was kept", "1", "run3"),
        ("out of memory", "1", "run1"),
    )
    assert diverged.rows == (("copy", "10", "rnn", "2", "7 to 40"),)
    assert unfinished.rows == (
        ("copy", "10", "lstm", "running", "1", "0", "100"),
        ("copy", "10", "rnn", "interrupted", "1", "30", "100"),
    )
    assert left_out.rows == (("cannot read a",), ("cannot read x/run.json: it is damaged",), ("no run: other",))


def test_code_that_is_not_known_is_missing() -> None:
    known, refused = {"commit": "a", "dirty": False}, {"commit": None, "commit_unknown": "git refused: x"}
    wheel = {"commit": None, "dirty": None}
    made = {"1": known, "2": refused, "3": {**known, "earlier": [refused, wheel]}, "4": wheel, "5": {}}
    (unknown,) = shortfall(study_of({}), made)
    assert unknown.rows == (("environment.json is missing or cannot be read", "1", "5"), ("git refused: x", "2", "2"))
    assert shortfall(study_of({}), {"1": known, "4": wheel}) == []


def test_many_and_long_reasons_are_cut_and_counted() -> None:
    (failed,) = shortfall(study_of(*(FAILED | {"message": f"{n} {'x' * 1000}\n"} for n in range(50))))
    assert (len(failed.rows), failed.more) == (30, 20)
    assert all(len(row[0]) < 410 and row[0].endswith("x ...") for row in failed.rows)
