"""Optimisers over a whole pack: one set of tensor operations for all runs, each run with constants of its own.

Parameters and gradients are matrices [runs, parameters]; every option marked ``per_run`` is a column [runs, 1]. The
update rules are torch's (tested against ``torch.optim``), and the uRNN paper's RMSprop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch

from lrd import spec
from lrd.shapes import Float, Int, Tensor
from lrd.training import adam_on_cpu
from lrd.training.gradient_noise import noisy
from lrd.training.schedule import Schedule

Constants = dict[str, Float[Tensor, "runs 1"]]


class PackOptimizer:
    """The base class of the optimisers of packs.

    Attributes:
        slot_start: By name of a slot, the number that it is filled with at the start.
        slots: The optimiser's memory, [runs, parameters] by name.
        constants: The options that may differ from run to run, [runs, 1] by name.
        clip: How gradients are clipped: none, norm or value.
        schedule: The learning rate of every update; None: it is always that of the constants.
    """

    slot_start: dict[str, float] = {}

    def __init__(
        self, options: Sequence[spec.Optimizer], theta: Float[Tensor, "runs parameters"], updates: int = 1
    ) -> None:
        """Begin with the options of each run, parameters as they will be updated, and the updates of a schedule."""
        per_run = [field.name for field in dataclasses.fields(options[0]) if field.metadata["per_run"]]
        self.constants: Constants = {
            name: torch.tensor([[getattr(o, name)] for o in options], dtype=theta.dtype, device=theta.device)
            for name in per_run
        }
        self.clip = options[0].clip
        self.schedule = Schedule.of(options, updates, theta.device)
        self._noise = options[0].gradient_noise > 0
        self.slots = {name: torch.full_like(theta, start) for name, start in self.slot_start.items()}

    def step(self, theta: Tensor, grad: Tensor, update: Int[Tensor, ""]) -> Float[Tensor, "runs parameters"]:
        """Return the parameters after one update, as a new tensor; ``slots`` change in place.

        Args:
            theta: Parameters [runs, parameters].
            grad: Their gradient, which may be overwritten.
            update: The number of this update, counted from 1. A tensor, so that the same calls can be replayed.
        """
        constants = self.constants
        if self.schedule is not None:
            constants = constants | {"lr": self.schedule.rate(update).to(theta.dtype)}
        return self._step(theta, grad, constants, self.slots, update)

    def _step(self, theta: Tensor, grad: Tensor, k: Constants, slots: dict[str, Tensor], update: Tensor) -> Tensor:
        raise NotImplementedError

    def with_noise(self, grad: Tensor, seeds: Int[Tensor, "runs"], update: Int[Tensor, ""]) -> Tensor:
        """Return clipped gradients with the noise of this update, where there is any (``lrd.training.gradient_noise``).

        Args:
            grad: The gradients [runs, parameters].
            seeds: The seed of each run.
            update: The number of this update, counted from 1.
        """
        if not self._noise:
            return grad
        return noisy(grad, seeds, update - 1, self.constants["gradient_noise"], self.constants["noise_decay"])

    def each(self, change: Callable[[Tensor], Tensor]) -> None:
        """Change every tensor whose rows are runs."""
        self.constants = {name: change(column) for name, column in self.constants.items()}
        self.slots = {name: change(slot) for name, slot in self.slots.items()}
        self.schedule = None if self.schedule is None else self.schedule.each(change)


class Momentum(PackOptimizer):
    """v <- mu v + g; theta <- theta - lr v (classical momentum; mu = 0 is plain gradient descent)."""

    slot_start = {"velocity": 0.0}

    def _step(self, theta: Tensor, grad: Tensor, k: Constants, slots: dict[str, Tensor], update: Tensor) -> Tensor:
        v = slots["velocity"].mul_(k["momentum"]).add_(grad)
        return torch.addcmul(theta, k["lr"], v, value=-1)


class PackNesterov(PackOptimizer):
    """v <- mu v + g; theta <- theta - lr (g + mu v) (Sutskever et al. 2013, in torch's form)."""

    slot_start = {"velocity": 0.0}

    def _step(self, theta: Tensor, grad: Tensor, k: Constants, slots: dict[str, Tensor], update: Tensor) -> Tensor:
        v = slots["velocity"].mul_(k["momentum"]).add_(grad)
        return torch.addcmul(theta, k["lr"], grad.addcmul_(k["momentum"], v), value=-1)


class PackRMSprop(PackOptimizer):
    """s <- d s + (1-d) g^2; theta <- theta - lr g / (sqrt(s) + eps) (torch.optim.RMSprop)."""

    slot_start = {"square": 0.0}

    def _step(self, theta: Tensor, grad: Tensor, k: Constants, slots: dict[str, Tensor], update: Tensor) -> Tensor:
        s = slots["square"].mul_(k["decay"]).addcmul_((1 - k["decay"]) * grad, grad)
        return theta - k["lr"] * grad / s.sqrt().add_(k["eps"])


class PackRMSpropURNN(PackOptimizer):
    """s <- d s + (1-d) g^2, from s = 1e-3; theta <- theta - lr g / sqrt(s) (code of Arjovsky et al. 2016).

    Where gradients stay 0, s falls without end. Where float32 has no subnormal numbers, as in workers, it is 0 after
    some 760 updates at a decay of 0.9, and g / sqrt(s) is 0 / 0. So s ends at the least normal number.
    """

    slot_start = {"square": 1e-3}

    def _step(self, theta: Tensor, grad: Tensor, k: Constants, slots: dict[str, Tensor], update: Tensor) -> Tensor:
        s = slots["square"].mul_(k["decay"]).addcmul_((1 - k["decay"]) * grad, grad)
        return theta - k["lr"] * grad / s.clamp_(min=torch.finfo(s.dtype).tiny).sqrt()


class PackAdam(PackOptimizer):
    """theta <- theta - lr/(1-b1^t) m / (sqrt(s/(1-b2^t)) + eps) (Kingma & Ba 2015, in torch's form)."""

    slot_start = {"mean": 0.0, "square": 0.0}

    def __init__(
        self, options: Sequence[spec.Optimizer], theta: Float[Tensor, "runs parameters"], updates: int = 1
    ) -> None:
        super().__init__(options, theta, updates)
        betas = [self.constants["beta1"], self.constants["beta2"]]
        self.constants |= {"rest1": 1 - betas[0], "rest2": 1 - betas[1], "betas": torch.stack(betas, 1).double()}

    def _step(self, theta: Tensor, grad: Tensor, k: Constants, slots: dict[str, Tensor], update: Tensor) -> Tensor:
        if theta.is_cpu and theta.dtype == torch.float32 and adam_on_cpu.program() is not None:
            return adam_on_cpu.adam_step(theta, grad, slots["mean"], slots["square"], k, update)
        m = slots["mean"].lerp_(grad, k["rest1"])
        s = slots["square"].mul_(k["beta2"]).addcmul_(k["rest2"] * grad, grad)
        # In float64, like the Python numbers of torch.optim: 1 - 0.999^t loses digits in float32.
        first, second = k["betas"].pow(update).neg_().add_(1).unbind(1)
        denominator = s.sqrt().mul_(second.sqrt_().reciprocal_().to(s.dtype)).add_(k["eps"])
        return torch.addcdiv(theta, m * (k["lr"] / first).to(m.dtype), denominator, value=-1)


class PackAdamW(PackAdam):
    """theta <- (1 - lr weight_decay) theta, then as ``PackAdam`` (Loshchilov & Hutter 2019, in torch's form)."""

    def _step(self, theta: Tensor, grad: Tensor, k: Constants, slots: dict[str, Tensor], update: Tensor) -> Tensor:
        # In float64, like the Python numbers of torch.optim: in float32 1 - 1e-3 * 1e-2 has two digits of what is lost.
        kept = 1 - k["lr"].double() * k["weight_decay"].double()
        return super()._step(theta * kept.to(theta.dtype), grad, k, slots, update)


def pack_optimizer(
    options: Sequence[spec.Optimizer], theta: Float[Tensor, "runs parameters"], updates: int = 1
) -> PackOptimizer:
    """Return the optimiser of a pack.

    Args:
        options: The optimiser's options of each run; they differ in ``per_run`` values only.
        theta: The parameters at the start.
        updates: The updates of the whole training, over which a schedule of the learning rate lasts.
    """
    first = options[0]
    if isinstance(first, spec.SGD):
        return (PackNesterov if first.nesterov else Momentum)(options, theta, updates)
    kinds: dict[type[spec.Optimizer], type[PackOptimizer]] = {
        spec.RMSprop: PackRMSprop,
        spec.RMSpropURNN: PackRMSpropURNN,
        spec.Adam: PackAdam,
        spec.AdamW: PackAdamW,
    }
    return kinds[type(first)](options, theta, updates)


def clip(
    kind: str, grad: Float[Tensor, "runs parameters"], threshold: Float[Tensor, "runs 1"]
) -> tuple[Float[Tensor, "runs parameters"], Float[Tensor, "runs"], Float[Tensor, "runs"]]:
    """Return the clipped gradients, and each run's norm before and after.

    By norm (Pascanu et al. 2013, in torch's form): g min(1, threshold / (|g| + 1e-6)). By value: each entry is clamped
    to [-threshold, threshold]. Norms are in float64, in which squares cannot overflow.

    Args:
        kind: none, norm or value.
        grad: The gradient of each run.
        threshold: The threshold of each run.
    """
    before = norm(grad)
    if kind == "none":
        return grad, before, before
    if kind == "value":
        clipped = grad.clamp(-threshold, threshold)
        return clipped, before, norm(clipped)
    factor = (threshold[:, 0] / (before + 1e-6)).clamp_(max=1.0)
    return grad * factor.to(grad.dtype)[:, None], before, before * factor


def norm(x: Float[Tensor, "runs parameters"]) -> Float[Tensor, "runs"]:
    """Return the Euclidean norm of each row, in float64."""
    result: Tensor = torch.linalg.vector_norm(x, dim=-1, dtype=torch.float64)
    return result
