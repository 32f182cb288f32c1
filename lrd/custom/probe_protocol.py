"""The protocol of probes, and the check of a probe against it, on small packs of two runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import torch

from lrd.cells import GRU, LSTM, RNN, Cell, readout_parameters
from lrd.custom.devices import check_device
from lrd.custom.protocol import Protocol, ProtocolError, called, named, place_of, type_of
from lrd.custom.sql_words import SQL_WORDS
from lrd.options import OptionError
from lrd.probes import PROBES, Columns, Probe, Subject
from lrd.shapes import Tensor
from lrd.tasks import Adding, Batch, Copy, Task

TYPES = ("BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN")
#: Names of tables that no probe fills, and of files of conf/probe that are no probes.
OTHER_TABLES = frozenset({"runs", "metrics", "gradient_norms", "custom", "none"})
#: Columns that records and their reader add to every table.
OTHER_COLUMNS = frozenset({"update", "run_id", "filename"})

#: Runs on which a probe is tried: those that fit it, the first two of them.
_TRIED: tuple[tuple[Task, Cell], ...] = (
    (Copy(gap=5, items=2), LSTM(hidden_size=4)),
    (Adding(gap=6), RNN(hidden_size=3)),
    (Copy(gap=5, items=2), RNN(hidden_size=3)),
    (Adding(gap=6), LSTM(hidden_size=4)),
    (Copy(gap=5, items=2), GRU(hidden_size=3)),
    (Adding(gap=6), GRU(hidden_size=3)),
)
#: Relative error, and absolute error as a share of a column's largest number, of sums in another order in float32.
_RELATIVE, _ABSOLUTE = 1e-3, 1e-5

_LINES = (
    "a dataclass(frozen=True) derived from lrd.probes.Probe; its options are lrd.options.option fields with defaults",
    "`name` is what its table is called: small letters, digits and _, neither a table of lrd's nor a word of SQL",
    "`columns` gives the type of each column by name, BIGINT, DOUBLE, VARCHAR or BOOLEAN; none is called update or"
    " run_id, which records add",
    "measure(subject) gives a table for each run of the pack, in its order, computed on the device of the subject; what"
    " a probe is not for it refuses with an OptionError in check(task) or check_cell(cell)",
    "a table has the columns that are declared and no others, each of one axis (tensor, array, list), all equally long",
    "the values of a column are of its type; a number that cannot be had is nan",
    "measure changes neither the parameters nor torch's random state",
    "measure gives the same rows for the same subject: random numbers come from a generator with a seed of its own",
    "a run's rows do not depend on its companions in the pack",
    "scalars(tables), where there are any, gives numbers by names that begin with the probe's",
)


def check_tables(kind: Any) -> None:
    """Hold a probe's class to the names and types of its tables and columns.

    Raises:
        ProtocolError: a name that the records cannot take, or a type that is no SQL type of theirs.
    """
    columns = getattr(kind, "columns", None)
    if not isinstance(columns, Mapping) or not columns:
        raise ProtocolError(3, "`columns` must give the type of each column, such as {'t': 'BIGINT', 'norm': 'DOUBLE'}")
    taken = {table for probe in PROBES.values() for table in probe.tables()} | OTHER_TABLES | set(PROBES)
    tables = called(2, "tables", kind.tables)
    if not isinstance(tables, Mapping):
        raise ProtocolError(2, f"tables must give a dict of columns by table, got {type_of(tables)}")
    for table, declared in tables.items():
        if not isinstance(declared, Mapping):
            raise ProtocolError(3, f"tables must give the columns of {table} as a dict, got {type_of(declared)}")
        if not isinstance(table, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", table):
            raise ProtocolError(2, f"`name` must be small letters, digits and _, a letter first, got {table!r}")
        if table in taken:
            raise ProtocolError(2, f"`name` must be none of lrd's tables, got {table!r}")
        if table in SQL_WORDS:
            raise ProtocolError(2, f"`name` must be no word of SQL, got {table!r}")
        for column, kind_of_column in declared.items():
            _check_column(column, kind_of_column)
        if len({column.lower() for column in declared}) < len(declared):
            raise ProtocolError(3, f"names of columns must differ by more than case, got {', '.join(declared)}")


def _check_column(name: Any, kind: Any) -> None:
    if not isinstance(name, str) or not name.isascii() or not name.isidentifier() or name.lower() in SQL_WORDS:
        raise ProtocolError(
            3, f"a column's name must be made of letters, digits and _, and be no word of SQL, got {name!r}"
        )
    if name.lower() in OTHER_COLUMNS:
        raise ProtocolError(3, f"a column cannot be called {name}, which records have of their own")
    if kind not in TYPES:
        raise ProtocolError(3, f"the type of {name} must be one of {', '.join(TYPES)}, got {kind!r}")


def check_probe(probe: Probe) -> list[str]:
    """Hold a probe to its protocol.

    Returns:
        Remarks, each one line: what is allowed and yet worth knowing.

    Raises:
        ProtocolError: for the first line of the protocol that the probe breaks.
    """
    subjects = list(_subjects(probe))[:2]
    if not subjects:
        return ["it fits neither copy nor adding of an LSTM, an RNN and a GRU: lines 4 to 10 were not tried"]
    remarks: list[str] = []
    for subject in subjects:
        remarks += called(4, "the check of measure", _check_subject, probe, subject)
    return list(dict.fromkeys(remarks))


def _subjects(probe: Probe) -> Iterator[Subject]:
    for task, cell in _TRIED:
        try:
            _ask(probe, task, cell)
        except OptionError:
            continue
        generator = torch.Generator().manual_seed(1)
        runs = []
        for _ in range(2):
            own = cell.parameters(task.input_size, generator)
            runs.append(own | readout_parameters(cell, task.output_size, generator, task.input_size))
        pack = {name: torch.stack([run[name] for run in runs]) for name in runs[0]}
        yield Subject.of(task, cell, pack, torch.tensor([3, 4]))


def _ask(probe: Probe, task: Task, cell: Cell) -> None:
    """Ask a probe whether it is for a task and a cell; it raises ``OptionError`` where it is not."""
    try:
        probe.check(task)
        probe.check_cell(cell)
    except OptionError:
        raise
    except (Exception, SystemExit) as error:  # whatever a stranger's code dies of
        raise ProtocolError(4, f"check raised {named(error)}{place_of(error)}") from error


def _check_subject(probe: Probe, subject: Subject) -> list[str]:
    where = f"with task={subject.task.name} cell={subject.cell.name}"
    params = {name: value.clone() for name, value in subject.params.items()}
    seeds, random = subject.seeds.clone(), torch.get_rng_state()
    measured = called(4, f"measure, {where},", probe.measure, subject)
    if not isinstance(measured, list) or len(measured) != len(subject.seeds):
        got = f"{len(measured)}" if isinstance(measured, list) else type_of(measured)
        raise ProtocolError(4, f"measure must give a list of {len(subject.seeds)} tables, one a run, got {got}")
    tables = called(4, f"measure, {where},", probe.tables_of, subject)
    for of_run in tables:
        _check_tables_of(probe, of_run)
    check_device(4, "measure", lambda: probe.tables_of(_on_meta(subject)), "the subject's", "write device=x.device")
    changed = [name for name, value in subject.params.items() if not torch.equal(value, params[name])]
    if changed or set(subject.params) != set(params) or not torch.equal(subject.seeds, seeds):
        raise ProtocolError(7, f"it wrote into {', '.join(changed) or 'the subject'}: make a new tensor instead")
    if not torch.equal(random, torch.get_rng_state()):
        raise ProtocolError(7, "it draws from torch's own random numbers, or seeds them: use a torch.Generator")
    if not _same(tables, called(8, f"measure, {where}, again,", probe.tables_of, subject)):
        raise ProtocolError(8, "the same subject gave other rows: draw with a torch.Generator that has a fixed seed")
    remarks: list[str] = called(9, "the check of companions", _check_companions, probe, subject, tables)
    called(10, "the check of scalars", _check_scalars, probe, tables[0])
    return remarks


def _check_tables_of(probe: Probe, tables: Any) -> None:
    expected = type(probe).tables()
    if not isinstance(tables, Mapping) or set(tables) != set(expected):
        raise ProtocolError(4, f"tables_of must give the tables {', '.join(expected)} of each run")
    for name, declared in expected.items():
        table = tables[name]
        missing, unknown = [c for c in declared if c not in table], [c for c in table if c not in declared]
        if missing or unknown:
            parts = [
                f"{word} {', '.join(names)}"
                for word, names in (("lacks", missing), ("has undeclared", unknown))
                if names
            ]
            raise ProtocolError(5, f"a table {' and '.join(parts)}")
        for column, values in table.items():
            if not isinstance(values, np.ndarray) or values.ndim != 1:
                axes = f"the shape {list(values.shape)}" if isinstance(values, np.ndarray) else type(values).__name__
                raise ProtocolError(5, f"the column {column} must have one axis, got {axes}")
        if len({len(values) for values in table.values()}) > 1:
            lengths = ", ".join(f"{column} {len(values)}" for column, values in table.items())
            raise ProtocolError(5, f"columns must be equally long, got {lengths}")
        for column, kind in declared.items():
            _check_values(column, table[column], kind)


def _check_values(column: str, values: np.ndarray, kind: str) -> None:
    if isinstance(values, np.ma.MaskedArray):
        raise ProtocolError(6, f"{column} must hold no masked values: write nan")
    allowed = {"BIGINT": "iu", "DOUBLE": "fiu", "BOOLEAN": "b"}
    is_text = values.dtype == object and all(isinstance(value, str) for value in values)
    if not len(values) or (is_text if kind == "VARCHAR" else values.dtype.kind in allowed[kind]):
        return
    got = (
        "texts"
        if is_text or values.dtype.kind in "UT"
        else "various objects"
        if values.dtype == object
        else str(values.dtype)
    )
    raise ProtocolError(6, f"{column} must hold {kind}, got {got}")


def _same(a: Sequence[Mapping[str, Columns]], b: Sequence[Mapping[str, Columns]]) -> bool:
    """Return whether all tables of all runs are equal bit by bit, nan taken for equal to nan."""
    return len(a) == len(b) and all(
        all(_equal(one[name][column], other[name][column]) for name in one for column in one[name])
        for one, other in zip(a, b, strict=True)
    )


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")


def _check_companions(probe: Probe, subject: Subject, tables: Sequence[Mapping[str, Columns]]) -> list[str]:
    exact = True
    for run in range(len(subject.seeds)):
        only = slice(run, run + 1)
        params = {name: value[only] for name, value in subject.params.items()}
        alone = called(
            9,
            "measure, of a run alone,",
            probe.tables_of,
            Subject(subject.task, subject.cell, params, subject.seeds[only]),
        )
        for name, table in tables[run].items():
            for column, values in table.items():
                if not _close(values, alone[0][name][column]):
                    _check_given(probe, subject)
                    raise ProtocolError(9, f"{column} of a run alone is another than of the same run in a pack")
                exact = exact and _equal(values, alone[0][name][column])
    if exact:
        return []
    return ["the last bits of a run's rows depend on its companions in the pack; measure run by run to avoid it"]


@dataclass(frozen=True)
class _Watched(Subject):
    """A subject that keeps what it gives, and a copy of each tensor as it was."""

    given: list[tuple[str, Tensor, Tensor]] = field(default_factory=list)

    def _keep(self, what: str, tensors: Mapping[str, Tensor]) -> None:
        self.given.extend((f"{what} {name}", value, value.clone()) for name, value in tensors.items())

    def sequences(self, samples: int, number: int = 0, dtype: torch.dtype = torch.float64) -> Batch:
        batch = super().sequences(samples, number, dtype)
        self._keep("the sequences'", {"inputs": batch.inputs, "targets": batch.targets})
        return batch

    def states(self, batch: Batch) -> dict[str, Tensor]:
        states = super().states(batch)
        self._keep("the states", states)
        return states


def _check_given(probe: Probe, subject: Subject) -> None:
    """Raise ``ProtocolError`` if a probe writes into what the subject gave it, so that runs change each other."""
    watched = _Watched(subject.task, subject.cell, subject.params, subject.seeds)
    called(9, "measure", probe.measure, watched)
    for what, value, before in watched.given:
        if not torch.equal(value, before):
            raise ProtocolError(7, f"it wrote into {what} that it was given: make a new tensor instead")


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape or a.dtype.kind != "f" or b.dtype.kind != "f":
        return _equal(a, b)
    finite = np.abs(a[np.isfinite(a)])
    return np.allclose(a, b, rtol=_RELATIVE, atol=_ABSOLUTE * (finite.max() if len(finite) else 0), equal_nan=True)


def _check_scalars(probe: Probe, tables: dict[str, Columns]) -> None:
    scalars = called(10, "scalars", probe.scalars, tables)
    if not isinstance(scalars, dict):
        raise ProtocolError(10, f"scalars must give a dict of numbers, got {type_of(scalars)}")
    for name, value in scalars.items():
        if not isinstance(name, str) or not re.fullmatch(rf"{probe.name}\w*", name, re.ASCII):
            raise ProtocolError(10, f"names of scalars must begin with {probe.name}, got {name!r}")
        if not isinstance(value, Real):
            raise ProtocolError(10, f"the scalar {name} must be a number, got {type_of(value)}: use float(...)")


def _on_meta(subject: Subject) -> Subject:
    params = {name: value.to("meta") for name, value in subject.params.items()}
    return Subject(subject.task, subject.cell, params, subject.seeds.to("meta"))


PROBE_PROTOCOL = Protocol(Probe, PROBES, _LINES, check_probe, check_tables)
