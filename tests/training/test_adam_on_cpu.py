"""Adam in one pass of machine code: torch's own in float64, the passes of torch, and each run as alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import EPS32

from lrd.shapes import Tensor
from lrd.spec import Adam, AdamW
from lrd.training import adam_on_cpu
from lrd.training.optimizers import PackOptimizer, pack_optimizer

pytest.importorskip("numba")
UPDATES, SIZE = 40, 300


def gradients(runs: int, seed: int = 0) -> list[Tensor]:
    """Of sizes from 1e-12 to 10, some of them 0."""
    generator = torch.Generator().manual_seed(seed)
    sizes = 10 ** (13 * torch.rand(runs, SIZE, generator=generator) - 12)
    sizes[:, ::17] = 0
    return [sizes * torch.randn(runs, SIZE, generator=generator) for _ in range(UPDATES)]


def trained(options: list[Any], theta: Tensor, grads: list[Tensor]) -> tuple[Tensor, PackOptimizer]:
    optimizer = pack_optimizer(options, theta, UPDATES)
    for number, grad in enumerate(grads, 1):
        theta = optimizer.step(theta, grad.clone(), torch.tensor(number))
    return theta, optimizer


def of_torch(call: Callable[[], Any]) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adam_on_cpu, "program", lambda: None)
        return call()


OPTIONS = [Adam(lr=0.01), Adam(lr=3e-3, beta1=0.5, beta2=0.9, eps=1e-4), Adam(lr=1.0, beta1=0.0)]


def test_it_is_torchs_adam_in_float64() -> None:
    """Both round to float32 some four times an update; the changes of theta are of the size of lr."""
    theta, grads = torch.randn(3, SIZE, generator=torch.Generator().manual_seed(1)), gradients(3)
    found, _ = trained(OPTIONS, theta, grads)
    for run, option in enumerate(OPTIONS):
        parameter = theta[run].double().requires_grad_()
        reference = torch.optim.Adam([parameter], lr=option.lr, betas=(option.beta1, option.beta2), eps=option.eps)
        for grad in grads:
            parameter.grad = grad[run].double()
            reference.step()
        error = (found[run] - parameter.detach()).abs()
        assert bool((error <= UPDATES * EPS32 * (theta[run].abs() + 10 * option.lr + parameter.detach().abs())).all())


@pytest.mark.parametrize("kind", [Adam, AdamW])
def test_its_memory_is_that_of_torchs_passes_and_theta_but_for_last_bits(kind: Any) -> None:
    options = [kind(lr=0.01, schedule="linear", warmup=3), kind(lr=0.1, beta1=0.5, schedule="linear", warmup=3)]
    theta, grads = torch.randn(2, SIZE, generator=torch.Generator().manual_seed(2)), gradients(2)
    found, mine = trained(options, theta, grads)
    expected, theirs = of_torch(lambda: trained(options, theta, grads))
    for name in ("mean", "square"):
        torch.testing.assert_close(mine.slots[name], theirs.slots[name], rtol=2 * EPS32, atol=0)
    torch.testing.assert_close(found, expected, rtol=0, atol=UPDATES * EPS32)


def test_a_run_is_as_alone_bit_for_bit_and_may_overflow_by_itself() -> None:
    theta, grads = torch.randn(3, SIZE, generator=torch.Generator().manual_seed(3)), gradients(3)
    grads[5][1, 7], grads[9][1, 8] = torch.inf, torch.nan
    found, _ = trained(OPTIONS, theta, grads)
    assert found[1, 8].isnan()
    assert found[[0, 2]].isfinite().all()
    for run in range(3):
        rows = slice(run, run + 1)
        alone, _ = trained(OPTIONS[rows], theta[rows], [grad[rows] for grad in grads])
        assert torch.equal(alone.nan_to_num(), found[rows].nan_to_num())


def test_float64_and_no_numba_have_torchs_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    theta, grads = torch.randn(1, SIZE).double(), [grad.double() for grad in gradients(1)]
    monkeypatch.setattr(adam_on_cpu, "adam_step", None)
    assert trained(OPTIONS[:1], theta, grads)[0].dtype == torch.float64
    monkeypatch.setattr(adam_on_cpu, "program", lambda: None)
    assert trained(OPTIONS[:1], theta.float(), [grad.float() for grad in grads])[0].dtype == torch.float32
