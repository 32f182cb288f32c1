"""The Clockwork RNN (Koutnik, Greff, Gomez & Schmidhuber 2014)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch

from lrd.cells import initialisers
from lrd.cells.base import Cell, Parameters, State
from lrd.options import option
from lrd.shapes import Float, Tensor


@dataclass(frozen=True)
class Clockwork(Cell):
    """Modules of units with periods 1, 2, 4, ...: at step t only those are updated whose period divides t = 0, 1, ...

    A unit that is updated is h_t = tanh(U x_t + W h_{t-1} + b); any other stays as it was (eqs. 1 and 2, section 3).
    Units get input from their own module and from slower ones: W is upper block-triangular. The state variable
    ``clock`` is the number of steps done.
    """

    name: ClassVar[str] = "clockwork"
    state_names: ClassVar[tuple[str, ...]] = ("h", "clock")
    bookkeeping: ClassVar[frozenset[str]] = frozenset({"clock"})

    modules: int = option(
        8, "modules, of about as many units each; the period doubles from one to the next", ge=1, le=20
    )
    init: str = option(
        "gaussian",
        "initialiser of W, before its lower blocks are set to 0",
        choices=initialisers.RECURRENT,
        per_run=True,
    )
    gain: float = option(1.0, "factor g on the initial W", ge=0, per_run=True)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U [hidden, inputs], b [hidden], and R, the entries of W that are not fixed at 0, by rows."""
        n = self.hidden_size
        u = initialisers.dense(self.init, n, input_size, n, generator)
        w = initialisers.recurrent(self.init, n, self.gain, generator)
        periods = _periods(n, self.modules, w.device)
        return {"U": u, "R": w[_connected(periods)], "b": initialisers.bias(self.init, n, n, 2, generator)}

    def prepare(self, p: Parameters) -> Parameters:
        """Return W [hidden, hidden] in place of R."""
        n, r = self.hidden_size, p["R"]
        there = _places(n, self.modules, r.device)
        return {"W": r.new_zeros(n, n).index_put(there, r)} | {name: v for name, v in p.items() if name != "R"}

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        h, clock = state
        periods = _periods(self.hidden_size, self.modules, h.device)
        # Zeros stay zeros. The product makes the gradient of a step in W 0 there too.
        w = p["W"] * _connected(periods)
        new = torch.tanh(p["U"] @ x + w @ h + p["b"])
        return torch.where(clock % periods == 0, new, h), clock + 1

    def state_sizes(self) -> tuple[int, ...]:
        return self.hidden_size, 1


@lru_cache(maxsize=16)
def _periods(units: int, modules: int, device: torch.device) -> Tensor:
    """Return the period of each unit [units]; the first modules have the units that are left over."""
    size, more = divmod(units, modules)
    sizes = torch.tensor([size + (module < more) for module in range(modules)])
    return (2 ** torch.arange(modules)).repeat_interleave(sizes).to(device)


@lru_cache(maxsize=16)
def _places(units: int, modules: int, device: torch.device) -> tuple[Tensor, ...]:
    """Return rows and columns of the entries of W that are not fixed at 0.

    They are kept, because finding them anew at every update would wait for the GPU.
    """
    there = _connected(_periods(units, modules, torch.device("cpu"))).nonzero(as_tuple=True)
    return tuple(places.to(device) for places in there)


def _connected(periods: Tensor) -> Tensor:
    """Return [to, from]: whether a unit with the period of ``to`` gets input from one with the period of ``from``."""
    return periods[:, None] <= periods
