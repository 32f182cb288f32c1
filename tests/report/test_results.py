"""Shares and times against records that were counted by hand."""

from __future__ import annotations

from collections import Counter

import pytest
from reported import study_of
from synthetic import MadeStudy

from lrd.records import open_study
from lrd.report.results import headline, results

SOLVED = {"outcome": "solved"}
BEGUN = {"state": "running", "outcome": None, "update": 5}


def test_counts_and_shares_are_those_of_the_records(made: MadeStudy) -> None:
    found = {(row[0], int(row[1]), row[2]): row for row in results(open_study(made.folder)).rows}
    runs = Counter((run.task, run.gap, run.label) for run in made.runs)
    solved = Counter((run.task, run.gap, run.label) for run in made.runs if run.outcome == "solved")
    assert found.keys() == runs.keys()
    for key, row in found.items():
        share = f"{100 * solved[key] / runs[key]:.0f} %"
        assert row[3:6] == (str(runs[key]), str(solved[key]), share)
    lost = Counter(run.state for run in made.runs if run.state != "finished")
    assert sum("1 failed" in row[8] for row in found.values()) == lost["failed"] == 2
    assert sum("1 unfinished" in row[8] for row in found.values()) == lost["interrupted"] == 2


def test_an_interval_and_a_median_by_hand() -> None:
    """Wilson at 3 of 4: p = (0.75 + z^2/8 +- z sqrt(0.1875/4 + z^2/64)) / (1 + z^2/4), z = 1.96, is 0.301 to 0.954.

    Half of the four have solved it at the second of 10, 30, 70.
    """
    times = [{"update": at, "solved_at": at} | SOLVED for at in (30, 10, 70)]
    (row,) = results(study_of(*times, {})).rows
    assert row == ("copy", "10", "rnn", "4", "3", "75 %", "30–95 %", "30", "1 unsolved", "–")


def test_a_median_that_most_never_reach_is_not_a_number() -> None:
    (row,) = results(study_of({"solved_at": 10, "update": 10} | SOLVED, {}, {"outcome": "diverged"}, BEGUN)).rows
    assert row[3:5] == ("4", "1")
    assert row[7:9] == ("–", "1 unsolved, 1 diverged, 1 unfinished")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"seen_share": 1.0}, {"seen_share": 1.0}], "100 %"),
        ([{"seen_share": 0.104}, {"seen_share": 0.31}, {}], "10–31 %"),
        ([{"seen_share": 0.0}], "0 %"),
        ([{"seen_share": 0.12, "seen_counted": 4000}], "≥ 12 %"),
        ([{}, BEGUN], "–"),
    ],
)
def test_how_much_of_the_test_training_had_shown(rows: list[dict[str, object]], said: str) -> None:
    (row,) = results(study_of(*({"seen_share": None, "seen_counted": None} | row for row in rows))).rows
    assert row[9] == said


def test_labels_and_conventions_tell_rows_apart() -> None:
    study = study_of(
        {"cell_label": "wide", "convention": "a"}, {"cell_label": None, "convention": "b"}, {"task": "adding"}
    )
    assert [row[:3] for row in results(study).rows] == [
        ("adding", "10", "rnn"),
        ("copy (a)", "10", "wide"),
        ("copy (b)", "10", "rnn"),
    ]


def test_labels_stand_in_the_order_of_the_figures() -> None:
    rows = [{"cell_label": f"bias {n}", "gap": gap} for n in (2, 10, -1, -2) for gap in (100, 20)]
    assert [row[1:3] for row in results(study_of(*rows)).rows] == [
        (gap, f"bias {n}") for gap in ("20", "100") for n in (-2, -1, 2, 10)
    ]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([SOLVED, {"seed": 1}], "2 runs of 1 cell (rnn) on 1 task (copy), with 2 seeds: 1 solved, 1 unsolved."),
        (
            [{"outcome": "diverged"}, {"state": "failed", "outcome": None}, BEGUN],
            "3 runs of 1 cell (rnn) on 1 task (copy), with 1 seed: 0 solved, 1 diverged, 1 failed, 1 unfinished.",
        ),
        ([{"cell": f"c{n}"} for n in range(13)], "13 runs of 13 cells on 1 task (copy), with 1 seed: 0 solved, 13 uns"),
    ],
)
def test_the_headline(rows: list[dict[str, object]], said: str) -> None:
    assert headline(study_of(*rows)).startswith(said)
