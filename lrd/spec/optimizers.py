"""Options of the optimisers, by name; what they do stands in ``lrd.training.optimizers``.

An optimiser of torch has torch's defaults, but for the learning rate and clipping, which are lrd's own and the same for
all; the variant of a paper is named after the paper, and has the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lrd.options import OptionError, check_options, option

CLIPS = ("none", "norm", "value")
SCHEDULES = ("constant", "linear", "cosine", "step")
#: Options of some schedules alone, and which these are.
_OF_SCHEDULES = {"end_factor": ("linear", "cosine"), "step_size": ("step",), "step_factor": ("step",)}
#: Marks of a number that turns something on where it is above 0, and that each run of a pack may have for itself.
_NUMBER: dict[str, Any] = {"ge": 0, "per_run": True, "switch": True}


@dataclass(frozen=True)
class Optimizer:
    """Options that every optimiser has; their defaults are lrd's own."""

    name: ClassVar[str]

    lr: float = option(1e-3, "learning rate", gt=0, per_run=True)
    schedule: str = option("constant", "how the learning rate changes over training", choices=SCHEDULES, switch=True)
    warmup: int = option(
        0, "updates over which the learning rate rises in equal steps, before its schedule; 0: none", **_NUMBER
    )
    end_factor: float = option(0.0, "share of lr at the end of schedules linear and cosine", le=1, **_NUMBER)
    step_size: int = option(1000, "updates between two falls of schedule step", ge=1, per_run=True, switch=True)
    step_factor: float = option(
        0.1, "factor of each fall of schedule step (torch's gamma)", gt=0, le=1, per_run=True, switch=True
    )
    clip: str = option("norm", "gradient clipping: by the norm over all parameters, by value, or none", choices=CLIPS)
    clip_threshold: float = option(1.0, "largest norm or value that passes", gt=0, per_run=True)
    gradient_noise: float = option(
        0.0, "eta, the variance of the noise that update 1 adds to the gradient (Neelakantan et al. 2015)", **_NUMBER
    )
    noise_decay: float = option(0.55, "gamma of that noise: its variance at update k is eta / k^gamma", **_NUMBER)

    def __post_init__(self) -> None:
        check_options(self)
        defaults = {name: field.default for name, field in self.__dataclass_fields__.items()}
        for key, schedules in _OF_SCHEDULES.items():
            if getattr(self, key) != defaults[key] and self.schedule not in schedules:
                is_for = f"is for schedule={' or '.join(schedules)} alone, got schedule={self.schedule}"
                raise OptionError(key, f"{is_for}; set it to {defaults[key]}")
        if self.noise_decay != defaults["noise_decay"] and not self.gradient_noise:
            raise OptionError("noise_decay", f"needs gradient_noise > 0; set it to {defaults['noise_decay']}")

    def check(self, updates: int) -> None:
        """Check the options against the length of training.

        Args:
            updates: The option ``training.max_updates``.

        Raises:
            OptionError: training ends before the learning rate has risen.
        """
        if self.warmup >= updates:
            raise OptionError("warmup", f"must be < training.max_updates, {updates}, got {self.warmup}")


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum, as in torch."""

    name: ClassVar[str] = "sgd"

    momentum: float = option(0.0, "momentum", ge=0, lt=1, per_run=True)
    nesterov: bool = option(False, "Nesterov's momentum (Sutskever et al. 2013)")


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """Divide by a running root mean square, as in torch, whose decay (``alpha``) is 0.99; most papers have 0.9."""

    name: ClassVar[str] = "rmsprop"

    decay: float = option(
        0.99, "decay of the mean squared gradient (torch's alpha; most papers: 0.9)", ge=0, lt=1, per_run=True
    )
    eps: float = option(1e-8, "added to the root mean squared gradient", gt=0, per_run=True)


@dataclass(frozen=True)
class RMSpropURNN(Optimizer):
    """RMSprop of the code of Arjovsky, Shah & Bengio (2016)."""

    name: ClassVar[str] = "rmsprop_urnn"

    decay: float = option(0.9, "decay of the mean squared gradient, which starts at 1e-3", ge=0, lt=1, per_run=True)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Kingma & Ba (2015), as in torch."""

    name: ClassVar[str] = "adam"

    beta1: float = option(0.9, "decay of the mean gradient", ge=0, lt=1, per_run=True)
    beta2: float = option(0.999, "decay of the mean squared gradient", ge=0, lt=1, per_run=True)
    eps: float = option(1e-8, "added to the root mean squared gradient", gt=0, per_run=True)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019), as in torch."""

    name: ClassVar[str] = "adamw"

    weight_decay: float = option(0.01, "share lr * weight_decay that each update takes off", ge=0, per_run=True)


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in (SGD, RMSprop, RMSpropURNN, Adam, AdamW)}
