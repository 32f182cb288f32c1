"""The base class of cells with gates: the options of their initialisers, and parameters of all gates in one matrix."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lrd.cells import initialisers
from lrd.cells.base import Cell, Parameters
from lrd.options import option


@dataclass(frozen=True)
class GatedCell(Cell):
    """A cell whose pre-activations U x_t + W h_{t-1} + b stand in blocks of ``hidden_size`` rows, one a gate."""

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

    def _blocks(
        self,
        blocks: int,
        input_size: int,
        generator: torch.Generator,
        keeps: int | None = None,
        opposes: int | None = None,
    ) -> Parameters:
        """Draw U [blocks * hidden, inputs], W [blocks * hidden, hidden], b [blocks * hidden].

        Args:
            blocks: The number of blocks of rows.
            input_size: The number of inputs x_t of a step.
            generator: The run's own source of random numbers.
            keeps: The block of the gate that keeps what was there, whose bias is ``forget_bias`` or b_f of ``chrono``.
            opposes: The block of the gate that lets in what is new, whose bias is -b_f of ``chrono``. Where no gate
                ``keeps``, this one does it by what it does not let in, and its bias may be -``forget_bias``.
        """
        n = self.hidden_size
        w = [initialisers.recurrent(self.init, n, self.gain, generator) for _ in range(blocks)]
        b = initialisers.bias(self.init, blocks * n, n, 2, generator).view(blocks, n)
        if self.forget_bias is not None:
            if keeps is not None:
                b[keeps] = self.forget_bias
            elif opposes is not None:
                b[opposes] = -self.forget_bias
        if self.chrono is not None:
            # b_f ~ log U(1, T_max - 1), b_i = -b_f: the gates' time constants spread over the range of the memory.
            b_f = torch.empty(n).uniform_(1, self.chrono - 1, generator=generator).log()
            if keeps is not None:
                b[keeps] = b_f
            if opposes is not None:
                b[opposes] = -b_f
        u = torch.cat([initialisers.dense(self.init, n, input_size, n, generator) for _ in range(blocks)])
        return {"U": u, "W": torch.cat(w), "b": b.flatten()}
