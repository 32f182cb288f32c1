"""Packed optimisers and clipping against torch's, with a learning rate and constants of its own for each run."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
import torch

from lrd import spec
from lrd.training.optimizers import clip, norm, pack_optimizer

RATES = (0.3, 1e-3, 0.05)
# 30 updates of some 10 roundings of numbers of size 1, each kept as it is by the next update.
CLOSE = {"rtol": 1e-12, "atol": 1e-12}

PAIRS: dict[str, tuple[list[spec.Optimizer], Any]] = {
    "sgd": ([spec.SGD(lr=lr) for lr in RATES], lambda o: {"lr": o.lr}),
    "momentum": (
        [spec.SGD(lr=lr, momentum=mu) for lr, mu in zip(RATES, (0.9, 0.0, 0.99), strict=True)],
        lambda o: {"lr": o.lr, "momentum": o.momentum},
    ),
    "nesterov": (
        [spec.SGD(lr=lr, momentum=mu, nesterov=True) for lr, mu in zip(RATES, (0.9, 0.5, 0.995), strict=True)],
        lambda o: {"lr": o.lr, "momentum": o.momentum, "nesterov": True},
    ),
    "rmsprop": (
        [
            spec.RMSprop(lr=lr, decay=d, eps=e)
            for lr, d, e in zip(RATES, (0.9, 0.0, 0.99), (1e-8, 1e-3, 1.0), strict=True)
        ],
        lambda o: {"lr": o.lr, "alpha": o.decay, "eps": o.eps},
    ),
    "adam": (
        [
            spec.Adam(lr=lr, beta1=b, beta2=c, eps=e)
            for lr, b, c, e in zip(RATES, (0.9, 0.0, 0.5), (0.999, 0.9, 0.0), (1e-8, 1e-8, 0.1), strict=True)
        ],
        lambda o: {"lr": o.lr, "betas": (o.beta1, o.beta2), "eps": o.eps},
    ),
    "adamw": (
        [spec.AdamW(lr=lr, weight_decay=w) for lr, w in zip(RATES, (0.01, 0.0, 3.0), strict=True)],
        lambda o: {"lr": o.lr, "weight_decay": o.weight_decay},
    ),
}
THEIRS = {"rmsprop": torch.optim.RMSprop, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


#: lrd's own: learning rate with its schedule, clipping and noise.
OWN = {field.name for field in dataclasses.fields(spec.Optimizer)}


@pytest.mark.parametrize("kind", spec.OPTIMIZERS.values(), ids=spec.OPTIMIZERS)
def test_what_is_said_to_be_torchs_has_torchs_defaults(kind: type[spec.Optimizer]) -> None:
    assert kind.__doc__ is not None
    if "as in torch" not in kind.__doc__.lower():
        assert "code of Arjovsky, Shah & Bengio (2016)" in kind.__doc__, "a variant names the paper that it is of"
        return
    theirs = inspect.signature(THEIRS.get(kind.name, torch.optim.SGD)).parameters
    torchs = {"decay": "alpha"}
    for field in dataclasses.fields(kind):
        if field.name.startswith("beta"):
            assert field.default == theirs["betas"].default[int(field.name[-1]) - 1]
        elif field.name not in OWN:
            assert field.default == theirs[torchs.get(field.name, field.name)].default, field.name


def gradients(updates: int = 30) -> torch.Tensor:
    """[updates, runs, parameters]: of many sizes, some of them exactly 0."""
    g = torch.Generator().manual_seed(0)
    values = torch.randn(updates, 3, 7, dtype=torch.float64, generator=g)
    return (
        values * 10 ** torch.randn(7, dtype=torch.float64, generator=g) * (torch.rand(updates, 3, 7, generator=g) > 0.1)
    )


@pytest.mark.parametrize("name", PAIRS)
def test_packed_optimiser_is_torchs_run_by_run(name: str) -> None:
    options, constants = PAIRS[name]
    theta = start = torch.randn(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    packed = pack_optimizer(options, theta)
    for number, gradient in enumerate(gradients(), 1):
        theta = packed.step(theta, gradient.clone(), torch.tensor(number))
    for run, option in enumerate(options):
        mine = start[run].clone().requires_grad_()
        optimizer = THEIRS.get(name, torch.optim.SGD)([mine], **constants(option))
        for gradient in gradients():
            mine.grad = gradient[run].clone()
            optimizer.step()
        torch.testing.assert_close(theta[run], mine.detach(), **CLOSE)
    assert not torch.equal(theta, start)


def test_rmsprop_of_the_urnn_paper_by_hand() -> None:
    options = [spec.RMSpropURNN(lr=lr, decay=d) for lr, d in zip(RATES, (0.9, 0.5, 0.0), strict=True)]
    theta = torch.ones(3, 7, dtype=torch.float64)
    packed = pack_optimizer(options, theta)
    expected = [[1.0] * 7 for _ in range(3)]
    squares = [[1e-3] * 7 for _ in range(3)]
    for number, gradient in enumerate(gradients() + 1e-3, 1):  # decay 0 and a gradient of 0 would be 0 / 0
        theta = packed.step(theta, gradient.clone(), torch.tensor(number))
        for r, option in enumerate(options):
            for j in range(7):
                g = float(gradient[r, j])
                squares[r][j] = option.decay * squares[r][j] + (1 - option.decay) * g**2
                expected[r][j] -= option.lr * g / squares[r][j] ** 0.5
    torch.testing.assert_close(theta, torch.tensor(expected, dtype=torch.float64), **CLOSE)


@pytest.mark.parametrize("flushed", [False, True], ids=["with subnormal numbers", "without"])
@pytest.mark.parametrize("kind", spec.OPTIMIZERS.values(), ids=spec.OPTIMIZERS)
def test_a_gradient_that_stays_zero_or_nearly_so_moves_nothing_far(kind: type[spec.Optimizer], flushed: bool) -> None:
    """Workers compute without subnormal numbers: what decays by the update ends at 0, and 0 / 0 is no step.

    The mean square of 1e-3 at a decay of 0.9 is below every normal float32 after 760 updates. Of gradients of 1e-25 no
    float32 holds the square; Adam moves by at most lr an update.
    """
    option = kind() if kind is spec.AdamW else kind(lr=1e-3)
    theta, gradient = torch.ones(1, 3), torch.tensor([[0.0, 1e-25, 1.0]])
    packed = pack_optimizer([option], theta)
    can = torch.set_flush_denormal(flushed)
    try:
        for update in range(1, 1201):
            theta = packed.step(theta, gradient.clone(), torch.tensor(update))
    finally:
        torch.set_flush_denormal(False)
    if flushed and not can:
        pytest.skip("this processor has subnormal numbers always")
    assert theta.isfinite().all()
    still, small, moved = theta[0].tolist()
    kept = (1 - option.lr * getattr(option, "weight_decay", 0.0)) ** 1200
    assert still == pytest.approx(kept, rel=1e-4)
    assert abs(small - kept) <= 1200 * option.lr
    assert moved < 1


def test_whole_numbers_are_constants_like_others() -> None:
    packed = pack_optimizer([spec.SGD(lr=1), spec.SGD(lr=0.5, momentum=0)], torch.zeros(2, 1))
    assert packed.step(torch.zeros(2, 1), torch.ones(2, 1), torch.tensor(1)).tolist() == [[-1.0], [-0.5]]


def test_selected_rows_go_on_as_they_would_have() -> None:
    options = PAIRS["adam"][0]
    theta = torch.zeros(3, 7, dtype=torch.float64)
    whole, part = pack_optimizer(options, theta), pack_optimizer(options, theta)
    rows, a, b = torch.tensor([2, 0]), theta, theta
    for update, gradient in enumerate(gradients(8)):
        number = torch.tensor(update + 1)
        a = whole.step(a, gradient.clone(), number)
        if update == 4:
            part.each(lambda tensor: tensor[rows])
            b = b[rows]
        b = part.step(b, (gradient[rows] if update >= 4 else gradient).clone(), number)
    assert torch.equal(a[rows], b)


@pytest.mark.parametrize("kind", ["norm", "value", "none"])
def test_clipping_is_torchs(kind: str) -> None:
    grads = gradients(5)
    for grad in grads:
        thresholds = torch.tensor([[0.5], [3.0], [1e9]], dtype=torch.float64)
        clipped, before, after = clip(kind, grad.clone(), thresholds)
        for run in range(3):
            parameter = torch.zeros(7, dtype=torch.float64, requires_grad=True)
            parameter.grad = grad[run].clone()
            if kind == "norm":
                torch.nn.utils.clip_grad_norm_([parameter], float(thresholds[run]))
            elif kind == "value":
                torch.nn.utils.clip_grad_value_([parameter], float(thresholds[run]))
            torch.testing.assert_close(clipped[run], parameter.grad, rtol=1e-14, atol=0)
            assert float(before[run]) == pytest.approx(float(grad[run].norm()), rel=1e-14)
            assert float(after[run]) == pytest.approx(float(parameter.grad.norm()), rel=1e-13)


def test_norms_whose_squares_are_beyond_float32() -> None:
    grad = torch.tensor([[3e30, 4e30], [3e-30, 4e-30], [0.0, 0.0]])
    clipped, before, after = clip("norm", grad, torch.full((3, 1), 1.0))
    assert before.tolist() == pytest.approx([5e30, 5e-30, 0.0], rel=1e-7)
    torch.testing.assert_close(clipped[0], torch.tensor([0.6, 0.8]))
    assert torch.equal(clipped[1:], grad[1:])
    assert after.tolist() == pytest.approx([1.0, 5e-30, 0.0], rel=1e-7)
    assert norm(torch.full((1, 4), 3e38)).tolist() == pytest.approx([6e38], rel=1e-6)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_stays_in_its_run(wrong: float) -> None:
    grad = torch.tensor([[1.0, wrong], [3.0, 4.0]])
    for kind in ("norm", "value", "none"):
        alone, *norms_alone = clip(kind, grad[1:].clone(), torch.ones(1, 1))
        clipped, *norms = clip(kind, grad.clone(), torch.ones(2, 1))
        assert torch.equal(clipped[1:], alone)
        assert [n[1:].tolist() for n in norms] == [n.tolist() for n in norms_alone]
        assert kind == "value" or not clipped[0].isfinite().all()
