"""Long short-term memory with input, forget and output gates (Hochreiter & Schmidhuber 1997; Gers et al. 2000)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.cells import initialisers
from lrd.cells.base import Cell, Parameters, State
from lrd.options import option
from lrd.shapes import Float, Tensor


@dataclass(frozen=True)
class LSTM(Cell):
    """A memory cell c behind three gates.

    i_t = sigmoid(U_i x_t + W_i h_{t-1} + b_i)      f_t = sigmoid(U_f x_t + W_f h_{t-1} + b_f)
    g_t = tanh(U_g x_t + W_g h_{t-1} + b_g)         o_t = sigmoid(U_o x_t + W_o h_{t-1} + b_o)
    c_t = f_t c_{t-1} + i_t g_t                     h_t = o_t tanh(c_t)

    The rows of U, W and b stand in the order i, f, g, o, as in torch.
    """

    name: ClassVar[str] = "lstm"
    state_names: ClassVar[tuple[str, ...]] = ("h", "c")
    keeps: ClassVar[Mapping[str, str]] = {"c": "forget"}

    init: str = option("torch", "initialiser of each gate's W", choices=initialisers.RECURRENT, per_run=True)
    gain: float = option(1.0, "factor g on the initial W", ge=0, per_run=True)
    forget_bias: float | None = option(
        1.0, "initial b_f (Jozefowicz et al. 2015); null leaves the initialiser's", per_run=True
    )
    chrono: int | None = option(
        None,
        "longest memory T_max of the chrono initialisation of b_f and b_i (Tallec & Ollivier 2018), or null",
        ge=3,
        per_run=True,
    )

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """U [4 hidden, inputs], W [4 hidden, hidden], b [4 hidden]."""
        n = self.hidden_size
        w = [initialisers.recurrent(self.init, n, self.gain, generator) for _ in range(4)]
        b = initialisers.bias(self.init, 4 * n, n, 2, generator)
        if self.forget_bias is not None:
            b[n : 2 * n] = self.forget_bias
        if self.chrono is not None:
            # b_f ~ log U(1, T_max - 1), b_i = -b_f: the gates' time constants spread over the range of the memory.
            b[n : 2 * n] = torch.empty(n).uniform_(1, self.chrono - 1, generator=generator).log()
            b[:n] = -b[n : 2 * n]
        u = torch.cat([initialisers.dense(self.init, n, input_size, n, generator) for _ in range(4)])
        return {"U": u, "W": torch.cat(w), "b": b}

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        h, c = state
        i, f, g, o = (p["U"] @ x + p["W"] @ h + p["b"]).chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def gates(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> dict[str, Tensor]:
        i, f, _, o = torch.sigmoid(p["U"] @ x + p["W"] @ state[0] + p["b"]).chunk(4)
        return {"input": i, "forget": f, "output": o}
