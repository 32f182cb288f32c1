"""Time and updates against sums by hand."""

from __future__ import annotations

from typing import Any

import pytest
from reported import study_of

from lrd.report.costs import costs

CPU: dict[str, Any] = {"device": "cpu", "threads": 1}


def test_sums_by_task_and_cell_and_over_all() -> None:
    study = study_of({}, {"seconds": 12.0, "update": 300}, {"cell": "lstm", "seconds": 30.0, "update": 1000})
    assert costs(study, {}).rows == (
        ("copy", "lstm", "1", "1000", "30", "0.50 core-minutes"),
        ("copy", "rnn", "2", "400", "45", "0.30 core-minutes"),
        ("all", "all", "3", "1400", "34.3", "0.80 core-minutes"),
    )


def test_threads_count_and_gpus_stand_apart() -> None:
    study = study_of(*({"seconds": 3600.0, "update": 100} for _ in range(3)))
    made = {"run0": CPU | {"threads": 4}, "run1": CPU, "run2": {"device": "cuda:1", "threads": 8}}
    assert [row[5] for row in costs(study, made).rows] == [
        "1.00 GPU-hours",
        "5.00 core-hours",
        "1.00 GPU-hours",
        "5.00 core-hours",
    ]


@pytest.mark.parametrize("nothing", [{"update": 0}, {"update": None, "seconds": None}])
def test_a_run_without_updates_has_no_pace(nothing: dict[str, Any]) -> None:
    assert costs(study_of(nothing), {}).rows[0][3:5] == ("0", "–")
