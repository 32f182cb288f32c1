"""Omega and h-detach in the updates of a pack: what they add to or take from the gradient, and of whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import EPS32, loop_of_cells, make_pack, one, run_spec

from lrd.cells import LSTM, RNN, Cell
from lrd.records import RunRecord
from lrd.records.tracker import NullTracker
from lrd.shapes import Tensor
from lrd.spec import Place, RunSpec
from lrd.tasks import Adding, Copy, Task
from lrd.tasks.streams import Stream
from lrd.training import train
from lrd.training.omega import omega
from lrd.training.tricks import Tricks, update_kernel

CPU = torch.device("cpu")
PLAIN = {"optimizer": "sgd", "lr": 1.0, "clip": "none", "batch_size": 3}  # parameters move by the gradient
TASKS: dict[str, Task] = {
    "copy": Copy(gap=7, items=3, symbols=5),
    "adding": Adding(gap=21),
    "padded": Adding(gap=22, convention="hochreiter1997"),
}
KINDS: dict[str, tuple[Cell, tuple[float, ...]]] = {
    "omega": (RNN(hidden_size=5), (2.0, 0.3, 4.0)),
    "h_detach": (LSTM(hidden_size=5), (0.5, 0.2, 1.0)),
}


def tricky(trick: str, task: str = "adding", **options: Any) -> list[RunSpec]:
    """Three runs with the trick at different values."""
    cell, values = KINDS[trick]
    return [run_spec(TASKS[task], cell, seed, **{trick: value}, **options) for seed, value in enumerate(values)]


def direct_gradients(task: Task, p: dict[str, Tensor], h: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """dL/dh_t of one run [time, batch, hidden] by way of the readout alone."""
    h = h.detach().requires_grad_()
    y = h[task.loss_steps.start :] @ p["V"].T + p["V_bias"]
    if task.classification:
        losses = -torch.log_softmax(y, -1).gather(-1, targets[..., None])[..., 0]
    else:
        losses = (y - targets.double()).square().mean(-1)
    return torch.autograd.grad(((losses * weights).sum(0) / weights.sum(0)).mean(), h)[0]


@pytest.mark.parametrize("truncate", [None, 4])
@pytest.mark.parametrize("task", TASKS)
def test_updates_move_by_omegas_gradient_too_and_by_it_in_w_alone(task: str, truncate: int | None) -> None:
    specs = tricky("omega", task, truncate=truncate, **PLAIN)
    pack = make_pack(*specs)
    plain = make_pack(*(run_spec(s.task, s.cell, s.seed, truncate=truncate, **PLAIN) for s in specs))
    params = {name: value.double() for name, value in pack.parameters().items()}
    batch = specs[0].task.batch(pack.seeds, "train", 0, 3)
    pack.step()
    plain.step()
    added = {name: value.double() for name, value in plain.parameters(plain.theta - pack.theta).items()}
    every = truncate or len(batch.inputs)
    for run, spec in enumerate(specs):
        p, states, state = one(params, run), [], None
        for start in range(0, len(batch.inputs), every):
            states += loop_of_cells(spec.cell, p, batch.inputs[start : start + every, run].double(), state)
            state = states[-1]
        h = torch.stack([s[0] for s in states])
        weights = torch.ones(len(spec.task.loss_steps), 3) if batch.weights is None else batch.weights[:, run]
        direct = direct_gradients(spec.task, p, h, batch.targets[:, run], weights)
        parts = [[part[:, None] for part in torch.split(x, every)] for x in (h, direct)]
        value, into_w = omega(spec.cell, p["W"][None], *parts)
        # float32: two differences of parameters of size 1, and some 30 steps of sums of 10 terms.
        expected = spec.training.omega * into_w[0]
        torch.testing.assert_close(
            added["W"][run], expected, rtol=0, atol=100 * EPS32 * (1 + float(expected.abs().max()))
        )
        assert float(pack.sums["omega"][run]) == pytest.approx(float(value), rel=1e-4)
        for name in set(added) - {"W"}:
            torch.testing.assert_close(added[name][run], torch.zeros_like(added[name][run]), rtol=0, atol=10 * EPS32)
    assert float(added["W"].abs().max()) > 1e-2
    assert torch.equal(pack.sums["train_loss"], plain.sums["train_loss"])
    assert "omega" not in plain.sums


@pytest.mark.parametrize("truncate", [None, 4])
@pytest.mark.parametrize("task", ["copy", "adding"])
def test_updates_move_by_the_gradient_of_a_loop_that_detaches_h(task: str, truncate: int | None) -> None:
    specs = tricky("h_detach", task, truncate=truncate, **PLAIN)
    pack = make_pack(*specs)
    before, batch = pack.theta.clone(), TASKS[task].batch(pack.seeds, "train", 0, 3)
    time = len(batch.inputs)
    keep = pack.tricks.cut(pack.seeds, 0, time)["keep"]
    assert 0 < float(keep[:2].mean()) < 1
    pack.step()
    for run, spec in enumerate(specs):
        theta = before[run].double().requires_grad_()
        p = one(pack.parameters(theta[None]), 0)
        states, state = [], (torch.zeros(3, 5, dtype=torch.float64),) * 2
        for t, x in enumerate(batch.inputs[:, run].double()):
            if truncate and t % truncate == 0:
                state = tuple(s.detach() for s in state)
            h, c = state
            (state,) = loop_of_cells(spec.cell, p, x[None], (h if keep[run, t] else h.detach(), c))
            states.append(state[0])
        h = torch.stack(states)
        ones = torch.ones(len(spec.task.loss_steps), 3)
        into_h = direct_gradients(spec.task, p, h, batch.targets[:, run], ones)
        cell_part = torch.autograd.grad(h, theta, into_h)[0]
        moved = pack.parameters((before[run] - pack.theta[run])[None].double())
        expected = pack.parameters(cell_part[None])
        for name in "UWb":
            scale = 1 + float(expected[name].abs().max())
            torch.testing.assert_close(moved[name], expected[name], rtol=0, atol=100 * EPS32 * scale)


@pytest.mark.slow_but(3)
@pytest.mark.parametrize("truncate", [None, 8])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("trick", KINDS)
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(trick: str, task: str, truncate: int | None) -> None:
    specs = tricky(trick, task, truncate=truncate, batch_size=5)
    assert len({spec.pack_key for spec in specs}) == 1
    together, alone = make_pack(*specs), [make_pack(spec) for spec in specs]
    for _ in range(6):
        for pack in (together, *alone):
            pack.step()
    averages = together.averages()
    for run, pack in enumerate(alone):
        assert torch.equal(pack.theta[0], together.theta[run])
        assert {name: float(v[0]) for name, v in pack.averages().items()} == {
            name: float(v[run]) for name, v in averages.items()
        }


@pytest.mark.parametrize("trick", KINDS)
def test_runs_that_leave_and_runs_that_come_back_go_on_as_they_would_have(trick: str) -> None:
    specs = tricky(trick)
    whole, pack = make_pack(*specs), make_pack(*specs)
    for update in range(8):
        if update == 3:
            pack.select([2, 0])
        if update == 6:
            again = make_pack(specs[0], specs[2])
            again.restore(pack.snapshot()[::-1])
            pack = again
        whole.step()
        pack.step()
    assert torch.equal(pack.theta, whole.theta[[0, 2]])
    kept = pack.averages()
    assert {name: v.tolist() for name, v in kept.items()} == {
        n: v[[0, 2]].tolist() for n, v in whole.averages().items()
    }


@pytest.mark.parametrize("trick", KINDS)
def test_data_and_evaluations_are_those_of_runs_without(trick: str) -> None:
    specs = tricky(trick)
    pack, plain = make_pack(*specs), make_pack(*(run_spec(s.task, s.cell, s.seed) for s in specs))
    assert torch.equal(pack._next_batch().inputs, plain._next_batch().inputs)
    assert torch.equal(pack.theta, plain.theta)
    a, b = (p.evaluate("eval", 40) for p in (pack, plain))
    assert all(torch.equal(a[name], b[name]) for name in b)


def test_each_step_is_cut_with_its_runs_probability() -> None:
    """4000 draws a run: within 5 standard errors, which one in 10^6 such tests misses."""
    probabilities, seeds = (0.1, 0.5, 0.9, 1.0), torch.arange(4)
    specs = [run_spec(TASKS["copy"], LSTM(hidden_size=2), s, h_detach=p) for s, p in enumerate(probabilities)]
    tricks = Tricks.of(specs, CPU)
    drawn = torch.stack([tricks.cut(seeds, update, 20)["keep"] for update in range(200)])
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    for run, p in enumerate(probabilities):
        assert abs(float((1 - drawn[:, run]).mean()) - p) <= 5 * (p * (1 - p) / 4000) ** 0.5
    half = drawn[:, 1]
    assert len({tuple(steps.tolist()) for steps in half}) > 190  # each update draws its own: 200 of 2^20


def test_what_is_cut_depends_on_seed_and_update_alone() -> None:
    specs = tricky("h_detach")
    tricks, seeds = Tricks.of(specs, CPU), torch.tensor([7, 8, 7])
    keep = tricks.cut(seeds, 5, 30)["keep"]
    alone = Tricks.of(specs[1:2], CPU).cut(seeds[1:2], 5, 30)["keep"]
    assert torch.equal(keep[1:2], alone)
    assert not torch.equal(keep[0], tricks.cut(seeds, 6, 30)["keep"][0])
    assert bool((keep[0] <= keep[2]).all()) or bool((keep[0] >= keep[2]).all())  # one draw, two thresholds


def test_words_drawn_aside_are_never_those_of_data() -> None:
    """Of one step no data reaches the places drawn aside, and of other steps and splits none does either."""
    seeds = torch.tensor([3])
    aside = set(Stream(seeds, "train", 4, aside="h_detach")._words((500,)).flatten().tolist())
    for split, step in (("train", 4), ("train", 5), ("eval", 4), ("test", 0)):
        assert not aside & set(Stream(seeds, split, step)._words((500,)).flatten().tolist())


def test_updates_of_runs_with_h_detach_use_the_kernel_that_can_cut() -> None:
    (with_it, *_), without = tricky("h_detach"), run_spec(TASKS["adding"], LSTM(hidden_size=5))
    assert [update_kernel(run) for run in (with_it, without)] == ["numba_lstm", "numba_lstm"]


def test_omega_brings_the_ratios_of_gradients_to_one() -> None:
    """A matrix that lets gradients vanish comes to preserve them (of 3 seeds tried each fell below a twentieth)."""
    cell = RNN(hidden_size=16, init="gaussian", gain=0.3)
    pack = make_pack(run_spec(Adding(gap=40), cell, 0, "sgd", omega=1.0, lr=0.1, batch_size=8))
    values = []
    for _ in range(40):
        pack.step()
        values.append(float(pack.averages()["omega"][0]))
    assert values[0] > 0.3  # (0.3 - 1)^2 = 0.49 for directions that W treats alike
    assert values[-1] < values[0] / 5


def test_omega_stands_in_the_rows_of_metrics(tmp_path: Path) -> None:
    small = {"batch_size": 3, "eval_samples": 8, "test_samples": 8, "samples": 2, "eval_every": 2, "max_updates": 4}
    spec = run_spec(TASKS["adding"], RNN(hidden_size=3), omega=1.0, **small)
    train([spec], Place(runs_dir=str(tmp_path), study="s"), NullTracker(), CPU)
    metrics = RunRecord(tmp_path, "s", spec.run_id).read_metrics()
    pack = make_pack(spec)
    for _ in range(2):
        pack.step()
    assert metrics["omega"].tolist()[1] == float(pack.averages()["omega"][0])
    assert len(metrics["omega"]) == 3
