"""An RNN whose recurrent matrix stays a rotation: it is a function of a skew-symmetric matrix, which is trained.

Any optimiser then stays among the rotations. The function is exp (Lezcano-Casado & Martinez-Rubio 2019) or Cayley's map
(Helfrich, Willmott & Ye 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import init

from lrd.cells import initialisers
from lrd.cells.base import Cell, Parameters, State
from lrd.cells.rnn import RNN
from lrd.options import option
from lrd.shapes import Float, Tensor

MAPS = ("exp", "cayley")
ROTATIONS = ("henaff", "helfrich", "haar", "identity")


@dataclass(frozen=True)
class Orthogonal(Cell):
    """h_t = f(U x_t + W h_{t-1} + b), where W is a rotation.

    W = exp(A), or W = (I - A/2)^-1 (I + A/2) by Cayley's map, with A skew-symmetric, as in
    ``torch.nn.utils.parametrizations.orthogonal``, but without a fixed matrix before it: A begins as the inverse of the
    map at W.
    With ``modrelu`` (Arjovsky et al. 2016, eq. 8, for real numbers) b belongs to f instead:
    f(z) = sign(z) max(|z| + b, 0).

    The initial W of ``henaff`` (Henaff et al. 2016) and ``helfrich`` (Helfrich et al. 2018) turns the planes of units
    (1, 2), (3, 4), ... by angles uniform in (-pi, pi) and in (0, pi/2), whatever the map; that of ``haar`` is a
    uniformly drawn rotation.
    """

    name: ClassVar[str] = "orthogonal"
    state_names: ClassVar[tuple[str, ...]] = ("h",)

    step_options: ClassVar[tuple[str, ...]] = ("activation",)

    activation: str = option("modrelu", "the function f", choices=("tanh", "relu", "identity", "modrelu"))
    map: str = option("exp", "the map from skew-symmetric matrices to rotations", choices=MAPS)
    init: str = option("henaff", "initialiser of W", choices=ROTATIONS, per_run=True)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        """Draw U [hidden, inputs], b [hidden], and A [hidden (hidden - 1) / 2]: entries below the diagonal, by rows."""
        n = self.hidden_size
        below = self._log(generator)[tuple(torch.tril_indices(n, n, -1))]
        b = torch.zeros(n)
        if self.activation == "modrelu":  # as in the code of Lezcano-Casado & Martinez-Rubio
            b.uniform_(-0.01, 0.01, generator=generator)
        u = initialisers.dense(self.init, n, input_size, n, generator)
        return {"U": u, "A": below.float(), "b": b}

    def _log(self, generator: torch.Generator) -> Float[Tensor, "hidden hidden"]:
        """Draw the skew-symmetric matrix of the initial W, in float64."""
        n = self.hidden_size
        if self.init == "haar":
            w = init.orthogonal_(torch.empty(n, n, dtype=torch.float64), generator=generator)
            w[0] *= torch.linalg.det(w).sign()  # neither map gives a reflection
            values, vectors = torch.linalg.eig(w)
            log: Tensor = (vectors * (1j * self._of_angle(values.angle())) @ vectors.inverse()).real
            return log
        low, high = {"henaff": (-math.pi, math.pi), "helfrich": (0, math.pi / 2), "identity": (0, 0)}[self.init]
        angles = torch.empty(n // 2, dtype=torch.float64).uniform_(low, high, generator=generator)
        a = torch.zeros(n, n, dtype=torch.float64)
        first = torch.arange(n // 2) * 2
        a[first + 1, first] = self._of_angle(angles)
        return a - a.T

    def _of_angle(self, angle: Tensor) -> Tensor:
        """Return the entry of A that turns a plane by an angle."""
        return angle if self.map == "exp" else 2 * torch.tan(angle / 2)

    def prepare(self, p: Parameters) -> Parameters:
        """Return W [hidden, hidden] in place of A; computed in float64, in whatever precision A is."""
        n = self.hidden_size
        a = p["A"].new_zeros(n, n, dtype=torch.float64)
        a = a.index_put(tuple(torch.tril_indices(n, n, -1, device=a.device)), p["A"].double())
        a = a - a.T
        if self.map == "exp":
            w = torch.linalg.matrix_exp(a)
        else:
            one = torch.eye(n, dtype=a.dtype, device=a.device)
            # Without checks, which wait for the device and let a run that has diverged take its pack down.
            w = torch.linalg.solve_ex(one - a / 2, one + a / 2).result
        return {"W": w.to(p["A"].dtype)} | {name: value for name, value in p.items() if name != "A"}

    @property
    def stepped(self) -> Cell:
        return self if self.activation == "modrelu" else RNN(hidden_size=self.hidden_size, activation=self.activation)

    def step(self, p: Parameters, x: Float[Tensor, "inputs"], state: State) -> State:
        if self.activation != "modrelu":
            return self.stepped.step(p, x, state)
        (h,) = state
        z = p["U"] @ x + p["W"] @ h
        return (z.sign() * torch.relu(z.abs() + p["b"]),)
