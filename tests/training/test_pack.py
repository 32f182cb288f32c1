"""One update of a pack is a plain training step of each run, and each run's numbers are its own."""

from __future__ import annotations

import pytest
import torch
from helpers import CELLS, EPS32, loop_of_cells, make_pack, one, run_spec

from lrd.cells import LSTM, RNN, Cell
from lrd.shapes import Tensor
from lrd.spec import RunSpec
from lrd.tasks import Adding, Copy, Delay, Reber, Task, TemporalOrder
from lrd.training import Pack, tricks

TASKS = {
    "copy": Copy(gap=7, items=3, symbols=5),
    "copy-gu2020": Copy(gap=7, items=3, symbols=5, convention="gu2020"),
    "adding": Adding(gap=21),
    "adding-hochreiter1997": Adding(gap=22, convention="hochreiter1997"),
    "delay": Delay(gap=9, tokens=4, alphabet=3),
    "reber": Reber(),
    "temporal_order": TemporalOrder(gap=20),
    "delay-voelker2019": Delay(gap=21, convention="voelker2019"),
}


def plain_gradient(spec: RunSpec, pack: Pack, run: int) -> tuple[Tensor, Tensor]:
    """Loss and gradient of one run by a loop of cells in float64, the gradient cut as ``training.truncate`` says."""
    task, cell, every = spec.task, spec.cell, spec.training.truncate
    batch = task.batch(pack.seeds, "train", pack.update, spec.training.batch_size)
    theta = pack.theta[run].detach().double().requires_grad_()
    p = one(pack.parameters(theta[None]), 0)
    x, states, state = batch.inputs[:, run].double(), [], None
    for start in range(0, len(x), every or len(x)):
        states += loop_of_cells(cell, p, x[start : start + (every or len(x))], state)
        state = tuple(s.detach() for s in states[-1])
    losses = []
    for j, t in enumerate(task.loss_steps):
        y = states[t][0] @ p["V"].T + p["V_bias"]
        target = batch.targets[j, run]
        if task.classification:
            losses.append(-torch.log_softmax(y, -1).gather(-1, target[:, None])[:, 0])
        else:
            said = torch.sigmoid(y) if task.logistic else y
            losses.append((said - target.double()).square().mean(-1))
    weights = torch.ones(len(losses), x.shape[1]) if batch.weights is None else batch.weights[:, run]
    loss = ((torch.stack(losses) * weights).sum(0) / weights.sum(0)).mean()
    return loss.detach(), torch.autograd.grad(loss, theta)[0]


@pytest.mark.parametrize("truncate", [None, 1, 4, 5, 200])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_an_update_is_a_plain_training_step(task: str, cell: str, truncate: int | None) -> None:
    """With learning rate 1 and nothing else, the parameters move by the gradient."""
    options = {"truncate": truncate, "batch_size": 3, "optimizer": "sgd", "lr": 1.0, "clip": "none"}
    specs = [run_spec(TASKS[task], CELLS[cell], seed=seed, **options) for seed in (5, 6)]
    pack = make_pack(*specs)
    expected = [plain_gradient(spec, pack, run) for run, spec in enumerate(specs)]
    before = pack.theta.clone()
    pack.step()
    for run, (loss, gradient) in enumerate(expected):
        # float32: some 40 steps of sums of 20 terms, relative to the largest entries of gradient and parameters.
        scale = float(gradient.abs().max()) + float(before[run].abs().max())
        moved = (before[run] - pack.theta[run]).double()
        torch.testing.assert_close(moved, gradient, rtol=0, atol=100 * EPS32 * scale)
        assert float(pack.sums["train_loss"][run]) == pytest.approx(float(loss), rel=1e-5)
        assert float(pack.sums["grad_norm"][run]) == pytest.approx(float(gradient.norm()), rel=1e-4)


@pytest.mark.parametrize("cell", ["rnn-tanh", "lstm"])
def test_truncation_beyond_the_sequence_is_none(cell: str) -> None:
    a, b = (make_pack(run_spec(TASKS["copy"], CELLS[cell], truncate=t)) for t in (None, 13))
    assert TASKS["copy"].sequence_length == 13
    for _ in range(3):
        a.step()
        b.step()
    assert torch.equal(a.theta, b.theta)


