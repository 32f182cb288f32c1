"""The protocol of probes, and the check of a probe against it, on small packs of two runs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np
import torch

from lrd.cells import GRU, LSTM, RNN, Cell, network_parameters, readout_parameters
from lrd.custom.devices import check_device
from lrd.custom.protocol import Protocol, ProtocolError, called, named, place_of, type_of
from lrd.custom.table_protocol import check_table, check_tables, check_tables_of
from lrd.options import OptionError
from lrd.probes import PROBES, Columns, Probe, Subject
from lrd.probes.arrays import as_arrays
from lrd.shapes import Tensor
from lrd.tasks import Adding, Batch, Copy, Task

#: Runs on which a probe is tried: those that fit it, the first two of them, and the first that fits with more layers.
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
    "of a network of several layers measure gets one part at a time: its cell reads subject.driven(batch.inputs), and"
    " its states are subject.states(batch); with `of_network = True` it gets the whole, and the readout sees"
    " subject.h(batch.inputs)",
)


def check_probe(probe: Probe) -> list[str]:
    """Hold a probe to its protocol.

    Returns:
        Remarks, each one line: what is allowed and yet worth knowing.

    Raises:
        ProtocolError: for the first line of the protocol that the probe breaks.
    """
    subjects = list(itertools.islice(_subjects(probe, _TRIED), 2))
    if not subjects:
        return ["it fits neither copy nor adding of an LSTM, an RNN and a GRU: lines 4 to 11 were not tried"]
    both = ((task, replace(cell, layers=2, bidirectional=True)) for task, cell in _TRIED)
    remarks: list[str] = []
    for subject in (*subjects, *itertools.islice(_subjects(probe, both), 1)):
        remarks += called(4, "the check of measure", _check_subject, probe, subject)
    return list(dict.fromkeys(remarks))


def _subjects(probe: Probe, tried: Iterable[tuple[Task, Cell]]) -> Iterator[Subject]:
    for task, cell in tried:
        try:
            _ask(probe, task, cell)
        except OptionError:
            continue
        generator = torch.Generator().manual_seed(1)
        runs = []
        for _ in range(2):
            layers = network_parameters(cell, task.input_size, generator)
            runs.append(layers | readout_parameters(cell, task.output_size, generator, task.input_size))
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
    where = _where(subject)
    params = {name: value.clone() for name, value in subject.params.items()}
    seeds, random = subject.seeds.clone(), torch.get_rng_state()
    own_tables = type(probe).tables_of is not Probe.tables_of
    for part in [subject] if own_tables or probe.of_network else subject.parts():
        _check_measured(probe, part, own_tables)
    tables = called(4, f"measure, {where},", probe.tables_of, subject)
    for of_run in tables:
        check_tables_of(probe, of_run)
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


def _where(subject: Subject) -> str:
    network = subject.network
    place = "" if subject.whole is None else f", of layer {subject.part.layer} {subject.part.direction}"
    layers = f" cell.layers={network.cell.layers} cell.bidirectional=true" if network.cell.bidirectional else ""
    return f"with task={network.task.name} cell={network.cell.name}{layers}{place}"


def _check_measured(probe: Probe, part: Subject, own_tables: bool) -> None:
    """Hold what ``measure`` gives for one part to the protocol; what it is of a probe's ``own_tables`` that says."""
    what = f"measure, {_where(part)},"
    try:
        measured = called(4, what, probe.measure, part)
    except ProtocolError as error:
        if part.network.cell.layers == 1:  # where it was tried before
            raise
        seen = "the readout sees subject.h" if probe.of_network else "its cell reads subject.driven"
        way_out = f"{seen}(batch.inputs)"
        raise ProtocolError(11, f"{error}; {way_out}") from error
    if not isinstance(measured, list) or len(measured) != len(part.seeds):
        got = f"{len(measured)}" if isinstance(measured, list) else type_of(measured)
        raise ProtocolError(4, f"measure must give a list of {len(part.seeds)} tables, one a run, got {got}")
    for table in [] if own_tables else measured:
        check_table(called(4, what, as_arrays, table, probe.columns), probe.columns)


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
        only = subject.of_runs(slice(run, run + 1))
        alone = called(9, "measure, of a run alone,", probe.tables_of, only)
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

    def driven(self, inputs: Tensor) -> Tensor:
        read = super().driven(inputs)
        self._keep("what the cell reads,", {"subject.driven(...)": read})
        return read


def _check_given(probe: Probe, subject: Subject) -> None:
    """Raise ``ProtocolError`` if a probe writes into what the subject gave it, so that runs change each other."""
    watched = _Watched(subject.task, subject.cell, subject.params, subject.seeds)
    called(9, "measure", probe.tables_of, watched)
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
    return replace(subject, params=params, seeds=subject.seeds.to("meta"))


PROBE_PROTOCOL = Protocol(Probe, PROBES, _LINES, check_probe, check_tables)
