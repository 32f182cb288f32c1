"""Precision by name: what is rounded and what is not, what is refused where, and that old runs keep their names."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from helpers import EPS32, run_spec

from lrd.cells import CELLS, LSTM, RNN, Cell
from lrd.options import OptionError
from lrd.spec import Training
from lrd.spec.training import ON_GPU, PRECISIONS
from lrd.tasks import TASKS, Adding, Copy, Task
from lrd.training import Pack
from lrd.training.precision import computing

CPU = torch.device("cpu")


def losses_and_gradients(task: Task, cell: Cell, precision: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Of two runs at their first update, which is done too."""
    cell = cell.for_length(task.sequence_length)
    pack = Pack([run_spec(task, cell, seed, batch_size=3, precision=precision) for seed in range(2)], CPU)
    batch = task.batch(pack.seeds, "train", 0, 3)
    if precision == "float64":
        assert {slot.dtype for slot in pack.optimizer.slots.values()} == {torch.float64}
        targets = batch.targets.double() if batch.targets.is_floating_point() else batch.targets
        weights = None if batch.weights is None else batch.weights.double()
        batch = dataclasses.replace(batch, inputs=batch.inputs.double(), targets=targets, weights=weights)
    loss, gradient, *_ = pack.gradient(batch)
    before = pack.theta.clone()
    pack.step()
    pack.evaluate("eval", 4)
    assert (
        pack.theta.dtype == loss.dtype == gradient.dtype == (torch.float64 if precision == "float64" else torch.float32)
    )
    assert torch.all(pack.diverged_at < 0)
    assert not torch.equal(pack.theta, before)
    return loss.double(), gradient.double()


def assert_close_to_float64(task: Task, cell: Cell, precision: str, eps: float) -> None:
    loss, gradient = losses_and_gradients(task, cell, precision)
    exact_loss, exact = losses_and_gradients(task, cell, "float64")
    # Each step rounds sums of about ten terms; at the start states are small, and errors of later steps do not grow.
    size = eps * 10 * task.sequence_length**0.5
    assert float((loss - exact_loss).abs().max()) <= size * float(exact_loss.abs().max() + 1)
    assert float((gradient - exact).abs().max()) <= size * float(exact.abs().max() + 1)


@pytest.mark.parametrize("name", [name for name in TASKS if name != "text"])  # which needs a file
def test_float64_does_what_float32_does_for_every_task(name: str) -> None:
    try:
        task = TASKS[name](gap=22)
    except OptionError:  # too short for it
        task = TASKS[name]()
    assert_close_to_float64(task, RNN(hidden_size=3), "float32", EPS32)


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("name", CELLS)
def test_float64_does_what_float32_does_for_every_cell(name: str) -> None:
    assert_close_to_float64(Adding(gap=4), CELLS[name](hidden_size=4), "float32", EPS32)


@pytest.mark.parametrize("name", ["rnn", "lstm", "orthogonal", "attentive"])
def test_bfloat16_is_that_near_to_float64(name: str) -> None:
    assert_close_to_float64(Adding(gap=4), CELLS[name](hidden_size=4), "bfloat16", 2.0**-8)


def test_only_products_are_rounded_in_bfloat16() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(7, 9, generator=generator), torch.randn(9, 5, generator=generator)
    with computing("bfloat16"):
        products = [a @ b, torch.matmul(a, b), a.mm(b), torch.einsum("ij,jk", a, b), torch.nn.functional.linear(a, b.T)]
        products += [torch.bmm(a[None], b[None])[0], torch.stack([a.mv(column) for column in b.T], 1)]
        assert torch.equal(a * 3 + a.exp(), 3 * a + torch.exp(a))
    exact, scale = a.double() @ b.double(), a.double().abs() @ b.double().abs()
    for product in products:
        assert product.dtype == torch.float32
        assert torch.equal(product, product.bfloat16().float())
        # Two operands and one result rounded to 8 bits, by at most 2^-9 of each.
        assert torch.all((product - exact).abs() <= 1.01 * (2 * 2.0**-9 * scale + 2.0**-9 * exact.abs()))
        assert not torch.equal(product, a @ b)


def test_the_state_stays_in_float32_in_bfloat16() -> None:
    """A cell state to which far less than its last bit in bfloat16 is added at each step."""
    pack = Pack([run_spec(Adding(gap=9), LSTM(hidden_size=2), precision="bfloat16")], CPU)
    batch = pack.task.batch(pack.seeds, "train", 0, 3)
    with computing("bfloat16"):
        (h,) = pack.net.states(pack.parameters(), batch.inputs, 0)
    assert h.dtype == torch.float32
    assert not torch.equal(h, h.bfloat16().float())


def test_tf32_is_switched_on_and_off_for_the_process() -> None:
    def allowed() -> tuple[str, str]:
        return torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.rnn.fp32_precision  # type: ignore[attr-defined]

    for precision, expected in (("tf32", "tf32"), ("float32", "ieee"), ("tf32", "tf32"), ("float64", "ieee")):
        Pack([run_spec(Copy(gap=2), RNN(hidden_size=2), precision=precision)], CPU)
        assert allowed() == (expected, expected)


def test_only_a_precision_that_is_asked_for_is_part_of_a_runs_name() -> None:
    runs = {name: run_spec(Copy(gap=2), RNN(hidden_size=2), precision=name) for name in PRECISIONS}
    assert runs["float32"].run_id == run_spec(Copy(gap=2), RNN(hidden_size=2)).run_id
    assert len({run.run_id for run in runs.values()}) == len({run.pack_key for run in runs.values()}) == len(PRECISIONS)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_a_cpu_cannot_do_is_refused(precision: str) -> None:
    training = Training(precision=precision)
    if precision not in ON_GPU:
        training.check_device(CPU)
        return
    with pytest.raises(OptionError) as caught:
        training.check_device(CPU)
    assert caught.value.key == "precision"
    assert caught.value.message == f"must be float32 or float64 with device=cpu; use float32, got '{precision}'"


def test_an_old_gpu_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "Tesla T4")
    with pytest.raises(OptionError, match="must be float32 or float64 on a Tesla T4, which"):
        Training(precision="tf32").check_device(torch.device("cuda"))
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: (9, 0))
    Training(precision="tf32").check_device(torch.device("cuda"))


def test_h_detach_and_bfloat16_do_not_go_together() -> None:
    with pytest.raises(OptionError, match="must not be bfloat16 with h_detach"):
        Training(h_detach=0.5, precision="bfloat16").check(LSTM(hidden_size=2))