def mixed(task: Task, cell: Cell, truncate: int | None = None) -> list[RunSpec]:
    """Runs that differ in all that may differ in a pack."""
    kind, options = type(cell), {"hidden_size": cell.hidden_size}
    options |= {"activation": cell.activation} if isinstance(cell, RNN) else {}
    cells = [kind(gain=g, init=i, **options) for g, i in ((1.0, "torch"), (1.4, "orthogonal"), (0.2, "gaussian"))]
    rates, thresholds = (1e-3, 3e-2, 1e-2), (1.0, 0.01, 5.0)
    return [
        run_spec(task, c, seed=seed, lr=lr, clip_threshold=threshold, batch_size=5, truncate=truncate)
        for seed, (c, lr, threshold) in enumerate(zip(cells, rates, thresholds, strict=True))
    ]


@pytest.mark.slow_but(5)
@pytest.mark.parametrize("truncate", [None, 8])
@pytest.mark.parametrize("cell", [RNN(hidden_size=7), RNN(hidden_size=5, activation="sigmoid"), LSTM(hidden_size=7)])
@pytest.mark.parametrize("task", TASKS)
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(task: str, cell: Cell, truncate: int | None) -> None:
    specs = mixed(TASKS[task], cell, truncate)
    assert len({spec.pack_key for spec in specs}) == 1
    together, alone = make_pack(*specs), [make_pack(spec) for spec in specs]
    for _ in range(50 if truncate is None else 5):
        for pack in (together, *alone):
            pack.step()
    everything = together.averages() | together.evaluate("eval", 40)
    for run, pack in enumerate(alone):
        assert torch.equal(pack.theta[0], together.theta[run])
        for name, value in (pack.averages() | pack.evaluate("eval", 40)).items():
            assert float(value[0]) == float(everything[name][run]), name


@pytest.mark.parametrize("cell", [RNN(hidden_size=32), RNN(hidden_size=1), LSTM(hidden_size=32)])
@pytest.mark.parametrize("task", [Adding(gap=12), Delay(gap=5, convention="gu2022"), Copy(gap=2, convention="bai2018")])
def test_so_it_is_at_the_sizes_of_real_runs(task: Task, cell: Cell) -> None:
    """One output, one input, one unit: products with a vector, which torch rounds by the number of runs."""
    specs = [run_spec(task, cell, seed) for seed in range(3)]
    together, alone = make_pack(*specs), make_pack(specs[1])
    for _ in range(4):
        together.step()
        alone.step()
    assert torch.equal(together.theta[1], alone.theta[0])
    values, of_pack = (p.averages() | p.evaluate("eval", 256) for p in (alone, together))
    assert {name: float(v[0]) for name, v in values.items()} == {name: float(v[1]) for name, v in of_pack.items()}


