"""Cells and tasks of one name that are not one are told apart, wherever records are read; nothing else is renamed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lrd.records import RunRecord, combine_studies, open_study
from lrd.records.display_names import split_network, with_display_names
from lrd.records.workspace import _codes


def cell(name: str, code: str | None = None, file: str = "my_cell.py", label: str | None = None) -> dict[str, Any]:
    own = {} if code is None else {"path": f"/home/anna/work/{file}:Mine", "code": code}
    return {"name": name, "label": label, **own}


def row(**options: Any) -> dict[str, Any]:
    found = cell(**options)
    rest = {f"cell_{key}": value for key, value in found.items()}
    return {"task": "copy", "cell": found["name"], **rest}


def names(*rows: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["cell"], one["cell_label"]) for one in with_display_names(rows, rows)]


OWN = row(name="lstm")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # nothing collides
        ([OWN, OWN, row(name="gru")], [("lstm", None), ("lstm", None), ("gru", None)]),
        ([OWN, row(name="mgu", code="a" * 12)], [("lstm", None), ("mgu", None)]),
        ([row(name="mgu", code="a" * 12)] * 2, [("mgu", None)] * 2),
        ([row(name="mgu", code="a" * 12), row(name="mgu", code="a" * 12, file="b.py")], [("mgu", None)] * 2),
        # with lrd's own; between versions; between files; both
        ([OWN, row(name="lstm", code="a" * 12)], [("lstm", None), ("lstm (my_cell.py)", None)]),
        (
            [row(name="mgu", code="a1b2c3d4"), row(name="mgu", code="f1b2c3d4")],
            [("mgu (a1b2c3)", None), ("mgu (f1b2c3)", None)],
        ),
        (
            [row(name="mgu", code="a1b2c3d4"), row(name="mgu", code="a1b2c3e4")],
            [("mgu (a1b2c3d)", None), ("mgu (a1b2c3e)", None)],
        ),
        (
            [row(name="mgu", code="a" * 12, file="a.py"), row(name="mgu", code="b" * 12, file="b.py")],
            [("mgu (a.py)", None), ("mgu (b.py)", None)],
        ),
        (
            [OWN, row(name="lstm", code="a" * 12), row(name="lstm", code="b" * 12)],
            [("lstm", None), ("lstm (aaaaaa)", None), ("lstm (bbbbbb)", None)],
        ),
        # labels
        (
            [row(name="mgu", code="a" * 12, label="x"), row(name="mgu", code="b" * 12, label="x")],
            [("mgu (aaaaaa)", "x (aaaaaa)"), ("mgu (bbbbbb)", "x (bbbbbb)")],
        ),
        (
            [row(name="lstm", label="x"), row(name="mgu", code="b" * 12, label="x")],
            [("lstm", "x"), ("mgu", "x (my_cell.py)")],
        ),
        ([OWN, row(name="mgu", code="b" * 12, label="lstm")], [("lstm", None), ("mgu", "lstm (my_cell.py)")]),
        ([row(name="lstm", label="x"), row(name="gru", label="x")], [("lstm", "x"), ("gru", "x")]),  # as it was said
    ],
)
def test_names(rows: list[dict[str, Any]], expected: list[tuple[str, str | None]]) -> None:
    assert names(*rows) == expected
    assert names(*rows[::-1]) == expected[::-1]


def network(name: str = "lstm", **options: Any) -> dict[str, Any]:
    return row(name=name) | {f"cell_{key}": value for key, value in options.items()}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # one kind of network keeps the name alone, also beside another cell's
        ([network(layers=2), network(layers=2), network("gru", layers=1)], ["lstm", "lstm", "gru"]),
        ([OWN, network(layers=1, bidirectional=False, dropout=0.0)], ["lstm", "lstm"]),  # older records
        ([OWN, network(layers=2), network(layers=3)], ["lstm", "lstm, 2 layers", "lstm, 3 layers"]),
        ([network(layers=2), network(layers=3)], ["lstm, 2 layers", "lstm, 3 layers"]),
        ([OWN, network(bidirectional=True)], ["lstm", "lstm, bidirectional"]),
        (
            [network(layers=2, dropout=0.5), network(layers=2, dropout=0.0), network(layers=2, dropout=0.25)],
            ["lstm, dropout 0.5", "lstm", "lstm, dropout 0.25"],
        ),
        (
            [OWN, network(layers=2, bidirectional=True, dropout=0.1), network("gru", layers=2)],
            ["lstm", "lstm, 2 layers, bidirectional, dropout 0.1", "gru"],
        ),
    ],
)
def test_networks_of_one_cell_are_told_apart(rows: list[dict[str, Any]], expected: list[str]) -> None:
    assert names(*rows) == [(name, None) for name in expected]
    assert [one["cell_name"] for one in with_display_names(rows, rows)] == [one["cell_name"] for one in rows]
    assert all(split_network(name)[0] in ("lstm", "gru") for name in expected)
    labelled = [one | {"cell_label": "mine" if one["cell"] == "lstm" else None} for one in rows]
    found = [label for _, label in names(*labelled)]
    assert found == [f"mine{name[4:]}" if name.startswith("lstm") else None for name in expected]


def test_rows_in_which_nothing_collides_are_unchanged() -> None:
    rows = [OWN, row(name="mgu", code="a" * 12), {"task": None, "cell": 3, "cell_label": 5}, {}]
    assert with_display_names(rows, rows) == rows


def made(root: Path, study: str, *cells: dict[str, Any], task: dict[str, Any] | None = None) -> Path:
    task = task or {"name": "copy", "gap": 3}
    for at, options in enumerate(cells):
        record = RunRecord(root, study, f"run-{at}-{task.get('code')}")
        spec = {"task": task, "cell": options, "seed": 0}
        record.create({"spec": spec, "task": {}, "parameters": 1})
        record.finish({"outcome": "solved", "update": 3})
    return root / study


ASKED = "select cell, count(*) from runs group by all order by all"


def test_a_study_has_a_row_for_each_and_keeps_their_names_when_filtered(tmp_path: Path) -> None:
    study = open_study(made(tmp_path, "s", cell("lstm"), cell("lstm", "a" * 12), cell("lstm", "b" * 12)))
    assert study.sql(ASKED).fetchall() == [("lstm", 1), ("lstm (aaaaaa)", 1), ("lstm (bbbbbb)", 1)]
    assert study.sql("select distinct cell_name from runs").fetchall() == [("lstm",)]
    assert study.filtered("cell = 'lstm (aaaaaa)'").sql(ASKED).fetchall() == [("lstm (aaaaaa)", 1)]
    assert study.filtered("cell = 'lstm'").sql(ASKED).fetchall() == [("lstm", 1)]
    assert _codes(study) == ["cell.code"]


def test_studies_that_are_compared_are_told_apart_together(tmp_path: Path) -> None:
    one, two = made(tmp_path, "one", cell("lstm")), made(tmp_path, "two", cell("lstm", "a" * 12))
    assert open_study(two).sql(ASKED).fetchall() == [("lstm", 1)]
    both = combine_studies([open_study(one), open_study(two)])
    assert both.sql(ASKED).fetchall() == [("lstm", 1), ("lstm (my_cell.py)", 1)]
    assert both.filtered("study = 'two'").sql(ASKED).fetchall() == [("lstm (my_cell.py)", 1)]


def test_two_versions_of_a_task_are_two(tmp_path: Path) -> None:
    for code in ("a" * 12, "b" * 12):
        made(tmp_path, "s", cell("lstm"), task={"name": "mine", "gap": 3, "path": "/x/t.py:T", "code": code})
    study = open_study(tmp_path / "s")
    assert study.sql("select distinct task from runs order by 1").fetchall() == [("mine (aaaaaa)",), ("mine (bbbbbb)",)]
    assert _codes(study) == ["task.code"]
