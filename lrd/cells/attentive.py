"""An RNN that looks back at its past states by attention: the comparison that needs no memory.

Attention over past inputs' states as in Bahdanau, Cho & Bengio (2015), over a network's own past states as in Kerg et
al. (2020, "Untangling tradeoffs between recurrence and self-attention") and Ke et al. (2018), here with the dot product
of Luong, Pham & Manning (2015). Any two steps are one step of gradient apart.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.cells import initialisers
from lrd.cells.base import Cell, Parameters, State
from lrd.options import option
from lrd.shapes import Float, Tensor


@dataclass(frozen=True)
class Attentive(Cell):
    """The vanilla RNN with one more input r_t, what it reads from its past states.

    q_t = P x_t + Q h_{t-1},    alpha_ts = softmax over s < t of q_t . h_s / sqrt N,    r_t = sum_s alpha_ts h_s,
    h_t = tanh(U x_t + W h_{t-1} + R r_t + b);    r_t = 0 at the first step.

    The state is h, the past states h_s in the order of steps as one vector (where it is full, the oldest one goes),
    and ``count``, how many there have been. A step writes h_{t-1}, not h_t, so that the gradient of h_t counts all that
    is ever read of it. The probes ``jacobian`` and ``lyapunov`` take matrices of the whole state: they want a small
    ``memory``.
    """

    name: ClassVar[str] = "attentive"
    state_names: ClassVar[tuple[str, ...]] = ("h", "past", "count")
    bookkeeping: ClassVar[frozenset[str]] = frozenset({"count"})

    memory: int | None = option(None, "how many of its last states it sees; null: all of a sequence", ge=1)
    init: str = option("torch", "initialiser of W", choices=initialisers.RECURRENT, per_run=True)
    gain: float = option(1.0, "factor g on the initial W", ge=0, per_run=True)

    def for_length(self, length: int) -> Cell:
        return self if self.memory is not None else dataclasses.replace(self, memory=max(1, length - 1))

    @property
    def keeps_states(self) -> int:
        """How many. Raises ``ValueError`` as long as neither ``memory`` nor ``for_length`` has said it."""
        if self.memory is None:
            raise ValueError("an attentive cell must know how many states it keeps: use its for_length")
        return self.memory

    def sees_all(self, length: int) -> bool:
        """Whether the last one of so many steps still sees the first."""
        return length - 1 <= self.keeps_states

    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.keeps_states * self.hidden_size, 1

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """U and P [hidden, inputs], W, Q and R [hidden, hidden], b [hidden]."""
        n = self.hidden_size
        to_units, to_query = (initialisers.dense(self.init, n, input_size, n, generator) for _ in range(2))
        return {
            "U": to_units,
            "W": initialisers.recurrent(self.init, n, self.gain, generator),
            "b": initialisers.bias(self.init, n, n, 2, generator),
            "P": to_query,
            "Q": initialisers.dense(self.init, n, n, n, generator),
            "R": initialisers.dense(self.init, n, n, n, generator),
        }

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        h, past, count = state
        past = past.view(-1, self.hidden_size)
        places = torch.arange(len(past), device=h.device)
        written = (count > 0) & (places == (count - 1) % len(past))
        past = torch.where(written[:, None], h, past)
        scores = past @ (p["P"] @ x + p["Q"] @ h) / math.sqrt(self.hidden_size)
        seen = places < count
        # A finite number: where nothing has been seen yet, softmax of -inf alone is no number.
        weights = torch.softmax(torch.where(seen, scores, torch.finfo(scores.dtype).min), -1) * seen
        new = torch.tanh(p["U"] @ x + p["W"] @ h + p["R"] @ (weights @ past) + p["b"])
        return new, past.flatten(), count + 1
