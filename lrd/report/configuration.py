"""How the runs of a study were configured: the options that all share, that were swept, that go with task or cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lrd.records import Study
from lrd.report.option_names import option_names
from lrd.report.runs import natural, rows
from lrd.report.table import Table, spelled, table, whole

MOST_VALUES = 12  # of one option that have a row each; of more, the range alone


@dataclass(frozen=True)
class Configuration:
    """Three tables of options.

    Attributes:
        common: options with one value in all runs.
        swept: options that vary among the runs of a task and cell.
        apart: all others, which go with the task or the cell.
    """

    common: Table
    swept: Table
    apart: Table


@dataclass(frozen=True)
class _Use:
    """How many runs of one task and cell have one value of an option."""

    task: str
    cell: str
    value: Any
    count: int


def configuration(study: Study) -> Configuration:
    """Return the options of all runs of a study, each in one of three tables."""
    everybody = {(use.task, use.cell) for use in _uses(study, "run_id")}
    common, swept, apart = [], [], []
    for column, name in option_names(study).items():
        uses = _uses(study, column)
        values = {use.value for use in uses}
        if values == {None}:
            common.append((name, "none"))
        elif len(values) == 1:
            common.append((name, spelled(*values)))
        elif len({(use.task, use.cell, use.value) for use in uses}) > len(everybody):
            swept += _lines(name, uses, everybody)
        else:
            apart += _lines(name, [use for use in uses if use.value is not None], everybody)
    header, numbers = ("option", "value", "runs", "tasks", "cells"), (2,)
    return Configuration(
        table("Options that all runs share", ("option", "value"), common),
        table("Options that were swept", header, swept, numbers),
        table("Options that go with the task or the cell", header, apart, numbers),
    )


def _uses(study: Study, column: str) -> list[_Use]:
    quoted = '"' + column.replace('"', '""') + '"'
    value = "null" if column == "run_id" else quoted
    found = rows(study, f"select panel, label, {value} as chosen, count(*) from named group by all order by all")
    return [_Use(str(task), str(cell), value, count) for task, cell, value, count in found]


def _lines(name: str, uses: Sequence[_Use], everybody: set[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Return a row for each value of an option, with the tasks and cells that have it; one with the range of many."""
    values = list(dict.fromkeys(use.value for use in sorted(uses, key=lambda use: _rank(use.value))))
    if len(values) > MOST_VALUES:
        return [_line(name, _range(values), uses, everybody)]
    wheres: dict[tuple[str, ...], list[Any]] = {}
    for value in values:
        for mine in _boxes([use for use in uses if use.value == value], everybody):
            wheres.setdefault(_line(name, "", mine, everybody), []).append(value)
    # Values that the same tasks and cells have equally often, such as seeds, share a row.
    return [
        (row[0], ", ".join(map(spelled, some)), row[2] + (" each" if len(some) > 1 else ""), *row[3:])
        for row, some in wheres.items()
    ]


def _boxes(uses: Sequence[_Use], everybody: set[tuple[str, str]]) -> list[list[_Use]]:
    """Return the uses of a value in parts that a row names as "these tasks, these cells": one part, or one a cell."""
    tasks, cells = {use.task for use in uses}, {use.cell for use in uses}
    if {(use.task, use.cell) for use in uses} == {at for at in everybody if at[0] in tasks and at[1] in cells}:
        return [list(uses)]
    return [[use for use in uses if use.cell == cell] for cell in sorted(cells, key=natural)]


def _line(name: str, value: str, uses: Sequence[_Use], everybody: set[tuple[str, str]]) -> tuple[str, ...]:
    count = sum(use.count for use in uses)
    tasks = _those((use.task for use in uses), {task for task, _ in everybody})
    cells = _those((use.cell for use in uses), {cell for _, cell in everybody})
    return (name, value, whole(count), tasks, cells)


def _those(some: Iterable[str], every: set[str]) -> str:
    names = sorted(set(some), key=natural)
    if len(names) == len(every) > 1:
        return "all"
    return ", ".join(names) if len(names) <= MOST_VALUES else f"{len(names)} of {len(every)}"


def _rank(value: Any) -> tuple[int, float, str]:
    """Return what to sort values by: nothing first, then numbers, then texts."""
    if value is None:
        return (0, 0.0, "")
    return (1, float(value), "") if isinstance(value, int | float) else (2, 0.0, str(value))


def _range(values: Sequence[Any]) -> str:
    several = f"{whole(len(values))} values"
    if all(isinstance(value, int | float) for value in values if value is not None):
        numbers = [value for value in values if value is not None]
        return f"{spelled(min(numbers))} to {spelled(max(numbers))} ({several})"
    return f"{', '.join(spelled(value) for value in values[:3])}, ... ({several})"