def test_copies_of_a_run_have_the_kernel_of_a_pack_of_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where a run alone has another one."""
    monkeypatch.setattr(tricks, "choose_kernel", lambda cell, device, runs, *_, **__: "loop" if runs == 1 else "packed")
    spec, device = run_spec(Adding(gap=6), RNN(hidden_size=5)), torch.device("cpu")
    copies, pack = Pack.of_copies(spec, 3, device), Pack([spec] * 3, device)
    assert copies.net.kernel == pack.net.kernel == "packed"
    assert Pack.of_copies(spec, 1, device).net.kernel == "loop"
    for made in (copies, pack):
        made.step()
    assert torch.equal(copies.theta, pack.theta)


@pytest.mark.parametrize("cell", [RNN(hidden_size=4, activation="relu"), LSTM(hidden_size=4)])
def test_a_diverging_run_leaves_its_companions_alone(cell: Cell) -> None:
    specs = [
        run_spec(TASKS["adding"], cell, s, "sgd", lr=lr, clip="none") for s, lr in ((1, 0.01), (2, 1e38), (3, 0.1))
    ]
    pack, companions = make_pack(*specs), [make_pack(specs[0]), make_pack(specs[2])]
    last_finite = pack.theta[1].clone()
    for update in range(12):
        pack.step()
        for other in companions:
            other.step()
        if pack.diverged_at[1] < 0:
            last_finite = pack.theta[1].clone()
        assert int(pack.diverged_at[1]) in (-1, *range(1, update + 2))
    assert pack.diverged_at.tolist()[::2] == [-1, -1]
    assert 1 <= int(pack.diverged_at[1]) <= 11
    assert torch.equal(pack.theta[1], last_finite)
    assert last_finite.isfinite().all()
    for run, other in zip((0, 2), companions, strict=True):
        assert torch.equal(pack.theta[run], other.theta[0])


def test_an_infinite_loss_is_divergence_even_if_its_gradient_is_clipped() -> None:
    pack = make_pack(*(run_spec(TASKS["adding"], RNN(hidden_size=2), seed, clip="value") for seed in range(2)))
    with torch.no_grad():
        pack.theta[0, -1] = 1e25  # the readout's bias: squared, beyond float32
    before = pack.theta.clone()
    pack.step()
    assert pack.diverged_at.tolist() == [1, -1]
    assert torch.equal(pack.theta[0], before[0])
    assert not torch.equal(pack.theta[1], before[1])


def test_runs_that_leave_do_not_change_those_that_stay() -> None:
    specs = mixed(TASKS["delay"], LSTM(hidden_size=5))
    whole, pack = make_pack(*specs), make_pack(*specs)
    for update in range(20):
        if update == 7:
            left = pack.take([1])
            pack.select([2, 0])
            kept = left.theta.clone()
        whole.step()
        pack.step()
    assert pack.specs == [specs[2], specs[0]]
    assert torch.equal(pack.theta, whole.theta[[2, 0]])
    assert torch.equal(left.theta, kept)
    assert left.update == 7
    assert {name: v.tolist() for name, v in pack.averages().items()} == {
        name: v[[2, 0]].tolist() for name, v in whole.averages().items()
    }


def test_a_restored_run_goes_on_in_any_pack() -> None:
    specs = mixed(TASKS["adding"], LSTM(hidden_size=3))
    whole = make_pack(*specs)
    for _ in range(6):
        whole.step()
    states = whole.snapshot()
    for _ in range(6):
        whole.step()
    again = make_pack(specs[2], specs[1])
    again.restore([states[2], states[1]])
    for _ in range(6):
        again.step()
    assert torch.equal(again.theta, whole.theta[[2, 1]])
    assert again.averages()["train_loss"].tolist() == whole.averages()["train_loss"][[2, 1]].tolist()
    with pytest.raises(ValueError, match="must stand at one update"):
        again.restore([states[0], states[1] | {"update": 5}])


def test_splits_are_fixed_and_differ() -> None:
    pack = make_pack(run_spec(TASKS["copy"], RNN(hidden_size=4), eval_samples=300))
    first, again = pack.evaluate("eval", 300), pack.evaluate("eval", 300)
    assert {name: float(v) for name, v in first.items()} == {name: float(v) for name, v in again.items()}
    assert float(pack.evaluate("test", 300)["loss"]) != float(first["loss"])
    # In chunks of any size: the same sequences are drawn by (split, chunk), so only whole chunks can be compared.
    chunks = [pack.task.batch(pack.seeds, "eval", n, size) for n, size in ((0, 256), (1, 44))]
    losses = [float(pack.task.loss(pack.net.outputs(pack.parameters(), b), b)) for b in chunks]
    assert float(first["loss"]) == pytest.approx((256 * losses[0] + 44 * losses[1]) / 300, rel=1e-7)


@pytest.mark.parametrize("task", TASKS)
def test_batches_drawn_ahead_are_those_of_each_update(task: str) -> None:
    """However many updates are drawn at once, and when runs leave in between."""
    pack = make_pack(*(run_spec(TASKS[task], LSTM(hidden_size=3), seed) for seed in (5, 6, 7)))
    for update in range(20):
        if update == 5:
            pack.select([0, 2])
        drawn = pack._next_batch()
        plain = pack.task.batch(pack.seeds, "train", update, pack.training.batch_size)
        for name in ("inputs", "targets", "weights"):
            expected = getattr(plain, name)
            assert (expected is None and getattr(drawn, name) is None) or torch.equal(getattr(drawn, name), expected)
        pack.update += 1


@pytest.mark.parametrize("cell", [CELLS["rnn-tanh"], CELLS["lstm"]], ids=["rnn", "lstm"])
def test_runs_are_evaluated_a_few_at_a_time_to_the_same_numbers(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = make_pack(*(run_spec(Adding(gap=9), cell, seed) for seed in range(5)))
    whole = pack.evaluate("eval", 300)
    monkeypatch.setattr("lrd.training.batches._EVAL_BYTES", 2 * 9 * 256 * cell.hidden_size * 4)  # of two runs
    few = pack.evaluate("eval", 300)
    assert few.keys() == whole.keys()
    assert all(torch.equal(few[name], whole[name]) for name in whole)
