"""What one run has to tell: its rows of metrics, its gradient flow, whether it is solved; kept in its record.

The whole history lives in memory (a few hundred kilobytes a run) and is written as whole files, so that a reader
never sees half of one and a run that goes on from its checkpoint rewrites the same bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lrd.probes import Columns, Probe
from lrd.records import ImmediateWriter, RunRecord, Tracker, Writer, hardware
from lrd.records.mirror_content import PICTURED, logged_updates, profiles_of, scalars_of
from lrd.records.schema import GRADIENT_NORMS_COLUMNS
from lrd.spec import RunSpec
from lrd.tasks import Task
from lrd.training.cost import Cost
from lrd.training.fetch import fetched
from lrd.training.overlap import log10_sequences, overlap

Rows = list[dict[str, Any]]


class Journal:
    """The history of one run and its way to disk and to the mirror."""

    def __init__(
        self,
        spec: RunSpec,
        record: RunRecord,
        tracker: Tracker,
        parameters: int,
        device: str,
        kernel: str,
        writer: Writer | None = None,
    ) -> None:
        """``kernel``: the one of its updates, by name; ``writer``: of its files but the first; default: at once."""
        self.spec, self.record, self.tracker, self.writer = spec, record, tracker, writer or ImmediateWriter()
        self.metrics: Rows = []
        self.looks: dict[str, list[Columns]] = {}  # by table, one entry a look
        self.looked: dict[str, int] = {}  # the update of each probe's last look
        self.scalars: dict[str, dict[str, float]] = {"start": {}, "end": {}}  # of first and last looks
        self.streak_start: int | None = None  # update of the first evaluation of the present solved streak
        self.streak = 0
        self.solved_at: int | None = None
        self.cost = Cost(kernel, hardware(device))
        what = {"spec": spec.to_dict(), "task": task_facts(spec.task), "parameters": parameters}
        if spec.sources:
            what["sources"] = spec.sources
        record.create({**what, "tracker": dict(tracker.settings)}, device)
        tracker.start(record.run_id, record.study, spec.to_dict(), record.run_id)

    def add_metrics(self, update: int, row: dict[str, float], solved: bool) -> None:
        """One row; ``solved``: whether this evaluation meets the task's criterion."""
        self.metrics.append({"update": update} | row)
        self.tracker.log(self.record.run_id, update, row)
        self.streak = self.streak + 1 if solved else 0
        if self.streak == 1:
            self.streak_start = update
        if self.streak >= self.spec.training.solved_evals and self.solved_at is None:
            self.solved_at = self.streak_start

    def add_measurement(self, update: int, probe: Probe, tables: dict[str, Columns]) -> None:
        """What a probe saw of this run."""
        for name, columns in tables.items():
            size = len(next(iter(columns.values())))
            self.looks.setdefault(name, []).append({"update": np.full(size, update)} | columns)
        scalars = probe.scalars(tables)
        self.scalars["start"] = scalars | self.scalars["start"]
        self.scalars["end"] |= scalars
        self.looked[probe.name] = update
        if scalars:
            self.tracker.log(self.record.run_id, update, scalars)
        if probe.name == "gradient_flow":
            self._show(update, "gradient_flow")

    def add_norms(self, update: int, columns: Columns) -> None:
        """Gradient norms of the updates up to this one; nothing where there are none."""
        if columns:
            size = len(columns["t"])
            self.looks.setdefault("gradient_norms", []).append({"update": np.full(size, update)} | columns)
            self._show(update, "gradient_norms")

    def _show(self, update: int, table: str) -> None:
        """The last look of one of ``PICTURED``."""
        self.tracker.profiles(self.record.run_id, update, profiles_of(table, self.looks[table][-1]))

    def write(self, state: str, update: int, message: str = "") -> None:
        """Tables and status as they stand now."""
        metrics, looks = list(self.metrics), _frozen(self.looks)
        self.writer.put(lambda: self._write_tables(metrics, looks))
        self.status(state, update, message)

    def _write_tables(self, metrics: Rows, looks: dict[str, list[Columns]]) -> None:
        kinds = {name: kind for probe in self.spec.probes for name, kind in probe.tables().items()}
        kinds["gradient_norms"] = GRADIENT_NORMS_COLUMNS
        for name, parts in looks.items():
            columns = {column: np.concatenate([look[column] for look in parts]) for column in parts[0]}
            self.record.write_table(name, columns, kinds[name])
        if metrics:  # last: what others hold at the updates that stand in it is then complete
            names = {name: None for row in metrics for name in row}  # update 0 has no training averages
            self.record.metrics({name: [row.get(name) for row in metrics] for name in names})

    def status(self, state: str, update: int, message: str = "") -> None:
        """Say on disk where this run is."""
        most, how = self.spec.training.max_updates, self.cost.told()
        self.writer.put(lambda: self.record.status(state, update=update, max_updates=most, message=message, **how))

    def finish(self, update: int, diverged_at: int, test: dict[str, float]) -> None:
        """Everything written, with the outcome. Once it is on disk the writer says the summary, with the run's id."""
        self.write("running", update)
        outcome = "diverged" if diverged_at >= 0 else "solved" if self.solved_at is not None else "unsolved"
        summary: dict[str, Any] = {
            "outcome": outcome,
            "update": update,
            "solved_at": self.solved_at,
            "diverged_at": diverged_at if diverged_at >= 0 else None,
            "seconds": self.cost.seconds,
        }
        for when, scalars in self.scalars.items():
            summary |= {f"{name}_{when}": value for name, value in scalars.items()}
        summary |= {name: value for name, value in self.metrics[-1].items() if name.startswith("eval_")}
        summary |= {f"test_{name}": value for name, value in test.items()}
        summary |= overlap(self.spec, update)

        def told() -> dict[str, Any]:
            self.tracker.finish(self.record.run_id, summary)
            return {"run_id": self.record.run_id, **summary}

        self.writer.put(lambda: self.record.finish(summary), told)

    def checkpoint(self, pack_state: dict[str, object]) -> None:
        """Keep all that this run needs to go on."""
        looks = _frozen(self.looks)
        own = {name: _frozen(getattr(self, name)) for name in _KEPT} | {"cost": _frozen(self.cost.kept())}

        def save() -> None:
            plain = {name: [{c: _plain(v) for c, v in look.items()} for look in parts] for name, parts in looks.items()}
            self.record.save_checkpoint({"pack": pack_state, "journal": own | {"looks": plain}})

        self.writer.put(save)

    def resume(self, kept: dict[str, Any], update: int) -> None:
        """Go on from what ``checkpoint`` kept under ``journal`` at an update."""
        for name in _KEPT:
            setattr(self, name, kept[name])
        self.cost.resume(kept.get("cost", kept), update)  # one of before ``cost`` has its seconds beside the others
        looks = kept["looks"]
        self.looks = {name: [{c: _array(v) for c, v in look.items()} for look in looks[name]] for name in looks}
        scalars = scalars_of(lambda name: self.looks.get(name, []))
        pictured = {table: self.looks.get(table, []) for table in PICTURED}
        self.tracker.resume(self.record.run_id, logged_updates(self.metrics, scalars, pictured))


_KEPT = ("metrics", "looked", "scalars", "streak", "streak_start", "solved_at")


def task_facts(task: Task) -> dict[str, Any]:
    """What a reader of the record wants to know of the task without having its code."""
    return {
        "sequence_length": task.sequence_length,
        "smallest_lag": task.smallest_lag,
        "largest_lag": task.largest_lag,
        "log10_sequences": log10_sequences(task),
        "chance": task.chance(),
        "landmarks": task.landmarks(),
        "criterion": task.criterion,
    }


def numbers(values: dict[str, torch.Tensor]) -> list[dict[str, float]]:
    """Tensors [runs] by name as one dict of numbers a run."""
    columns = fetched(values)
    size = max((len(column) for column in columns.values()), default=0)
    return [{name: column[run] for name, column in columns.items()} for run in range(size)]


def _frozen(value: Any) -> Any:
    """Lists and dicts as they are now; what stands in a list is never changed here, only followed by more."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value


def _plain(column: np.ndarray) -> Any:
    # Checkpoints hold tensors, numbers and text alone: they load without running code.
    return column.tolist() if column.dtype == object else torch.from_numpy(column)


def _array(column: Any) -> np.ndarray:
    return np.array(column, dtype=object) if isinstance(column, list) else column.numpy()
