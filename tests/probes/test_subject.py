"""The subject of probes: the parts of a network, what they read, and what torch's own modules make of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from plain_networks import NETWORKS, SEEDS, double, in_time, network_of, parts, plain

from lrd.cells import GRU, LSTM, RNN, Cell, Part
from lrd.probes import Probe, Subject
from lrd.shapes import Tensor
from lrd.tasks import Adding, Copy

TASK = Copy(gap=4, items=2, symbols=3)


def torchs(cell: Cell, p: dict[str, Tensor], inputs: int) -> torch.nn.RNNBase:
    """torch's own module of the same layers and directions, with the parameters of one run."""
    kind = {RNN: torch.nn.RNN, LSTM: torch.nn.LSTM, GRU: torch.nn.GRU}[type(cell)]
    module = kind(inputs, cell.hidden_size, cell.layers, bidirectional=cell.bidirectional).double()
    with torch.no_grad():
        for layer, direction in parts(cell):
            end = "" if (layer, direction) == (1, "forward") else f"[{layer}{',backward' * (direction != 'forward')}]"
            its = f"l{layer - 1}{'_reverse' if direction == 'backward' else ''}"
            getattr(module, f"weight_ih_{its}").copy_(p[f"U{end}"])
            getattr(module, f"weight_hh_{its}").copy_(p[f"W{end}"])
            getattr(module, f"bias_ih_{its}").copy_(p[f"b{end}"])
            recurrent = getattr(module, f"bias_hh_{its}").zero_()
            if isinstance(cell, GRU):
                recurrent[2 * cell.hidden_size :] = p[f"d{end}"]
    return module


@pytest.mark.parametrize("name", NETWORKS)
def test_what_the_readout_sees_is_that_of_torchs_own_modules(name: str) -> None:
    subject = network_of(TASK, NETWORKS[name])
    inputs = subject.sequences(3).inputs
    h = subject.h(inputs)
    for run in range(len(SEEDS)):
        expected, _ = torchs(NETWORKS[name], double(subject, run), TASK.input_size)(inputs[:, run])
        torch.testing.assert_close(h[:, run], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_each_part_reads_the_layer_below_in_its_own_direction(name: str) -> None:
    cell = NETWORKS[name]
    subject = network_of(TASK, cell)
    batch = subject.sequences(3)
    found = subject.parts()
    assert [part.part for part in found] == [Part(*part) for part in parts(cell)]
    for run in range(len(SEEDS)):
        expected = plain(subject, run, batch.inputs)
        for part in found:
            along = expected[tuple(part.part)]
            torch.testing.assert_close(part.driven(batch.inputs)[:, run], along.read, rtol=0, atol=1e-12)
            for v, states in enumerate(part.states(batch).values()):
                torch.testing.assert_close(states[:, run], along.of(part.part.direction, v), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_part_knows_its_network(name: str) -> None:
    subject = network_of(TASK, NETWORKS[name])
    inputs = subject.sequences(2).inputs
    assert subject.network is subject
    for part in subject.parts():
        assert part.network is subject
        assert torch.equal(part.h(inputs), subject.h(inputs))
        (second,) = (part.of_runs(slice(1, 2)),)
        assert torch.equal(second.driven(inputs[:, 1:]), part.driven(inputs)[:, 1:])
        assert second.network.seeds.tolist() == SEEDS[1:].tolist()


def test_a_network_of_one_part_is_its_part() -> None:
    subject = network_of(TASK, LSTM(hidden_size=3))
    (part,) = subject.parts()
    inputs = subject.sequences(2).inputs
    assert part is subject
    assert part.driven(inputs) is inputs


@dataclass(frozen=True)
class Sizes(Probe):
    """How many numbers a part reads at a step, and what it is the first time of all that it reads."""

    name: ClassVar[str] = "sizes"
    columns: ClassVar[dict[str, str]] = {"inputs": "BIGINT", "first": "DOUBLE"}

    def measure(self, subject: Subject) -> list[dict[str, Tensor]]:
        read = subject.driven(subject.sequences(self.samples).inputs)
        return [{"inputs": [read.shape[-1]], "first": read[0, run, 0, :1]} for run in range(len(subject.seeds))]


class SizesOfAll(Sizes):
    of_network = True


@pytest.mark.parametrize("name", NETWORKS)
def test_tables_say_of_which_part_a_row_is_unless_they_are_of_the_whole(name: str) -> None:
    task, cell = Adding(gap=5), NETWORKS[name]
    subject = network_of(task, cell)
    inputs = subject.sequences(2).inputs
    tables = Sizes(samples=2).tables_of(subject)
    for run, table in enumerate(t["sizes"] for t in tables):
        assert list(table) == list(Sizes.tables()["sizes"]) == ["layer", "direction", "inputs", "first"]
        assert list(zip(table["layer"], table["direction"], strict=True)) == parts(cell)
        features = cell.hidden_size * (1 + cell.bidirectional)
        assert table["inputs"].tolist() == [2 if layer == 1 else features for layer, _ in parts(cell)]
        expected = plain(subject, run, inputs)
        first = [float(expected[part].read[0, 0, 0]) for part in parts(cell)]
        np.testing.assert_allclose(table["first"], first, rtol=0, atol=1e-13)
    (whole, _) = (t["sizes"] for t in SizesOfAll(samples=2).tables_of(subject))
    assert list(whole) == list(SizesOfAll.tables()["sizes"]) == ["inputs", "first"]
    assert whole["first"].tolist() == [float(in_time("forward", inputs)[0, 0, 0, 0])]
