"""An RNN that reads its own past states by attention: a comparison in which nothing has to be remembered.

Attention over the states of another sequence: Bahdanau, Cho & Bengio (2015). Over a network's own past states: Kerg et
al. (2020, "Untangling tradeoffs between recurrence and self-attention") and Ke et al. (2018). Here it scores by the dot
product of Luong, Pham & Manning (2015). The gradient gets from any step to any earlier one in a single step.
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
    """The vanilla RNN with one more input, r_t, which it reads from its past states.

    q_t = P x_t + Q h_{t-1},    alpha_ts = softmax over s < t of q_t . h_s / sqrt N,    r_t = sum_s alpha_ts h_s,
    h_t = tanh(U x_t + W h_{t-1} + R r_t + b);    r_t = 0 at the first step.

    The state is h; ``past``, the states h_s in the order of steps as one vector, from which the oldest goes when it is
    full; and ``count``, the number of steps done. A step writes h_{t-1} into ``past``, not h_t, so that dL/dh_t counts
    all that is ever read of h_t. The probes ``jacobian`` and ``lyapunov`` take matrices of the whole state: they need a
    small ``memory``.
    """

    name: ClassVar[str] = "attentive"
    state_names: ClassVar[tuple[str, ...]] = ("h", "past", "count")
    bookkeeping: ClassVar[frozenset[str]] = frozenset({"count"})

    memory: int | None = option(None, "past states that it sees, the last ones; null: all of a sequence", ge=1)
    init: str = option("torch", "initialiser of W", choices=initialisers.RECURRENT, per_run=True)
    gain: float = option(1.0, "factor g on the initial W", ge=0, per_run=True)

    def for_length(self, length: int) -> Cell:
        return self if self.memory is not None else dataclasses.replace(self, memory=max(1, length - 1))

    @property
    def keeps_states(self) -> int:
        """The number of past states that it keeps.

        Raises:
            ValueError: Neither ``memory`` nor ``for_length`` has said it.
        """
        if self.memory is None:
            raise ValueError("an attentive cell must know how many states it keeps: use its for_length")
        return self.memory

    def sees_all(self, length: int) -> bool:
        """Return whether the last one of ``length`` steps still sees the first."""
        return length - 1 <= self.keeps_states

    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, self.keeps_states * self.hidden_size, 1

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U and P [hidden, inputs], W, Q and R [hidden, hidden], b [hidden]."""
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
        # Write h_{t-1} over the oldest of the past states.
        h, past, count = state
        past = past.view(-1, self.hidden_size)
        places = torch.arange(len(past), device=h.device)
        written = (count > 0) & (places == (count - 1) % len(past))
        past = torch.where(written[:, None], h, past)
        # Read them.
        scores = past @ (p["P"] @ x + p["Q"] @ h) / math.sqrt(self.hidden_size)
        seen = places < count
        # A finite number: where nothing has been seen yet, softmax of -inf alone is no number.
        weights = torch.softmax(torch.where(seen, scores, torch.finfo(scores.dtype).min), -1) * seen
        new = torch.tanh(p["U"] @ x + p["W"] @ h + p["R"] @ (weights @ past) + p["b"])
        return new, past.flatten(), count + 1
