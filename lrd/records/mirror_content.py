"""What a mirror shows of a run, moment by moment: one definition for the live mirror and for ``lrd sync``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lrd.scalars import SCALARS

if TYPE_CHECKING:
    import numpy as np

    Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class LoggedUpdate:
    """One update: scalars by name, and log10 of gradient norms over t by table and variable (``gradient_flow/h``)."""

    update: int
    values: dict[str, float] = field(default_factory=dict)
    profiles: dict[str, np.ndarray] = field(default_factory=dict)


def scalars_of(looks: Callable[[str], Iterable[Columns]]) -> list[tuple[int, dict[str, float]]]:
    """The update and scalars (``lrd.scalars``) of every look; ``looks`` gives the looks of a table by its name."""
    found = []
    for kind in SCALARS.values():
        by_update: dict[int, dict[str, Any]] = {}
        for name in kind.tables:
            for look in looks(name):
                if len(look["update"]):  # a cell without gates
                    by_update.setdefault(int(look["update"][0]), {})[name] = look
        for update, tables in by_update.items():
            if len(tables) == len(kind.tables):
                found.append((update, kind.of(tables)))
    return found


def summary_values(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What a mirror shows of a summary: all of it, and what an update cost."""
    seconds, update = summary.get("seconds"), summary.get("update")
    return {**summary, **({"seconds_per_update": seconds / update} if seconds is not None and update else {})}


#: Tables of gradient norms over t, of which a mirror shows a picture: a row a look.
PICTURED = ("gradient_flow", "gradient_norms")


def profiles_of(table: str, look: Columns) -> dict[str, np.ndarray]:
    """The rows of the pictures of one of ``PICTURED``, from the columns of one look."""
    return {f"{table}/{variable}": norms for variable, norms in mean_profiles(look).items()}


def mean_profiles(look: Columns) -> dict[str, np.ndarray]:
    """The picture's row for each variable: the geometric mean over samples, from the columns of one look."""
    import numpy as np

    total = look["part"] == "total" if "part" in look else np.ones(len(look["t"]), dtype=bool)
    variables = dict.fromkeys(str(variable) for variable in look["variable"])
    return {variable: look["log10_gmean"][total & (look["variable"] == variable)] for variable in variables}


def logged_updates(
    metrics: Iterable[Mapping[str, Any]],
    scalars: Iterable[tuple[int, Mapping[str, float]]],
    looks: Mapping[str, Iterable[Columns]],
) -> list[LoggedUpdate]:
    """All that a run has shown, a moment an update, in order.

    ``metrics`` are rows; None in them is what was not measured then. ``scalars`` are as from ``scalars_of``, ``looks``
    columns, one entry a look, of tables of ``PICTURED``.
    """
    found: dict[int, LoggedUpdate] = {}

    def at(update: Any) -> LoggedUpdate:
        return found.setdefault(int(update), LoggedUpdate(int(update)))

    for row in metrics:
        values = {name: float(v) for name, v in row.items() if name != "update" and v is not None}
        at(row["update"]).values.update(values)
    for update, numbers in scalars:
        at(update).values.update(numbers)
    for table, of_table in looks.items():
        for look in of_table:
            at(look["update"][0]).profiles.update(profiles_of(table, look))
    return [found[update] for update in sorted(found)]


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    """Columns as rows, with None for what is masked."""
    lists = [column.tolist() for column in columns.values()]  # of a masked array: None
    return [dict(zip(columns, row, strict=True)) for row in zip(*lists, strict=True)]


def measurements_of(columns: Columns) -> list[dict[str, np.ndarray]]:
    """The columns of a probe's table, cut into looks."""
    import numpy as np

    if not columns:
        return []
    starts = np.flatnonzero(np.diff(columns["update"])) + 1
    parts = {name: np.split(column, starts) for name, column in columns.items()}
    count = len(starts) + 1 if len(columns["update"]) else 0
    return [{name: part[number] for name, part in parts.items()} for number in range(count)]


def fits_missing(fits: Sequence[Mapping[str, Any]], looks: Iterable[Columns]) -> list[tuple[int, str]]:
    """The (update, variable) that were looked at and have no row in ``fits``: a table that lost rows."""
    known = {(int(fit["update"]), fit["variable"]) for fit in fits}
    seen = [(int(look["update"][0]), variable) for look in looks for variable in mean_profiles(look)]
    return [key for key in seen if key not in known]
