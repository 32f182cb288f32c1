"""Gradient norms of updates: those of a loop of cells in float64, over all samples of all updates of any pack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EPS32, make_pack, run_spec
from torch.func import vmap

from lrd.cells import GRU, LSTM, LSTM1997, RNN, Attentive, Cell, Clockwork, Orthogonal, PeepholeLSTM, prepared
from lrd.gradients.flow import gradient_flow
from lrd.kernels import WITH_NORMS
from lrd.options import OptionError
from lrd.probes import log_spaced
from lrd.records import RunRecord
from lrd.records.tracker import NullTracker
from lrd.shapes import Tensor
from lrd.spec import Place, RunSpec, Training
from lrd.tasks import Adding, Copy, Delay, Task
from lrd.training import Pack, train

SIZE = 5  # sequences an update
TASKS: dict[str, Task] = {
    "adding": Adding(gap=12),
    "copy": Copy(gap=4, items=2, symbols=3),
    "padded": Adding(gap=22, convention="hochreiter1997"),
}
CELLS: dict[str, Cell] = {
    "rnn": RNN(hidden_size=6),
    "lstm": LSTM(hidden_size=6),
    "gru": GRU(hidden_size=6),
    "1997": LSTM1997(hidden_size=6, block_size=2),
    "peephole": PeepholeLSTM(hidden_size=6),
    "orthogonal": Orthogonal(hidden_size=6),
    "clockwork": Clockwork(hidden_size=6, modules=3),
    "attentive": Attentive(hidden_size=6),
}
STATISTICS = ("log10_mean", "log10_gmean", "log10_std", "log10_min", "log10_max", "zero_share")


def specs(task: str, cell: str, runs: int = 2, **options: Any) -> list[RunSpec]:
    of_length = CELLS[cell].for_length(TASKS[task].sequence_length)
    options = {"batch_size": SIZE, "gradient_norms": True} | options
    return [run_spec(TASKS[task], of_length, seed=seed, **options) for seed in range(runs)]


def plain_norms(pack: Pack, run: int) -> dict[str, np.ndarray]:
    """Norms [time, batch] of the gradient of each sample's training loss at the next update, by autograd in float64."""
    task, cell, every = pack.task, pack.cell, pack.training.truncate
    batch = task.batch(pack.seeds, "train", pack.update, SIZE)
    theta = pack.theta[run].double()[None].requires_grad_()  # so that no state is a leaf: c_t acts through h_t too
    p = {name: value[0] for name, value in pack.parameters(theta).items()}
    ready, xs, states = cell.prepare(p), batch.inputs[:, run].double(), []
    state = tuple(xs.new_zeros(SIZE, size) for size in cell.state_sizes())
    for t, x in enumerate(xs):
        if every is not None and t % every == 0:
            state = tuple(s.detach() for s in state)
        state = vmap(cell.step, in_dims=(None, 0, 0))(ready, x, state)
        state = tuple(s if s.requires_grad else s.requires_grad_() for s in state)  # a memory that is still empty
        states.append(state)
    y = torch.stack([states[t][0] for t in task.loss_steps]) @ p["V"].T + p["V_bias"]
    targets = batch.targets[:, run]
    if task.classification:
        losses = -torch.log_softmax(y, -1).gather(-1, targets[..., None])[..., 0]
    else:
        losses = ((torch.sigmoid(y) if task.logistic else y) - targets.double()).square().mean(-1)
    weights = torch.ones_like(losses) if batch.weights is None else batch.weights[:, run].double()
    loss = ((losses * weights).sum(0) / weights.sum(0)).sum()  # samples do not meet: each gets the gradient of its own
    found = {}
    for v in cell.measured:
        grads = torch.autograd.grad(loss, [s[v] for s in states], retain_graph=True, materialize_grads=True)
        found[cell.state_names[v]] = torch.stack(grads).norm(dim=-1).detach().numpy()
    return found


