"""The learning rate of every update against torch's schedulers, run by run of a pack."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from helpers import make_pack, run_spec
from torch.optim import lr_scheduler as theirs

from lrd import spec
from lrd.cells import RNN
from lrd.spec import RunSpec
from lrd.tasks import Copy
from lrd.training import Pack
from lrd.training.optimizers import pack_optimizer
from lrd.training.schedule import Schedule

CPU = torch.device("cpu")
UPDATES = 40
#: The options of three runs of a pack by schedule.
SCHEDULES: dict[str, list[dict[str, Any]]] = {
    "constant": [{}, {}, {}],
    "linear": [{"end_factor": 0.5}, {"end_factor": 0.25}, {"end_factor": 1.0}],
    "linear to 0": [{}, {}, {}],
    "cosine": [{"end_factor": 0.5}, {"end_factor": 0.25}, {"end_factor": 1.0}],
    "cosine to 0": [{}, {}, {}],
    "step": [{"step_size": size, "step_factor": f} for size, f in ((7, 0.2), (1, 0.9), (100, 0.5))],
    "step by a tenth": [{"step_size": 7}, {"step_size": 1}, {"step_size": 100}],
}
WARMUPS = {"without": (0, 0, 0), "with": (1, 5, 39)}
CASES = [(kind, warm) for kind in SCHEDULES for warm in WARMUPS if (kind, warm) != ("constant", "without")]


def options_of(kind: str, warm: str, of: type[spec.Optimizer] = spec.SGD) -> list[spec.Optimizer]:
    each = zip((0.3, 1e-3, 0.05), WARMUPS[warm], SCHEDULES[kind], strict=True)
    return [of(lr=lr, schedule=kind.split()[0], warmup=warmup, **more) for lr, warmup, more in each]


def scheduler(optimizer: torch.optim.Optimizer, o: spec.Optimizer) -> theirs.LRScheduler:
    """Torch's scheduler of an optimiser's options over ``UPDATES`` updates."""
    left = UPDATES - o.warmup
    after: theirs.LRScheduler
    if o.schedule == "linear":
        after = theirs.LinearLR(optimizer, start_factor=1.0, end_factor=o.end_factor, total_iters=left)
    elif o.schedule == "cosine":
        after = theirs.CosineAnnealingLR(optimizer, T_max=left, eta_min=o.lr * o.end_factor)
    elif o.schedule == "step":
        after = theirs.StepLR(optimizer, step_size=o.step_size, gamma=o.step_factor)
    else:
        after = theirs.LambdaLR(optimizer, lambda epoch: 1.0)
    if not o.warmup:
        return after
    before = theirs.LambdaLR(optimizer, lambda epoch: (epoch + 1) / o.warmup)
    return theirs.SequentialLR(optimizer, [before, after], milestones=[o.warmup])


def rates_of_torch(o: spec.Optimizer) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=o.lr)
    schedule = scheduler(optimizer, o)
    rates = []
    for _ in range(UPDATES):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # by SequentialLR itself
@pytest.mark.parametrize(("kind", "warm"), CASES)
def test_rates_are_torchs(kind: str, warm: str) -> None:
    options = options_of(kind, warm)
    schedule = Schedule.of(options, UPDATES, CPU)
    assert schedule is not None
    mine = torch.cat([schedule.rate(torch.tensor(update)) for update in range(1, UPDATES + 1)], 1)
    expected = torch.tensor([rates_of_torch(o) for o in options], dtype=torch.float64)
    # Torch multiplies its rate from update to update, and so adds up a rounding of each.
    torch.testing.assert_close(mine, expected, rtol=1e-12, atol=1e-15)
    assert len(mine.unique()) > 3


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@pytest.mark.parametrize(("kind", "warm"), [("cosine", "with"), ("step", "without")])
@pytest.mark.parametrize(("of", "torchs"), [(spec.SGD, torch.optim.SGD), (spec.AdamW, torch.optim.AdamW)])
def test_parameters_move_by_them_as_torchs_do(of: type[spec.Optimizer], torchs: Any, kind: str, warm: str) -> None:
    options = options_of(kind, warm, of)
    generator = torch.Generator().manual_seed(0)
    theta = start = torch.randn(3, 7, dtype=torch.float64, generator=generator)
    gradients = torch.randn(UPDATES, 3, 7, dtype=torch.float64, generator=generator)
    packed = pack_optimizer(options, theta, UPDATES)
    for number, gradient in enumerate(gradients, 1):
        theta = packed.step(theta, gradient.clone(), torch.tensor(number))
    for run, o in enumerate(options):
        mine = start[run].clone().requires_grad_()
        optimizer = torchs([mine], lr=o.lr)
        schedule = scheduler(optimizer, o)
        for gradient in gradients:
            mine.grad = gradient[run].clone()
            optimizer.step()
            schedule.step()
        torch.testing.assert_close(theta[run], mine.detach(), rtol=1e-11, atol=1e-12)


def test_a_constant_rate_is_no_schedule() -> None:
    assert Schedule.of([spec.Adam(), spec.Adam(lr=0.1)], UPDATES, CPU) is None


TASK = Copy(gap=3, items=2, symbols=2)


def runs(kind: str, **options: Any) -> list[RunSpec]:
    return [
        run_spec(TASK, RNN(hidden_size=3), seed, "adamw", batch_size=2, max_updates=UPDATES, **vars_of(o), **options)
        for seed, o in enumerate(options_of(kind, "with"))
    ]


def vars_of(o: spec.Optimizer) -> dict[str, Any]:
    return {name: getattr(o, name) for name in ("lr", "schedule", "warmup", "end_factor", "step_size", "step_factor")}


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_run_alone_is_the_run_in_a_pack_and_goes_on_as_it_would_have(kind: str, precision: str) -> None:
    """Through runs that leave, runs that are put back in another order, and updates that are replayed."""
    specs = runs(kind, precision=precision)
    assert len({s.pack_key for s in specs}) == 1
    alone, pack = [make_pack(s) for s in specs], make_pack(*specs)
    replayed = Pack(specs, CPU, record=lambda update, device: update)
    for update in range(12):
        if update == 3:
            pack.select([2, 0])
        if update == 7:
            again = make_pack(specs[0], specs[2])
            again.restore(pack.snapshot()[::-1])
            pack = again
        for each in (*alone, pack, replayed):
            each.step()
    assert torch.equal(replayed.theta, torch.cat([each.theta for each in alone]))
    assert torch.equal(pack.theta, replayed.theta[[0, 2]])
    assert pack.averages()["lr"].tolist() == replayed.averages()["lr"][[0, 2]].tolist()


def test_metrics_have_the_rate_of_the_last_update_where_there_is_a_schedule() -> None:
    specs = runs("cosine")
    pack = make_pack(*specs)
    for _ in range(9):
        pack.step()
    expected = [rates_of_torch(s.optimizer)[8] for s in specs]
    assert pack.averages()["lr"].tolist() == pytest.approx(expected, rel=1e-12)
    plain = dataclasses.replace(specs[0], optimizer=spec.Adam())
    pack = make_pack(plain)
    pack.step()
    assert "lr" not in pack.averages()
