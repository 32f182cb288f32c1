"""The vanilla RNN (Elman 1990)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.cells import initialisers
from lrd.cells.base import Cell, Parameters, State
from lrd.options import option
from lrd.shapes import Float, Tensor

#: The function f by its name.
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda a: a,
}

#: f'(a) as a function of h = f(a): the backward pass then needs only the states.
DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).to(h.dtype),
    "sigmoid": lambda h: h * (1 - h),
    "identity": torch.ones_like,
}


@dataclass(frozen=True)
class RNN(Cell):
    """h_t = f(U x_t + W h_{t-1} + b)."""

    name: ClassVar[str] = "rnn"
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    step_options: ClassVar[tuple[str, ...]] = ("activation",)

    activation: str = option("tanh", "the function f", choices=ACTIVATIONS)
    init: str = option("torch", "initialiser of W", choices=initialisers.RECURRENT, per_run=True)
    gain: float = option(1.0, "factor g on the initial W", ge=0, per_run=True)
    input_std: float | None = option(
        None,
        "initial U is normal with this standard deviation; null: the initialiser's",
        ge=0,
        per_run=True,
        switch=True,
    )

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U [hidden, inputs], W [hidden, hidden], b [hidden]."""
        n = self.hidden_size
        u = initialisers.dense(self.init, n, input_size, n, generator)
        if self.input_std is not None:
            u.normal_(std=self.input_std, generator=generator)
        return {
            "U": u,
            "W": initialisers.recurrent(self.init, n, self.gain, generator),
            "b": initialisers.bias(self.init, n, n, 2, generator),
        }

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        (h,) = state
        return (ACTIVATIONS[self.activation](p["U"] @ x + p["W"] @ h + p["b"]),)