def statistics(norms: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Of norms [time, batch] of some updates."""
    every = np.concatenate(norms, axis=1)
    with np.errstate(divide="ignore"):
        log = np.log10(every)
    rows = [row[np.isfinite(row)] for row in log]
    none = -np.inf
    with np.errstate(divide="ignore"):
        return {
            "log10_mean": np.log10(every.mean(1)),
            "log10_gmean": np.array([row.mean() if len(row) else none for row in rows]),
            "log10_std": np.array([row.std() if len(row) else np.nan for row in rows]),
            "log10_min": np.array([row.min() if len(row) else none for row in rows]),
            "log10_max": np.array([row.max() if len(row) else none for row in rows]),
            "zero_share": (every == 0).mean(1),
        }


@pytest.mark.slow_but(6)
@pytest.mark.parametrize("truncate", [None, 5])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_they_are_those_of_a_loop_of_cells(task: str, cell: str, truncate: int | None) -> None:
    pack = make_pack(*specs(task, cell, truncate=truncate, lr=0.05))
    seen: list[list[dict[str, np.ndarray]]] = []
    for _ in range(2):
        seen.append([plain_norms(pack, run) for run in range(2)])
        pack.step()
    for run, table in enumerate(pack.norm_tables()):
        assert set(table["updates"]) == {2}
        for variable in pack.cell.measured_names:
            mine = table["variable"] == variable
            assert table["t"][mine].tolist() == list(range(pack.task.sequence_length))
            expected = statistics([norms[run][variable] for norms in seen])
            for name in STATISTICS:
                # float32: some twenty steps of sums of ten terms; log10 e is below 1/2.
                np.testing.assert_allclose(table[name][mine], expected[name], rtol=0, atol=200 * EPS32, err_msg=name)
    assert pack.norm_tables() == [{}, {}]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("task", [Adding(gap=12), Copy(gap=4, items=3, symbols=3, convention="gu2020")])
def test_they_are_the_gradient_flow_of_all_answers_over_their_number(task: Task, cell: str) -> None:
    """On the same sequences, at the same parameters, where every scored step is an answer."""
    pack = make_pack(*(run_spec(task, CELLS[cell], seed, batch_size=SIZE, gradient_norms=True) for seed in range(2)))
    assert task.answers == len(task.loss_steps)
    batch = task.batch(pack.seeds, "train", pack.update, SIZE)
    flow = gradient_flow(task, pack.cell, prepared(pack.cell, pack.parameters()), batch, answer="all")
    assert flow.lags.tolist() == list(reversed(range(task.sequence_length)))  # from the first step on
    pack.step()
    for run, table in enumerate(pack.norm_tables()):
        for variable in pack.cell.measured_names:
            of_flow = flow.total[variable][:, run].mean(-1).numpy() - np.log10(task.answers)
            mine = table["log10_gmean"][table["variable"] == variable]
            np.testing.assert_allclose(mine, of_flow, rtol=0, atol=200 * EPS32)


def test_both_ways_to_them_were_tested() -> None:
    kernels = {name: make_pack(*specs("adding", name)).net.kernel for name in CELLS}
    by_kernel = {name for name, kernel in kernels.items() if kernel in WITH_NORMS}
    assert {"rnn", "lstm"} <= by_kernel <= {"rnn", "lstm", "gru", "1997"}  # where numba compiles the latter two
    assert kernels["attentive"] == "attentive"


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("cell", CELLS)
def test_a_run_has_them_alone_as_in_a_pack_bit_for_bit(cell: str) -> None:
    def tables(*runs: RunSpec) -> list[dict[str, np.ndarray]]:
        pack = make_pack(*runs)
        for _ in range(3):
            pack.step()
        return pack.norm_tables()

    every = specs("adding", cell, runs=3)
    for spec, together in zip(every, tables(*every), strict=True):
        (alone,) = tables(spec)
        assert together.keys() == alone.keys()
        for name, column in alone.items():
            np.testing.assert_array_equal(together[name], column)


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_what_a_run_learns_does_not_depend_on_them(cell: str) -> None:
    packs = [make_pack(*specs("copy", cell, gradient_norms=on)) for on in (True, False)]
    for pack in packs:
        for _ in range(3):
            pack.step()
    assert torch.equal(packs[0].theta, packs[1].theta)


SMALL = {"eval_samples": 20, "test_samples": 20, "samples": 3, "eval_every": 10, "batch_size": 4}
SMALL |= {"gradient_norms": True}


def table(folder: Path, spec: RunSpec) -> dict[str, np.ndarray]:
    return RunRecord(folder, "s", spec.run_id).read_table("gradient_norms")


def go(folder: Path, runs: list[RunSpec], stop_at: int = 10**6) -> None:
    calls = iter(range(10**6))
    place = Place(runs_dir=str(folder), study="s")
    train(runs, place, NullTracker(), torch.device("cpu"), should_stop=lambda: next(calls) >= stop_at)


@pytest.mark.slow
def test_the_table_of_a_record(tmp_path: Path) -> None:
    """Rows at the moments of measurements and at the end, of all updates, but for those after a run has diverged."""
    easy = Delay(gap=1, tokens=4, alphabet=2)
    lasting = run_spec(easy, RNN(hidden_size=6), 0, lr=1e-5, max_updates=130, **SMALL)
    solved = run_spec(easy, RNN(hidden_size=6), 1, lr=0.05, max_updates=130, **SMALL)
    steep = {"optimizer": "sgd", "lr": 1e15, "clip": "none"}
    diverging = run_spec(easy, RNN(hidden_size=6, activation="relu"), 2, max_updates=130, **steep, **SMALL)
    go(tmp_path, [lasting, solved])
    go(tmp_path, [diverging])
    found = table(tmp_path, lasting)
    moments = [update for update in log_spaced(130) if update]
    assert list(dict.fromkeys(found["update"].tolist())) == moments
    first = found["t"] == 0
    assert found["updates"][first].tolist() == np.diff([0, *moments]).tolist()
    assert len(found["t"]) == len(moments) * easy.sequence_length
    ended = RunRecord(tmp_path, "s", solved.run_id).read_summary()["update"]
    assert ended not in moments
    of_solved = table(tmp_path, solved)
    assert of_solved["update"][-1] == ended
    assert of_solved["updates"][of_solved["t"] == 0].sum() == ended
    summary = RunRecord(tmp_path, "s", diverging.run_id).read_summary()
    assert summary["outcome"] == "diverged"
    assert summary["diverged_at"] > 1
    of_diverged = table(tmp_path, diverging)
    assert of_diverged["updates"][of_diverged["t"] == 0].sum() == summary["diverged_at"] - 1


@pytest.mark.slow
@pytest.mark.parametrize("cell", [RNN(hidden_size=4), GRU(hidden_size=4)])
@pytest.mark.parametrize("stop_at", [1, 13])
def test_interruption_leaves_no_trace(cell: Cell, stop_at: int, tmp_path: Path) -> None:
    runs = [run_spec(Adding(gap=12), cell, seed, max_updates=15, **SMALL) for seed in range(2)]
    go(tmp_path / "whole", runs)
    go(tmp_path / "cut", runs, stop_at)
    go(tmp_path / "cut", runs)
    for run in runs:
        whole, cut = (table(tmp_path / name, run) for name in ("whole", "cut"))
        assert whole.keys() == cut.keys()
        for name, column in whole.items():
            np.testing.assert_array_equal(column, cut[name])


def test_in_bfloat16_only_where_a_kernel_gives_them() -> None:
    with pytest.raises(OptionError, match="must be off in bfloat16 for cell=clockwork"):
        Training(gradient_norms=True, precision="bfloat16").check(Clockwork())
    Training(gradient_norms=True, precision="bfloat16").check(LSTM())


def test_a_run_without_them_keeps_its_name() -> None:
    with_them, without = (run_spec(Adding(gap=12), RNN(), gradient_norms=on) for on in (True, False))
    assert with_them.run_id != without.run_id
    assert with_them.pack_key != without.pack_key


def of_float64(precision: str) -> Tensor:
    pack = make_pack(*specs("adding", "gru", precision=precision))
    pack.step()
    return torch.from_numpy(pack.norm_tables()[0]["log10_gmean"])


def test_in_float64() -> None:
    torch.testing.assert_close(of_float64("float64"), of_float64("float32"), rtol=0, atol=200 * EPS32)
    assert not torch.equal(of_float64("float64"), of_float64("float32"))
