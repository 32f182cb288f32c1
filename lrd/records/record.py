"""The record of one run: the folder ``<root>/<study>/<run id>/``, written and read back.

``lrd.records.schema`` describes every file and column. A record can be read safely at any moment because of the order
in which it is written: run.json first, status.json as training goes on, each table as a whole, summary.json last.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.records import schema
from lrd.records.checkpoint import checkpoint_update, load_checkpoint, save_checkpoint
from lrd.records.checksums import sum_of, sums_of
from lrd.records.code_seal import seal
from lrd.records.environment import environment
from lrd.records.files import TEMPORARY, RecordError, read_json, storage_error, utf8_path, write_json
from lrd.records.process import this_process
from lrd.records.run_files import read_object, state_of
from lrd.records.tables import read_table, with_parts, write_table
from lrd.records.type_checks import column_fits

if TYPE_CHECKING:
    import numpy as np

    Columns = Mapping[str, np.ndarray | Sequence[Any]]


class RunRecord:
    """The folder of one run. Every method raises ``RecordError`` for what cannot be written or read."""

    def __init__(self, root: str | Path, study: str, run_id: str) -> None:
        self.study = study
        self.run_id = run_id
        self.path = Path(root) / study / run_id

    def create(self, run: Mapping[str, Any], device: str = "cpu") -> None:
        """Begin the run, or resume it: make its folder, write run.json and environment.json.

        Metrics and checkpoint of an earlier, unfinished attempt stay. Environments of earlier attempts that differ are
        kept in environment.json under ``earlier``.

        Args:
            run: ``spec`` (nested options), ``task`` (facts of the task), ``parameters`` (their number), and what else
                run.json keeps (``lrd.records.schema.documents``).
            device: torch device that trains the run.

        Raises:
            RecordError: the folder cannot be made, or the run is finished.
        """
        if self.finished:
            raise RecordError(f"{self.path} holds a finished run; remove the folder to train it again")
        utf8_path(self.path)  # raises where no table could be written
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for left_over in self.path.glob(f".*{TEMPORARY}"):  # of a writer that was killed
                left_over.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(self.path, error.errno, error) from error
        head = {"schema": schema.SCHEMA_VERSION, "run_id": self.run_id, "study": self.study}
        write_json(self.path / schema.RUN, {**head, **run, **seal(run)})
        self._write_environment(environment(device))

    def describe(self, asides: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Write new values of options that do not change the run's results, such as a label, into run.json.

        A run.json that cannot be read is left alone: the reader of the study reports it.

        Args:
            asides: the values by group and option.

        Returns:
            The dotted names of the options whose values changed.

        Raises:
            RecordError: the system refuses.
        """
        try:
            run = self.read_run()
            spec = run["spec"]
            others = [
                (group, name)
                for group in asides
                for name in asides[group]
                if spec[group].get(name) != asides[group][name]
            ]
        except (RecordError, AttributeError, KeyError, TypeError):
            return []
        for group, name in others:
            spec[group][name] = asides[group][name]
        if others:
            write_json(self.path / schema.RUN, run)
        return [f"{group}.{name}" for group, name in others]

    def _write_environment(self, now: dict[str, Any]) -> None:
        try:
            before = read_json(self.path / schema.ENVIRONMENT)
            earlier = before.pop("earlier", [])
        except (FileNotFoundError, RecordError, AttributeError):
            before, earlier = now, []
        if before != now:
            earlier.append(before)
        write_json(self.path / schema.ENVIRONMENT, {**now, "earlier": earlier} if earlier else now)

    def status(self, state: str, *, update: int, max_updates: int, message: str = "", **more: Any) -> None:
        """Write status.json: the state of the run, and that this process trains it.

        Args:
            state: one of ``schema.STATES``.
            update: updates done.
            max_updates: updates at which training ends.
            message: why the run failed.
            more: ``seconds`` of training so far, how the run is trained (``schema.HOW``), ``crc32`` of a finished run.
        """
        if state not in schema.STATES:
            raise ValueError(f"state must be one of {', '.join(schema.STATES)}, got {state!r}")
        content = {
            "state": state,
            "update": update,
            "max_updates": max_updates,
            "message": message,
            "time": time.time(),
            **more,
            **this_process(),
        }
        write_json(self.path / schema.STATUS, content)

    def metrics(self, columns: Columns) -> None:
        """Write the whole of metrics.parquet: ``update``, and any further columns as DOUBLE.

        A metric that is not a number is nan; one that was not measured at an update is NULL (masked, or None).
        """
        _check("metrics", columns, schema.METRICS_COLUMNS, others=True)
        types = {name: schema.METRICS_COLUMNS.get(name, schema.REAL) for name in columns}
        write_table(self.path / schema.METRICS, columns, types)

    def write_table(self, name: str, columns: Columns, types: Mapping[str, str] | None = None) -> None:
        """Write the whole of ``<name>.parquet``: all measurements of a probe.

        Args:
            name: name of the table.
            columns: every column of the table, ``update`` among them.
            types: SQL type of each column but ``update``; may be left out for a table of ``schema.TABLES``.

        Raises:
            ValueError: a column is missing or unknown.
            RecordError: the system refuses.
        """
        types = {"update": schema.INTEGER, **(schema.TABLES[name][0] if types is None else types)}
        _check(name, columns, types)
        write_table(self.path / f"{name}.parquet", columns, types)

    def remove_table(self, name: str) -> None:
        """Remove a table of an earlier, unfinished attempt, if there is one."""
        path = self.path / f"{name}.parquet"
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(path, error.errno, error) from error

    def merge_measurement(
        self, name: str, update: int, columns: Columns, types: Mapping[str, str], fresh: bool = False
    ) -> None:
        """Put the rows of one measurement into a table, in the place of rows at the same update.

        Args:
            name: name of the table.
            update: update of the measurement.
            columns: the rows, without ``update``.
            types: SQL type of each of these columns.
            fresh: whether none of the rows that are there stay, as where an earlier text of the probe measured them.
                Rows with other columns never stay, but for those of before tables said layer and direction.
        """
        import numpy as np

        new = {"update": np.full(len(next(iter(columns.values()))), update), **columns}
        if not fresh and (before := with_parts(self.read_table(name), new)).keys() == new.keys():
            kept = before["update"] != update
            order = np.argsort(np.concatenate([before["update"][kept], new["update"]]), kind="stable")
            joined = {column: [before[column][kept], values] for column, values in new.items()}
            new = {column: np.ma.concatenate(parts)[order] for column, parts in joined.items()}  # type: ignore[no-untyped-call]
        # Without a checksum while the table is replaced: a kill in between must not make the new one look damaged.
        self._keep_sum(f"{name}.parquet", None)
        self.write_table(name, new, types)
        self._keep_sum(f"{name}.parquet", sum_of(self.path / f"{name}.parquet"))

    def _keep_sum(self, name: str, crc32: int | None) -> None:
        """Replace the checksum that a finished run keeps of a table; None removes it."""
        status = self.read_status()
        if status is not None and isinstance(kept := status.get("crc32"), dict):
            kept = {table: value for table, value in kept.items() if table != name}
            status["crc32"] = kept if crc32 is None else kept | {name: crc32}
            write_json(self.path / schema.STATUS, status)

    def note_measurement(self, probe: str, update: int, options: Mapping[str, Any]) -> None:
        """Keep in looks.json with which options a probe measured after training.

        Entries of the same probe by another text of its class are dropped.
        """
        kept = {
            key: given
            for key, given in self.read_measurements().items()
            if not key.startswith(f"{probe}@") or class_of(given) == class_of(options)
        }
        write_json(self.path / schema.MEASUREMENTS, kept | {f"{probe}@{update}": dict(options)})

    def read_measurements(self) -> dict[str, Any]:
        """Return the options of measurements after training, by ``probe@update``; {} where there are none."""
        return self._read_object(schema.MEASUREMENTS) or {}

    def read_metrics(self) -> dict[str, np.ndarray]:
        """Return the columns that ``metrics`` wrote last; {} where there are none."""
        return self._read(schema.METRICS)

    def read_table(self, name: str) -> dict[str, np.ndarray]:
        """Return the columns of a table as they were written last; {} where there are none."""
        return self._read(f"{name}.parquet")

    def _read(self, name: str) -> dict[str, np.ndarray]:
        try:
            columns = read_table(self.path / name)
        except FileNotFoundError:
            return {}
        declared, others = schema.TABLES.get(Path(name).stem, ({}, None))
        kinds = {"i": schema.INTEGER, "f": schema.REAL, "b": schema.BOOLEAN}
        for column, values in columns.items():
            kind, expected = kinds.get(values.dtype.kind, schema.TEXT), declared.get(column, others)
            if expected and not column_fits(kind, expected):
                raise RecordError(f"cannot read {self.path / name}: it is damaged ({column} is {kind}, not {expected})")
        return columns

    def save_checkpoint(self, content: dict[str, Any]) -> None:
        """Write checkpoint.pt (``lrd.records.checkpoint``)."""
        save_checkpoint(self.path / schema.CHECKPOINT, content)

    def load_checkpoint(self) -> dict[str, Any] | None:
        """Return what ``save_checkpoint`` wrote last, with tensors on the CPU; None where there is no checkpoint."""
        return load_checkpoint(self.path / schema.CHECKPOINT)

    def checkpoint_update(self) -> int | None:
        """Return the update of checkpoint.pt without loading it; None where there is none.

        Raises:
            RecordError: the file is cut off, damaged or of another schema version.
        """
        return checkpoint_update(self.path / schema.CHECKPOINT)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Finish the run: write status.json and then, last of all, summary.json.

        Args:
            summary: ``outcome``, ``update``, and whatever else is one number a run: solved_at, test_loss, ...
        """
        if summary.get("outcome") not in schema.OUTCOMES:
            raise ValueError(f"outcome must be one of {', '.join(schema.OUTCOMES)}, got {summary.get('outcome')!r}")
        try:
            last = self.read_status() or {}
        except RecordError:  # a damaged status is about to be replaced, and no reason to lose a result
            last = {}
        update = int(summary["update"])
        maximum = int(last.get("max_updates", update))
        how = {name: last[name] for name in schema.HOW if name in last}
        self.status("finished", update=update, max_updates=maximum, crc32=sums_of(self.path), **how)
        write_json(self.path / schema.SUMMARY, dict(summary))

    def read_run(self) -> dict[str, Any]:
        """Return the content of run.json; raise ``RecordError`` where there is none."""
        found = self._read_object(schema.RUN)
        if found is None:
            raise RecordError(f"{self.path} holds no run")
        return found

    def read_status(self) -> dict[str, Any] | None:
        """Return the content of status.json; None where there is none."""
        return self._read_object(schema.STATUS)

    def read_summary(self) -> dict[str, Any] | None:
        """Return the content of summary.json; None where there is none, since the run is not finished."""
        return self._read_object(schema.SUMMARY)

    def _read_object(self, name: str) -> dict[str, Any] | None:
        try:
            return read_object(self.path / name)
        except FileNotFoundError:
            return None

    @property
    def finished(self) -> bool:
        """Whether the run is finished: solved, unsolved or diverged."""
        return (self.path / schema.SUMMARY).exists()

    @property
    def state(self) -> str | None:
        """One of ``schema.STATES``; None where no run was ever begun."""
        if not (self.path / schema.RUN).exists():
            return None
        return state_of(self.read_status(), self.finished)


def class_of(options: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the digest of the text and the class that looks.json names for a measurement; None for lrd's own."""
    return options.get("code"), options.get("class")


def _check(what: str, columns: Columns, required: Mapping[str, str], others: bool = False) -> None:
    missing = [name for name in required if name not in columns]
    unknown = [] if others else [name for name in columns if name not in required]
    if missing or unknown:
        parts = [f"{word} {', '.join(names)}" for word, names in (("missing", missing), ("unknown", unknown)) if names]
        raise ValueError(f"columns of {what}: {'; '.join(parts)}")
