"""The history of a run while it trains: metrics, measurements and outcome, on their way to its record.

The whole history lives in memory (some hundred kilobytes a run at 100 steps) and is written as whole files, so that a
reader never sees half of one and a run that goes on from its checkpoint rewrites the same bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lrd.probes import Columns, Probe
from lrd.records import ImmediateWriter, RunRecord, Tracker, Writer, hardware
from lrd.records.mirror_content import PICTURED, logged_updates, profiles_of, scalars_of, values_at_gaps
from lrd.records.schema import GENERALISATION_COLUMNS, GRADIENT_NORMS_COLUMNS
from lrd.records.tables import with_parts
from lrd.spec import RunSpec
from lrd.tasks import Task
from lrd.training.cost import Cost
from lrd.training.fetch import fetched
from lrd.training.overlap import log10_sequences, overlap

Rows = list[dict[str, Any]]


class Journal:
    """The history of one run, which writes it to its record and to the mirror (``Tracker``).

    Attributes:
        metrics: A row for every evaluation.
        tables: By name of a probe's table, its columns of each measurement so far.
        measured_at: By name of a probe, the update of its last measurement.
        scalars: The scalars of the first and of the last measurements, under ``start`` and ``end``.
        streak: How many evaluations in a row have met the task's criterion.
        streak_start: The update of the first of them.
        solved_at: The update at which the run was solved; None: it is not.
        cost: The account of its time.
    """

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
        """Begin the record of a run.

        Args:
            spec: The run.
            record: Its folder.
            tracker: The mirror of its record.
            parameters: The number of its parameters, cell and readout.
            device: Where it is trained, by torch's name.
            kernel: The name of the kernel of its updates.
            writer: What writes its files, but for the first one; default: at once.
        """
        self.spec, self.record, self.tracker, self.writer = spec, record, tracker, writer or ImmediateWriter()
        self.metrics: Rows = []
        self.tables: dict[str, list[Columns]] = {}
        self.measured_at: dict[str, int] = {}
        self.scalars: dict[str, dict[str, float]] = {"start": {}, "end": {}}
        self.streak_start: int | None = None
        self.streak = 0
        self.solved_at: int | None = None
        self.cost = Cost(kernel, hardware(device))
        what = {"spec": spec.to_dict(), "task": task_facts(spec.task), "parameters": parameters}
        if spec.sources:
            what["sources"] = spec.sources
        record.create({**what, "tracker": dict(tracker.settings)}, device)
        tracker.start(record.run_id, record.study, spec.to_dict(), record.run_id)

    def add_metrics(self, update: int, row: dict[str, float], solved: bool) -> None:
        """Add a row of metrics, and count how long the run has been solved.

        Args:
            update: The update at which the run was evaluated.
            row: The metrics by name.
            solved: Whether they meet the task's criterion.
        """
        self.metrics.append({"update": update} | row)
        self.tracker.log(self.record.run_id, update, row)
        self.streak = self.streak + 1 if solved else 0
        if self.streak == 1:
            self.streak_start = update
        if self.streak >= self.spec.training.solved_evals and self.solved_at is None:
            self.solved_at = self.streak_start

    def add_measurement(self, update: int, probe: Probe, tables: dict[str, Columns]) -> None:
        """Add what a probe measured of this run.

        Args:
            update: The update at which it measured.
            probe: The probe.
            tables: Its columns, by table.
        """
        for name, columns in tables.items():
            size = len(next(iter(columns.values())))
            self.tables.setdefault(name, []).append({"update": np.full(size, update)} | columns)
        scalars = probe.scalars(tables)
        self.scalars["start"] = scalars | self.scalars["start"]
        self.scalars["end"] |= scalars
        self.measured_at[probe.name] = update
        if scalars:
            self.tracker.log(self.record.run_id, update, scalars)
        if probe.name == "gradient_flow":
            self._show(update, "gradient_flow")

    def add_norms(self, update: int, columns: Columns) -> None:
        """Add the training gradient norms of the updates up to this one; {} where there are none."""
        if columns:
            size = len(columns["t"])
            self.tables.setdefault("gradient_norms", []).append({"update": np.full(size, update)} | columns)
            self._show(update, "gradient_norms")

    def add_generalisation(self, update: int, tables: dict[str, Columns]) -> None:
        """Add the tests beyond the trained gap, which are done once, at the last update; {} where there are none."""
        for name, columns in tables.items():  # not to follow rows of a run that was cut off between these and its end
            size = len(columns["tested_gap"])
            self.tables[name] = [{"update": np.full(size, update)} | columns]

    def _show(self, update: int, table: str) -> None:
        """Show the mirror the last measurement of a table of ``PICTURED``."""
        self.tracker.profiles(self.record.run_id, update, profiles_of(table, self.tables[table][-1]))

    def write(self, state: str, update: int, message: str = "") -> None:
        """Write tables and status as they stand now.

        Args:
            state: The state of the run, running or interrupted.
            update: How many updates it has had.
            message: Anything that a reader should know.
        """
        metrics, tables = list(self.metrics), _frozen(self.tables)
        self.writer.put(lambda: self._write_tables(metrics, tables))
        self.status(state, update, message)

    def _write_tables(self, metrics: Rows, tables: dict[str, list[Columns]]) -> None:
        kinds = self._kinds()
        if "gradient_norms" not in tables:  # an earlier attempt, by another kernel, may have left some
            self.record.remove_table("gradient_norms")
        for name, parts in tables.items():
            columns = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
            self.record.write_table(name, columns, kinds[name])
        if metrics:  # last: what others hold at the updates that stand in it is then complete
            names = {name: None for row in metrics for name in row}  # update 0 has no training averages
            self.record.metrics({name: [row.get(name) for row in metrics] for name in names})

    def _kinds(self) -> dict[str, dict[str, str]]:
        """Return the SQL types of the columns of each table."""
        kinds = {name: kind for probe in self.spec.probes for name, kind in probe.tables().items()}
        return kinds | {"gradient_norms": GRADIENT_NORMS_COLUMNS, **GENERALISATION_COLUMNS}

    def status(self, state: str, update: int, message: str = "") -> None:
        """Write where this run stands (status.json); arguments as of ``write``."""
        most, how = self.spec.training.max_updates, self.cost.for_status()
        self.writer.put(lambda: self.record.status(state, update=update, max_updates=most, message=message, **how))

    def finish(self, update: int, diverged_at: int, test: dict[str, float]) -> None:
        """Write everything, with the outcome.

        Once it is on disk, the tracker logs the summary, and the results of the writer (``Writer.take_results``) hold
        it with the run's id.

        Args:
            update: The run's last update.
            diverged_at: The update at which it diverged; below 0: it did not.
            test: Its metrics on the test set.
        """
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

        at_gaps = values_at_gaps(next(iter(self.tables.get("generalisation", [])), {}))

        def finished() -> dict[str, Any]:
            self.tracker.finish(self.record.run_id, summary | at_gaps)
            return {"run_id": self.record.run_id, **summary}

        self.writer.put(lambda: self.record.finish(summary), finished)

    def checkpoint(self, pack_state: dict[str, object]) -> None:
        """Write all that this run needs to go on; ``pack_state``: its part of ``Pack.snapshot``."""
        tables = _frozen(self.tables)
        own = {key: _frozen(getattr(self, name)) for key, name in _KEPT.items()}
        own |= {"cost": _frozen(self.cost.for_checkpoint())}

        def save() -> None:
            plain = {
                name: [{column: _plain(values) for column, values in part.items()} for part in parts]
                for name, parts in tables.items()
            }
            self.record.save_checkpoint({"pack": pack_state, "journal": own | {"looks": plain}})

        self.writer.put(save)

    def resume(self, kept: dict[str, Any], update: int) -> None:
        """Go on from what ``checkpoint`` wrote under ``journal`` at an update."""
        for key, name in _KEPT.items():
            setattr(self, name, kept[key])
        self.cost.resume(kept.get("cost", kept), update)  # one of before ``cost`` has its seconds beside the others
        kinds = self._kinds()
        self.tables = {
            name: [
                with_parts({column: _array(values) for column, values in part.items()}, kinds.get(name, ()))
                for part in parts
            ]
            for name, parts in kept["looks"].items()
        }
        scalars = scalars_of(lambda name: self.tables.get(name, []))
        pictured = {table: self.tables.get(table, []) for table in PICTURED}
        self.tracker.resume(self.record.run_id, logged_updates(self.metrics, scalars, pictured))


#: Keys of a checkpoint, and the attributes that are kept under them.
_KEPT = {
    "metrics": "metrics",
    "looked": "measured_at",
    "scalars": "scalars",
    "streak": "streak",
    "streak_start": "streak_start",
    "solved_at": "solved_at",
}


def task_facts(task: Task) -> dict[str, Any]:
    """Return what a reader of the record wants to know of the task without having its code."""
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
    """Return one dict of numbers a run, from tensors [runs] by name."""
    columns = fetched(values)
    size = max((len(column) for column in columns.values()), default=0)
    return [{name: column[run] for name, column in columns.items()} for run in range(size)]


def _frozen(value: Any) -> Any:
    """Return lists and dicts as they are now; what stands in a list is never changed here, only followed by more."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value


def _plain(column: np.ndarray) -> Any:
    # Checkpoints hold tensors, numbers and text alone: they load without running code.
    return column.tolist() if column.dtype == object else torch.from_numpy(column)


def _array(column: Any) -> np.ndarray:
    return np.array(column, dtype=object) if isinstance(column, list) else column.numpy()
