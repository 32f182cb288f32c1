"""The gated recurrent unit (Cho et al. 2014), in the variant of torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.cells import initialisers
from lrd.cells.base import Parameters, State
from lrd.cells.gated import GatedCell
from lrd.cells.logistic import logistic
from lrd.options import option
from lrd.shapes import Float, Tensor


@dataclass(frozen=True)
class GRU(GatedCell):
    """A state h with an update gate z, which keeps it, and a reset gate r on what the candidate n sees of it.

    r_t = sigmoid(U_r x_t + W_r h_{t-1} + b_r)      z_t = sigmoid(U_z x_t + W_z h_{t-1} + b_z)
    n_t = tanh(U_n x_t + b_n + r_t (W_n h_{t-1} + d))
    h_t = (1 - z_t) n_t + z_t h_{t-1}

    As in torch, r multiplies W_n h_{t-1} and its bias d (Cho et al.: h_{t-1} itself), and the rows of U, W and b stand
    in the order r, z, n.
    """

    name: ClassVar[str] = "gru"
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    keeps: ClassVar[Mapping[str, str]] = {"h": "update"}

    forget_bias: float | None = option(
        None, "initial b_z, of the gate that keeps h; null leaves the initialiser's", per_run=True
    )
    chrono: int | None = option(
        None, "longest memory T_max of the chrono initialisation of b_z (Tallec & Ollivier 2018), or null", ge=3,
        per_run=True,
    )  # fmt: skip

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U [3 hidden, inputs], W [3 hidden, hidden], b [3 hidden], d [hidden]."""
        p = self._blocks(3, input_size, generator, keeps=1)
        n = self.hidden_size
        if self.init == "torch":  # torch has two biases a gate; those of n stay apart, where the others are summed
            p["b"][2 * n :] = initialisers.bias(self.init, n, n, 1, generator)
        return p | {"d": initialisers.bias(self.init, n, n, 1, generator)}

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        (h,) = state
        r, z, from_x, from_h = self._parts(p, x, h)
        candidate = torch.tanh(from_x + r * (from_h + p["d"]))
        return ((1 - z) * candidate + z * h,)

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        r, z, _, _ = self._parts(p, x, state[0])
        return {"reset": r, "update": z}

    def _parts(self, p: Parameters, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return r, z, and what n gets from the input and from the state."""
        n = self.hidden_size
        gates_x, from_x = torch.split(p["U"] @ x + p["b"], [2 * n, n])
        gates_h, from_h = torch.split(p["W"] @ h, [2 * n, n])
        r, z = logistic(gates_x + gates_h).chunk(2)
        return r, z, from_x, from_h
