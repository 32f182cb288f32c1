"""Tables of records as columns: rows in groups, rows with what is known of their run, and matrices.

A table is a dictionary of columns of equal length, as ``Study.columns`` returns it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrd.figures.labels import PartLabel, natural

Array = NDArray[Any]
Table = dict[str, Array]

#: Columns of the table of runs that ``join_runs`` adds to the rows of another table.
OF_A_RUN = ("panel", "label", "gap", "seed", "state", "outcome")


def groups(table: Table, *keys: str) -> Iterator[tuple[tuple[Any, ...], Table]]:
    """Yield the rows that agree in some columns, group by group.

    Args:
        table: The rows.
        keys: Names of the columns in which the rows of a group agree.

    Yields:
        The values of ``keys`` and the rows that have them, in the order of the table. Groups come in the order of
        their values; texts are sorted with numbers in them as numbers.
    """
    codes = np.stack([_ranks(table[key]) for key in keys])
    order = np.lexsort(codes[::-1])
    if not order.size:
        return
    starts = np.flatnonzero((np.diff(codes[:, order]) != 0).any(axis=0)) + 1
    for rows in np.split(order, starts):
        yield tuple(table[key][rows[0]] for key in keys), {name: column[rows] for name, column in table.items()}


def _ranks(column: Array) -> Array:
    """Return the rank of each value among the distinct ones; texts in natural order."""
    values, codes = np.unique(column, return_inverse=True)
    if not all(isinstance(value, str) for value in values):
        return np.asarray(codes)
    names = values.tolist()  # not texts of numpy, which know no study
    order = sorted(range(len(names)), key=lambda place: natural(names[place]))
    return np.argsort(order)[codes] if order else np.asarray(codes)


def join_runs(rows: Table, runs: Table, *further: str) -> Table:
    """Return rows of another table with what is known of the run of each.

    Args:
        rows: A table with a column ``run_id``, of runs that are all in ``runs``.
        runs: The table of runs (``runs_of``).
        further: Columns of ``runs`` to add beside panel, label, gap, seed, state and outcome.

    Returns:
        The columns of ``rows``, those of the runs, and ``run``: the place of the row's run in ``runs``. Where rows say
        ``layer`` and ``direction``, the label of a row is that of the part of the network (``PartLabel``), so that
        figures that group rows by label never mix parts.
    """
    order = np.argsort(runs["run_id"].astype(str))
    found = order[np.searchsorted(runs["run_id"].astype(str)[order], rows["run_id"].astype(str))]
    joined = rows | {name: runs[name][found] for name in (*OF_A_RUN, *further)} | {"run": found}
    return joined | {"label": _labels_of_parts(joined, runs)}


def _labels_of_parts(rows: Table, runs: Table) -> Array:
    """Return the label of each row: of networks of several parts, that of the row's part."""
    if not {"layer", "direction"} <= rows.keys() or not {"layers", "bidirectional"} <= runs.keys():
        return rows["label"]
    layers, bidirectional = (runs[name][rows["run"]] for name in ("layers", "bidirectional"))
    several = np.flatnonzero((layers > 1) | bidirectional)
    if not several.size:
        return rows["label"]
    labels, deepest = rows["label"].astype(object), int(runs["layers"].max())
    known: dict[tuple[Any, ...], PartLabel] = {}
    columns = (rows["label"], rows["layer"], rows["direction"], layers, bidirectional)
    for place, key in zip(several, zip(*(column[several] for column in columns), strict=True), strict=True):
        if key not in known:
            label, layer, direction, *network = key
            known[key] = PartLabel(label, int(layer), direction, (int(network[0]), bool(network[1])), deepest)
        labels[place] = known[key]
    return labels


def plain(column: Array) -> NDArray[np.float64]:
    """Return a column of numbers as float64, with NaN where the records have NULL."""
    return np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)


def finite(values: Array) -> Array:
    """Return values with NaN in the place of infinities, at which matplotlib's limits break."""
    return np.where(np.isfinite(values), values, np.nan)


def pivot(rows: Table, down: str, across: str, value: str) -> tuple[Array, Array]:
    """Return a column of a table as a matrix.

    Args:
        rows: The table, with at most one row for each pair of values of ``down`` and ``across``.
        down: Column whose distinct values, as texts, are the lines of the matrix.
        across: Column whose distinct values are the columns of the matrix.
        value: Column of the numbers.

    Returns:
        The distinct values of ``across``, and the matrix [down, across]: NaN where there is no row.
    """
    columns, place = np.unique(rows[across], return_inverse=True)
    names, line = np.unique(rows[down].astype(str), return_inverse=True)
    matrix = np.full((len(names), len(columns)), np.nan)
    matrix[line, place] = plain(rows[value])
    return columns, matrix
