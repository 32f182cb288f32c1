"""Options of the optimisers, by name; what they do stands in ``lrd.training.optimizers``.

An optimiser of torch has torch's defaults, but for the learning rate and clipping, which are lrd's own and the same for
all; the variant of a paper is named after the paper, and has the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lrd.options import check_options, option

CLIPS = ("none", "norm", "value")


@dataclass(frozen=True)
class Optimizer:
    """Options that every optimiser has; their defaults are lrd's own."""

    name: ClassVar[str]

    lr: float = option(1e-3, "learning rate", gt=0, per_run=True)
    clip: str = option("norm", "gradient clipping: by the norm over all parameters, by value, or none", choices=CLIPS)
    clip_threshold: float = option(1.0, "largest norm or value that passes", gt=0, per_run=True)

    def __post_init__(self) -> None:
        check_options(self)


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


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in (SGD, RMSprop, RMSpropURNN, Adam)}
