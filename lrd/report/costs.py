"""What the runs of a study cost: updates and time by task and cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lrd.records import Study
from lrd.report.runs import natural, rows
from lrd.report.table import Table, spelled, table, whole

_RUNS = """
select panel, label, run_id, coalesce("update", 0), coalesce(seconds, 0.0) from named order by all
"""
_HOUR = 3600.0


@dataclass
class _Cost:
    runs: int = 0
    updates: int = 0
    seconds: float = 0.0  # wall time; that of a pack is shared among its runs
    held: float = 0.0  # wall time times the threads of a processor, or of a whole GPU


def costs(study: Study, found: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return a table of the training time by task, cell and kind of device.

    Time is in core-hours of a processor and GPU-hours of a GPU, or in minutes where no row takes an hour.

    Args:
        study: as opened.
        found: the environment of each run, by run id (``lrd.report.machines.environments``).
    """
    tally: dict[tuple[str, str, str], _Cost] = {}
    for panel, label, run_id, updates, seconds in rows(study, _RUNS):
        environment = found.get(run_id, {})
        kind = "GPU" if str(environment.get("device")).startswith("cuda") else "core"
        threads = environment.get("threads")
        width = threads if kind == "core" and isinstance(threads, int) else 1
        for key in ((str(panel), str(label), kind), ("all", "all", kind)):
            cost = tally.setdefault(key, _Cost())
            cost.runs += 1
            cost.updates += updates
            cost.seconds += seconds
            cost.held += seconds * width
    longest = max((cost.held for cost in tally.values()), default=0.0)
    unit, name = (_HOUR, "hours") if longest >= _HOUR else (60.0, "minutes")
    order = sorted(tally, key=lambda key: (key[0] == "all", key[0], natural(key[1]), key[2]))
    lines = []
    for key in order:
        task, cell, kind = key
        cost = tally[key]
        pace = spelled(float(f"{1000 * cost.seconds / cost.updates:.3g}")) if cost.updates else "–"
        lines.append((task, cell, whole(cost.runs), whole(cost.updates), pace, f"{cost.held / unit:.2f} {kind}-{name}"))
    header = ("task", "cell", "runs", "updates", "ms an update", "time")
    return table("Training time, by task and cell", header, lines, (2, 3, 4, 5))
