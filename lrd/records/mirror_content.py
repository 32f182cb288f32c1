"""Content of wandb mirrors, update by update: one definition for the live mirror and for ``lrd sync``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lrd.records.tables import SINCE, with_parts
from lrd.scalars import SCALARS

if TYPE_CHECKING:
    import numpy as np

    Columns = Mapping[str, np.ndarray]

#: Layer and direction of one cell of a network (``lrd.cells.Part``).
Part = tuple[int, str]


@dataclass(frozen=True)
class LoggedUpdate:
    """The part of a mirror that belongs to one update.

    ``values``: scalars by name. ``profiles``: log10 of gradient norms over t, by table and variable, such as
    ``gradient_flow/h``.
    """

    update: int
    values: dict[str, float] = field(default_factory=dict)
    profiles: dict[str, np.ndarray] = field(default_factory=dict)


def scalars_of(measurements: Callable[[str], Iterable[Columns]]) -> list[tuple[int, dict[str, float]]]:
    """Return the update and the scalars (``lrd.scalars``) of every measurement of every probe.

    Args:
        measurements: gives the measurements of a table by its name, each as columns.
    """
    found = []
    for kind in SCALARS.values():
        by_update: dict[int, dict[str, Any]] = {}
        for name in kind.tables:
            for columns in measurements(name):
                if len(columns["update"]):  # a cell without gates
                    by_update.setdefault(int(columns["update"][0]), {})[name] = columns
        for update, tables in by_update.items():
            if len(tables) == len(kind.tables):
                found.append((update, kind.of(tables)))
    return found


def summary_values(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a mirror shows of a summary: all of it, and the seconds that an update took."""
    seconds, update = summary.get("seconds"), summary.get("update")
    return {**summary, **({"seconds_per_update": seconds / update} if seconds is not None and update else {})}


def values_at_gaps(columns: Columns) -> dict[str, float]:
    """Return what a mirror's summary shows of tests at other gaps: ``test_accuracy_at_gap_200`` and the like.

    Args:
        columns: the table ``generalisation`` of one run; {} where it has none.
    """
    if not columns:
        return {}
    tests = zip(columns["metric"], columns["tested_gap"], columns["value"], strict=True)
    return {f"test_{metric}_at_gap_{gap}": float(value) for metric, gap, value in tests}


#: Tables of gradient norms over t, of which a mirror shows a picture with a row a measurement.
PICTURED = ("gradient_flow", "gradient_norms")


def profiles_of(table: str, measurement: Columns) -> dict[str, np.ndarray]:
    """Return the next row of each picture by its name.

    It is ``gradient_flow/h``; of a network of several parts ``gradient_flow/layer 2/h``, and of the part of a layer
    that reads backward ``gradient_flow/layer 2 backward/h``.

    Args:
        table: one of ``PICTURED``.
        measurement: columns of one measurement of that table.
    """
    means = mean_profiles(measurement)
    alone = len({part for part, _ in means}) < 2
    return {
        "/".join((table, *(() if alone else (part_in_words(part),)), variable)): norms
        for (part, variable), norms in means.items()
    }


def part_in_words(part: Part) -> str:
    """Return a part of a network as ``layer 2`` or ``layer 2 backward``."""
    layer, direction = part
    return f"layer {layer}" + ("" if direction == SINCE["direction"] else f" {direction}")


def mean_profiles(measurement: Columns) -> dict[tuple[Part, str], np.ndarray]:
    """Return log10 of the geometric mean norm over t for each part and variable, from one measurement's columns."""
    import numpy as np

    of, norms = measurement["variable"], measurement["log10_gmean"]
    layers, directions = parts_in(measurement)
    total = measurement["part"] == "total" if "part" in measurement else np.ones(len(of), dtype=bool)
    keys = dict.fromkeys(zip(layers.tolist(), map(str, directions), map(str, of), strict=True))
    return {
        ((layer, direction), variable): norms[total & (layers == layer) & (directions == direction) & (of == variable)]
        for layer, direction, variable in keys
    }


def parts_in(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Return layer and direction of each row; records older than these columns are of networks of one part."""
    whole = with_parts(columns, SINCE)
    return whole["layer"], whole["direction"]


def logged_updates(
    metrics: Iterable[Mapping[str, Any]],
    scalars: Iterable[tuple[int, Mapping[str, float]]],
    measurements: Mapping[str, Iterable[Columns]],
) -> list[LoggedUpdate]:
    """Return all that a mirror shows of a run, one entry an update, in order.

    Args:
        metrics: rows of the table metrics; None is a metric that was not measured then.
        scalars: update and scalars of measurements, from ``scalars_of``.
        measurements: of each table of ``PICTURED``, the columns of its measurements.
    """
    found: dict[int, LoggedUpdate] = {}

    def at(update: Any) -> LoggedUpdate:
        return found.setdefault(int(update), LoggedUpdate(int(update)))

    for row in metrics:
        values = {name: float(v) for name, v in row.items() if name != "update" and v is not None}
        at(row["update"]).values.update(values)
    for update, numbers in scalars:
        at(update).values.update(numbers)
    for table, of_table in measurements.items():
        for one in of_table:
            at(one["update"][0]).profiles.update(profiles_of(table, one))
    return [found[update] for update in sorted(found)]


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    """Return columns as rows, with None for what is masked."""
    lists = [column.tolist() for column in columns.values()]  # of a masked array: None
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def measurements_of(columns: Columns) -> list[dict[str, np.ndarray]]:
    """Cut the columns of a probe's table into its measurements, one an update."""
    import numpy as np

    if not columns:
        return []
    starts = np.flatnonzero(np.diff(columns["update"])) + 1
    parts = {name: np.split(column, starts) for name, column in columns.items()}
    count = len(starts) + 1 if len(columns["update"]) else 0
    return [{name: part[number] for name, part in parts.items()} for number in range(count)]


def fits_missing(fits: Sequence[Mapping[str, Any]], measurements: Iterable[Columns]) -> list[tuple[int, str]]:
    """Return the (update, variable) that were measured and have no fit: the table of fits lost rows.

    Args:
        fits: rows of gradient_fit.
        measurements: columns of the measurements of gradient_flow.
    """
    rows = [{**SINCE, **fit} for fit in fits]
    known = {(int(fit["update"]), (fit["layer"], fit["direction"]), fit["variable"]) for fit in rows}
    seen = [(int(one["update"][0]), *key) for one in measurements for key in mean_profiles(one)]
    return [(update, variable) for update, part, variable in seen if (update, part, variable) not in known]
