"""Gradients of the states of every layer of a network, by the backward pass of each of its parts in turn.

The last layer gets its gradients from the readout; a part hands dL/dx_t of what it reads to the layer below, at every
step and as scaled vectors. dL/dh_t of a layer counts all paths, those through the layers above included.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Mapping
from typing import TypeVar

import torch

from lrd.cells import Cell, Parameters, Part, State, one_layer, parameters_of, parts_of, parts_of_layer
from lrd.gradients.adjoint import Adjoint, adjoint
from lrd.gradients.backward_pass import IntoH, Seen, total_norms
from lrd.kernels.layers import Dropout, in_reading_order, through
from lrd.scaled import LOG10_2, Scaled, add, log10_norm
from lrd.shapes import Float, Tensor

#: log10 norms of each state variable of a part, in the order of time; -inf where the gradient is exactly 0.
PartNorms = dict[str, Float[Tensor, "time runs batch"]]
#: A step, or steps of samples.
Step = TypeVar("Step", int, Tensor)


class NetworkTapes:
    """The adjoint of each part of a pack's networks, along the task's sequences.

    Attributes:
        parts: the parts, in the order in which they are computed.
        tapes: the adjoint of each, along what it reads, in its reading order.
        h: what the readout sees after each step [time, runs, batch, features].
    """

    def __init__(
        self,
        cell: Cell,
        params: Parameters,
        inputs: Float[Tensor, "time runs batch inputs"],
        dropout: Dropout | None = None,
    ) -> None:
        """Run the networks forward.

        Args:
            cell: with its layers; of a network of one part it may be the one that does the steps.
            params: of the pack, [runs, ...], as ``lrd.cells.prepared`` gives them.
            inputs: of the task.
            dropout: what training hands from layer to layer instead of h; None: h.
        """
        self.parts, self._cell, self._dropout, self._time = parts_of(cell), cell, dropout, len(inputs)
        self._stepped = one_layer(cell).stepped
        self.tapes: dict[Part, Adjoint] = {}

        def run_part(part: Part, x: Tensor) -> Tensor:
            mine = params if len(self.parts) == 1 else parameters_of(part, params)
            self.tapes[part] = adjoint(self._stepped, mine, x, into_x=part.layer > 1)
            return in_reading_order(part, self.tapes[part].h)

        between = None if dropout is None else functools.partial(dropout, slice(None))
        self.h = through(cell, inputs, run_part, between)

    def total_norms(self, into_h: IntoH, cuts: Container[int] = ()) -> dict[Part, PartNorms]:
        """Return log10 of the norm of dL/d(state variable) at every step, for each part.

        Args:
            into_h: what the h that the readout sees get from it, by step.
            cuts: the steps from which nothing goes back further in time.
        """
        found: dict[Part, PartNorms] = {}

        def of_part(part: Part, into: IntoH, seen: Seen | None) -> None:
            norms = total_norms(self.tapes[part], into, cuts, seen)
            found[part] = self._in_time(part, norms)

        self.backward(into_h, of_part)
        return {part: found[part] for part in self.parts}

    def direct_norms(self, into_h: Mapping[int, Tensor]) -> dict[Part, PartNorms]:
        """Return log10 of the norm of the part of the gradient that does not pass through another step.

        Args:
            into_h: what the h that the readout sees get from it, by step.
        """
        found: dict[Part, PartNorms] = {}

        def of_part(part: Part, into: IntoH, seen: Seen | None) -> None:
            tape = self.tapes[part]
            zeros, answered = tape.zero_gradients(), sorted(into)
            alone: list[State] = []
            powers: list[Tensor] = []
            for s in answered:
                mantissa, power = _scaled(into[s])
                alone.append(tape.pull(s, (mantissa, *zeros[1:]))[0])
                powers.append(power)
                if seen is not None:
                    seen(s, (mantissa, *zeros[1:]), power)
            log10_of_powers = torch.stack(powers).double() * LOG10_2
            norms = []
            for v, zero in enumerate(zeros):
                of_variable = zero.new_full((self._time, *zero.shape[:2]), -torch.inf, dtype=torch.float64)
                sizes = log10_norm(torch.stack([gradients[v] for gradients in alone]))
                of_variable[answered] = sizes + log10_of_powers
                norms.append(of_variable)
            found[part] = self._in_time(part, norms)

        self.backward(into_h, of_part)
        return {part: found[part] for part in self.parts}

    def backward(self, into_h: IntoH, of_part: Callable[[Part, IntoH, Seen | None], None]) -> None:
        """Go back through the layers, from the last to the first.

        Args:
            into_h: what the h that the readout sees get from it, by step.
            of_part: takes each part; what its h get, by step in its reading order; and the function to call with each
                step, the gradients that arrive there and their power, or None where there is no layer below.
        """
        hidden, into_layer = self._stepped.hidden_size, into_h
        for layer in range(self._cell.layers, 0, -1):
            below: dict[int, Scaled] = {}
            parts = parts_of_layer(self._cell, layer)
            for number, part in enumerate(parts):
                own = slice(number * hidden, (number + 1) * hidden) if len(parts) > 1 else slice(None)
                into = {self.order(part, t): _columns(vector, own) for t, vector in into_layer.items()}
                of_part(part, into, functools.partial(self._hand_down, part, below) if layer > 1 else None)
            into_layer = below

    def _hand_down(self, part: Part, below: dict[int, Scaled], s: int, arriving: State, power: Tensor) -> None:
        """Add dL/dx of a step, which is number s in the part's reading order, to what the layer below gets."""
        t, into_x = self.order(part, s), self.tapes[part].into_inputs(s, arriving)
        if self._dropout is not None:
            into_x = self._dropout(slice(t, t + 1), part.layer - 1, into_x[None])[0]
        if t in below:
            (into_x,), power = add((into_x,), power, below[t])
        below[t] = Scaled(into_x, power)

    def order(self, part: Part, t: Step) -> Step:
        """Return the number in a part's reading order of step t, or the step of that number."""
        return self._time - 1 - t if part.is_backward else t

    def _in_time(self, part: Part, norms: list[Float[Tensor, "steps runs batch"]]) -> PartNorms:
        """Return norms of a part's first steps by the variable's name, for all steps in the order of time."""
        found = {}
        for v in self._stepped.measured:
            own = norms[v]
            rest = own.new_full((self._time - len(own), *own.shape[1:]), -torch.inf)
            found[self._stepped.state_names[v]] = in_reading_order(part, torch.cat([own, rest]))
        return found


def _scaled(vector: Tensor | Scaled) -> Scaled:
    """Return vectors as scaled ones."""
    if isinstance(vector, Scaled):
        return vector
    return Scaled(vector, torch.zeros(vector.shape[:-1], dtype=torch.int64, device=vector.device))


def _columns(vector: Tensor | Scaled, own: slice) -> Tensor | Scaled:
    """Return some of the entries of every vector."""
    return Scaled(vector.mantissa[..., own], vector.power) if isinstance(vector, Scaled) else vector[..., own]
