"""Gates, retention and memory capacity of every part of a network, and its closings, by plain loops in float64."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from plain_networks import BOTH, NETWORKS, SEEDS, Along, double, in_time, network_of, plain, plain_network
from subjects import plain_fit
from test_retention import plain_score
from texts import written
from torch.func import vmap

from lrd.cells import Cell
from lrd.probes import Closing, Gates, MemoryCapacity, Retention
from lrd.probes.memory_capacity import TESTING, TRAINING, signal
from lrd.probes.retention import LEAST
from lrd.scalars import Columns
from lrd.shapes import Tensor
from lrd.tasks import Adding, Copy, Stream, Task, Text

TASKS: dict[str, Task] = {
    "copy": Copy(gap=4, items=2, symbols=3),
    "adding": Adding(gap=12, convention="pascanu2013"),  # of several lengths
}
GATED = [name for name in NETWORKS if not name.startswith("rnn")]
RIDGE = 0.01


def rows_of(table: Columns, **labels: object) -> Columns:
    mine = np.logical_and.reduce([table[name] == value for name, value in labels.items()])
    return {name: column[mine] for name, column in table.items()}


def gates_of(cell: Cell, along: Along, direction: str) -> dict[str, np.ndarray]:
    """Every gate [time, batch, units] of a part, in the order of time."""
    zeros = tuple(torch.zeros_like(variable) for variable in along.states[0])
    found: dict[str, list[Tensor]] = {}
    for x, before in zip(along.read, [zeros, *along.states[:-1]], strict=True):
        for name, gate in vmap(cell.gates, in_dims=(None, 0, 0))(along.p, x, before).items():
            found.setdefault(name, []).append(gate)
    return {name: in_time(direction, torch.stack(gates)).numpy() for name, gates in found.items()}


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", GATED)
def test_gates_of_every_part(name: str, task: str) -> None:
    """Means over samples and units at each lag; products of a part that reads forward alone, up to the answer."""
    what, cell = TASKS[task], NETWORKS[name]
    subject = network_of(what, cell)
    tables = Gates(samples=4).tables_of(subject)
    batch = subject.sequences(4)
    last, shown = what.answer_steps(batch, -1), what.shown(batch)
    latest, time = what.loss_steps[-1], len(batch.inputs)
    for run in range(len(SEEDS)):
        for (layer, direction), along in plain(subject, run, batch.inputs).items():
            mine = rows_of(tables[run]["gates"], layer=layer, direction=direction)
            kept = set(cell.keeps.values()) if direction == "forward" else set()
            quantities = {"gate", "since_store", "to_answer"} if kept else {"gate"}
            assert set(mine["quantity"]) == quantities
            for gate, values in gates_of(cell, along, direction).items():
                for quantity in quantities if gate in kept else {"gate"}:
                    rows = rows_of(mine, quantity=quantity, gate=gate)
                    least = latest - time + 1 if quantity == "gate" and cell.bidirectional else 0
                    expected = {}
                    for lag in range(latest, least - 1, -1):
                        found: list[np.ndarray] = []
                        for sample in range(4):
                            answer = int(last[run, sample])
                            store = max(int(item.steps[run, sample]) for item in shown)
                            t, log10 = answer - lag, np.log10(values[:, sample])
                            if 0 <= t < time and quantity == "gate":
                                found.append(values[t, sample])
                            elif t >= 0 and quantity == "to_answer":
                                found.append(log10[t + 1 : answer + 1].sum(0))
                            elif t >= store and quantity == "since_store":
                                found.append(log10[store + 1 : t + 1].sum(0))
                        if found:
                            expected[lag] = np.mean(found)
                    assert rows["lag"].tolist() == list(expected)
                    assert (rows["t"] == latest - rows["lag"]).all()
                    np.testing.assert_allclose(rows["mean"], list(expected.values()), rtol=0, atol=1e-11)


def states_by_lag(along: Along, direction: str, v: int, last: np.ndarray, lags: list[int]) -> np.ndarray:
    """States of a variable [lags, batch, size]; 0 where a sample has no such step."""
    states = along.of(direction, v).numpy()
    return np.stack([[states[end - lag, k] * (end >= lag) for k, end in enumerate(last)] for lag in lags])


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["gru-3", *BOTH])
def test_retention_of_every_part(name: str, task: str) -> None:
    """A part that reads backward has an item from the step that shows it down to step 0, from which strides count."""
    what, cell, sizes, stride = TASKS[task], NETWORKS[name], (30, 20), 3
    subject = network_of(what, cell)
    probe = Retention(samples=sizes[0], test_samples=sizes[1], stride=stride, ridge=RIDGE)
    tables = probe.tables_of(subject)
    batches = [subject.sequences(size, number) for number, size in enumerate(sizes, start=1)]
    items, latest = [what.shown(batch) for batch in batches], what.loss_steps[-1]
    for run in range(len(SEEDS)):
        last = [what.answer_steps(batch, -1)[run].numpy() for batch in batches]
        found = [plain(subject, run, batch.inputs) for batch in batches]
        for part in found[0]:
            backward = part[1] == "backward"
            at = [latest - t for t in range(0 if backward else latest % stride, latest + 1, stride)]
            expected = {}
            for v, variable in enumerate(cell.state_names):
                x, x_test = (
                    states_by_lag(of[part], part[1], v, ends, at) for of, ends in zip(found, last, strict=True)
                )
                rms = np.sqrt(np.square(x).mean())
                for j, lag in enumerate(at):
                    for train, test in zip(*items, strict=True):
                        steps = [ends - lag for ends in last]
                        ahead = [t - i.steps[run].numpy() for t, i in zip(steps, (train, test), strict=True)]
                        since = [-s if backward else s for s in ahead]
                        masks = [(s >= 0) & (t >= 0) for s, t in zip(since, steps, strict=True)]
                        if min(mask.sum() for mask in masks) < LEAST:
                            continue
                        y = train.values[run].numpy()[masks[0]].astype(float)[:, None]
                        y = y if train.classes is None else (y == np.arange(train.classes)).astype(float)
                        weights, x_mean, mean = plain_fit(x[j][masks[0]] / rms, y, RIDGE)
                        outputs = (x_test[j][masks[1]] / rms - x_mean) @ weights + mean
                        score = plain_score(test, run, masks[1], outputs, mean)
                        row = (since[1][masks[1]].mean(), *score, masks[1].sum())
                        expected[train.name, variable, latest - lag, lag] = row
            mine = rows_of(tables[run]["retention"], layer=part[0], direction=part[1])
            got = {row[2:6]: row[6:] for row in zip(*mine.values(), strict=True)}
            assert got.keys() == expected.keys()
            assert len(got) > 0
            for key, row in expected.items():
                assert got[key] == pytest.approx(row, rel=1e-6, abs=1e-6)  # as in the tests of one layer


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("name", NETWORKS)
def test_memory_capacity_of_every_part(name: str) -> None:
    """Of a part that reads backward k counts the steps that it has read since: u_{t+k}."""
    cell, largest, steps, samples = NETWORKS[name], 4, 30, 3
    subject = network_of(Adding(gap=5), cell)  # the number goes into the first of two inputs
    probe = MemoryCapacity(samples=samples, steps=steps, largest=largest, ridge=RIDGE)
    tables = probe.tables_of(subject)
    for run in range(len(SEEDS)):
        u = [signal(SEEDS[run : run + 1], number, largest + steps, samples)[:, 0] for number in (TRAINING, TESTING)]
        p = double(subject, run)
        found = [plain_network(cell, p, torch.stack([v, torch.zeros_like(v)], -1))[0] for v in u]
        for part in found[0]:
            read = [in_time(part[1], v).numpy() for v in u]
            for v, variable in enumerate(cell.state_names):
                x, x_test = (
                    np.stack([state[v].numpy() for state in of[part].states[largest:]]).reshape(steps * samples, -1)
                    for of in found
                )
                rms, total = np.sqrt(np.square(x).mean()), 0.0
                mine = rows_of(tables[run]["memory_capacity"], layer=part[0], direction=part[1], variable=variable)
                assert mine["k"].tolist() == list(range(largest + 1))
                for k in range(largest + 1):
                    y, y_test = (np.stack([w[s - k] for s in range(largest, largest + steps)]).ravel() for w in read)
                    weights, x_mean, mean = plain_fit(x / rms, y[:, None], RIDGE)
                    errors = np.square((x_test / rms - x_mean) @ weights + mean - y_test[:, None])
                    score = 1 - errors.mean() / np.square(mean - y_test).mean()
                    total += max(0.0, score)
                    assert [mine[c][k] for c in ("score", "capacity")] == pytest.approx(
                        [score, total], rel=1e-6, abs=1e-6
                    )


@pytest.mark.parametrize("name", NETWORKS)
def test_closing_reads_what_the_whole_network_answers(name: str, tmp_path: Path) -> None:
    """Its loss is that of V h + b over the windows' closing signs, h of the last layer and both directions."""
    task, cell = Text(gap=10, file=written(tmp_path)), NETWORKS[name]
    subject, window, samples = network_of(task, cell), 60, 4
    tables = Closing(samples=samples, window=window).tables_of(subject)
    longer = Text(gap=window, file=task.file)
    for run in range(len(SEEDS)):
        p, table, losses = double(subject, run), tables[run]["closing"], []
        assert list(table) == list(Closing.columns)
        for number in range(3):
            batch = longer.batch(SEEDS, "probe", number, samples)
            _, h = plain_network(cell, p, batch.inputs[:, run].double())
            outputs = h @ p["V"].T + p["V_bias"]
            far = longer.closers(Stream(SEEDS, "probe", number), samples)[:, run] > 0
            log = -torch.log_softmax(outputs, -1).gather(-1, batch.targets[:, run, :, None])[..., 0]
            losses += log[far].tolist()
        assert table["count"].sum() == len(losses) > 0
        mean = (table["loss"] * table["count"]).sum() / table["count"].sum()
        assert mean == pytest.approx(math.fsum(losses) / len(losses), rel=1e-9)
