"""An estimate in words: a few lines and a table, with no more digits than it is worth."""

from __future__ import annotations

from lrd.sweeps.estimate import WORKER_BYTES, Estimate, Group
from lrd.sweeps.tables import table
from lrd.sweeps.units import about, memory

BUSY = 0.5  # load a core from which workers, one a core, get less than theirs
_HEADER = ["task", "gap", "cell", "hidden", "runs", "packs", "runs a pack", "updates left", "time a pack", "memory"]


def forecast(estimate: Estimate) -> str:
    """Time and memory of the whole, where they come from, and a row a group of like packs."""
    e = estimate
    workers = f"{e.workers} workers" if e.workers > 1 else "one worker"
    each = f", {memory(WORKER_BYTES)} a worker" if e.workers > 1 else ""
    where = "on its GPU" if e.on_gpu else "for the largest pack"
    return "\n".join(
        [
            f"about {about(e.seconds)} with {workers}, at most: runs that are solved early end early",
            f"about {memory(e.bytes)} of memory at the peak: {memory(e.shared_bytes)} for lrd itself{each} and up to "
            f"{memory(e.pack_bytes)} {where}",
            _source(e) + ("; it is busy now, which makes training longer" if e.load > BUSY else ""),
            "",
            table(_HEADER, [_row(group) for group in merged(e.groups)]),
        ]
    )


def _source(e: Estimate) -> str:
    recorded = sum(group.recorded for group in e.groups)
    if not e.measured:
        return "time from finished runs of the same kind"
    measured = f"a calibration on this machine, of about {e.measured:.1g} s"
    if recorded:
        return f"time from finished runs of the same kind ({recorded} of {len(e.groups)} kinds), else from {measured}"
    return f"time from {measured}"


def _row(groups: list[Group]) -> list[str]:
    run = groups[0].run
    sizes = sorted({len(pack.jobs) for group in groups for pack in group.packs})
    return [
        run.task.name,
        str(run.task.gap),
        run.cell.label or run.cell.name,
        str(run.cell.hidden_size),
        str(sum(group.runs for group in groups)),
        str(sum(len(group.packs) for group in groups)),
        str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}-{sizes[-1]}",
        str(groups[0].updates),
        about(max(group.seconds for group in groups)),
        memory(max(group.bytes for group in groups)),
    ]


def merged(groups: tuple[Group, ...]) -> list[list[Group]]:
    """Groups that the table's columns cannot tell apart in one row, which shows their largest pack."""
    rows: dict[tuple[object, ...], list[Group]] = {}
    for group in groups:
        run = group.run
        name = run.cell.label or run.cell.name
        rows.setdefault((run.task.name, run.task.gap, name, run.cell.hidden_size, group.updates), []).append(group)
    return [rows[key] for key in sorted(rows, key=lambda key: [str(key[0]), key[1], str(key[2]), *key[3:]])]
