"""Every probe on networks of several parts: rows of each, companions, and the first layer as a cell alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from cases import Noise
from plain_networks import BOTH, NETWORKS, SEEDS, network_of, parts
from test_recurrent_cells import SMALL

from lrd.cells import one_layer, placed
from lrd.options import option
from lrd.probes import PROBES, Probe, Subject
from lrd.scalars import Columns
from lrd.tasks import Adding, Batch, Copy, Stream, Task

TASKS: dict[str, Task] = {
    "copy": Copy(gap=4, items=2, symbols=3),
    "adding": Adding(gap=12, convention="pascanu2013"),  # of several lengths
}
#: Those whose numbers of the first layer do not depend on the layers above it.
OF_STATES = ("jacobian", "lyapunov", "gates", "retention", "memory_capacity")


def small(probe: str) -> Probe:
    return PROBES[probe](**SMALL[probe])


def assert_equal(mine: Columns, theirs: Columns) -> None:
    assert list(mine) == list(theirs)
    for name, column in mine.items():
        assert column.dtype == theirs[name].dtype
        np.testing.assert_array_equal(column, theirs[name], err_msg=name)


def rows_of(table: Columns, layer: int, direction: str) -> Columns:
    mine = (table["layer"] == layer) & (table["direction"] == direction)
    return {name: column[mine] for name, column in table.items()}


@pytest.mark.slow_but(4)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("probe", SMALL)
@pytest.mark.parametrize("name", NETWORKS)
def test_companions_do_not_matter_and_nothing_is_changed(name: str, probe: str, task: str) -> None:
    subject, measurement = network_of(TASKS[task], NETWORKS[name]), small(probe)
    kept = {key: value.clone() for key, value in subject.params.items()}
    tables = measurement.tables_of(subject)
    assert len(tables) == len(SEEDS)
    for run, of_run in enumerate(tables):
        (alone,) = measurement.tables_of(subject.of_runs(slice(run, run + 1)))
        for table, columns in of_run.items():
            assert_equal(columns, alone[table])
            assert list(columns) == list(type(measurement).tables()[table])
            of = {part: len(rows_of(columns, *part)["layer"]) for part in parts(NETWORKS[name])}
            assert sum(of.values()) == len(columns["layer"])
            assert probe == "gates" or all(of.values())
    assert all(torch.equal(kept[key], value) for key, value in subject.params.items())


def first_alone(subject: Subject) -> Subject:
    """The first part as a cell alone, made from the bare names of the parameters."""
    params = {name: value for name, value in subject.params.items() if "[" not in name}
    return Subject(subject.task, one_layer(subject.cell), params, subject.seeds)


@pytest.mark.slow_but(3)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("probe", OF_STATES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_first_layer_is_a_cell_alone(name: str, probe: str, task: str) -> None:
    """Bit for bit; in a bidirectional network nothing runs free, and gates go on after the answer."""
    subject, measurement = network_of(TASKS[task], NETWORKS[name]), small(probe)
    alone = measurement.tables_of(first_alone(subject))
    for of_network, of_cell in zip(measurement.tables_of(subject), alone, strict=True):
        mine, theirs = rows_of(of_network[probe], 1, "forward"), of_cell[probe]
        if name in BOTH:
            kept = np.full(len(theirs["layer"]), True)
            if probe == "lyapunov":
                kept = theirs["mode"] == "driven"
                assert set(mine["mode"]) == {"driven"}
            if probe == "gates" and len(mine["lag"]):
                before = mine["lag"] >= 0
                assert (mine["quantity"][~before] == "gate").all()
                mine = {column: values[before] for column, values in mine.items()}
            theirs = {column: values[kept] for column, values in theirs.items()}
        assert_equal(mine, theirs)


@dataclass(frozen=True)
class Turned(Noise):
    """White noise, or the same noise from its last step to its first."""

    gap: int = option(13, "the only lag: a sequence is as long as what Lyapunov exponents are measured along here")
    features: int = option(2, "features of x_t")
    turn: bool = option(False, "whether to turn it round")

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        batch = super().draw(stream, batch_size)
        return Batch(batch.inputs.flip(0), batch.targets) if self.turn else batch


@pytest.mark.parametrize("probe", ["jacobian", "lyapunov"])
@pytest.mark.parametrize("name", BOTH)
def test_a_cell_that_reads_backward_is_one_that_reads_the_sequence_turned_round(name: str, probe: str) -> None:
    subject, measurement = network_of(Turned(), replace(BOTH[name], layers=1)), small(probe)
    backward = {own: value for key, value in subject.params.items() for part, own in [placed(key)] if part.is_backward}
    alone = Subject(Turned(turn=True), one_layer(subject.cell), backward, subject.seeds)
    for of_network, of_cell in zip(measurement.tables_of(subject), measurement.tables_of(alone), strict=True):
        mine, theirs = rows_of(of_network[probe], 1, "backward"), of_cell[probe]
        if probe == "lyapunov":
            theirs = {column: values[theirs["mode"] == "driven"] for column, values in theirs.items()}
        assert (mine.pop("direction") == "backward").all()
        assert (theirs.pop("direction") == "forward").all()
        assert_equal(mine, theirs)


@pytest.mark.parametrize("probe", SMALL)
@pytest.mark.parametrize("name", ["lstm-2", "lstm-both-2"])
def test_scalars_are_those_of_the_last_layer_forward(name: str, probe: str) -> None:
    measurement = small(probe)
    for tables in measurement.tables_of(network_of(TASKS["copy"], NETWORKS[name])):
        last = {table: rows_of(columns, 2, "forward") for table, columns in tables.items()}
        scalars = measurement.scalars(tables)
        assert scalars == measurement.scalars(last)
        assert bool(scalars) == (probe not in ("parameter_gradient", "memory_capacity"))
        assert all(np.isfinite(value) for value in scalars.values())
