"""How torch's tensors are laid out for the programs, and their gradients back. Letters: ``lrd.kernels.cpu``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from lrd.kernels.cpu.vectors import LANES
from lrd.shapes import Float, Int, Tensor


def padded(count: int) -> int:
    """Return the next whole number of vectors, as a number of numbers."""
    return -(-count // LANES) * LANES


def widened(x: Float[Tensor, "*shape size"], size: int) -> Float[Tensor, "*shape wide"]:
    """Return x without gaps, with zeros behind its last axis up to ``size``."""
    wide = x if x.shape[-1] == size else torch.nn.functional.pad(x, (0, size - x.shape[-1]))
    return wide.contiguous()  # pad may keep the order in which x lies in memory


def joined_weights(
    u: Float[Tensor, "runs rows inputs"], w: Float[Tensor, "runs rows hidden"], b: Float[Tensor, "runs rows"]
) -> Float[Tensor, "runs gates units depth"]:
    """Return W, U and b side by side, each gate's rows and W's columns with zeros up to whole vectors."""
    runs, _, hidden = w.shape
    units = padded(hidden)
    joined = w.new_zeros(runs, u.shape[1] // hidden, units, units + u.shape[2] + 1)
    inside = joined[:, :, :hidden]
    inside[..., :hidden] = w.reshape(runs, -1, hidden, hidden)
    inside[..., units:-1] = u.reshape(runs, -1, hidden, u.shape[2])
    inside[..., -1] = b.reshape(runs, -1, hidden)
    return joined


def parted_weights(
    into_seen: Float[Tensor, "runs depth filled"], gates: int, hidden: int
) -> tuple[Float[Tensor, "runs rows inputs"], Float[Tensor, "runs rows hidden"], Float[Tensor, "runs rows"]]:
    """Return the gradients of U, W and b from that of the weights of what a step sees.

    Args:
        into_seen: The gradient.
        gates: How many gates have rows of their own.
        hidden: How many units there are.
    """
    runs, depth, filled = into_seen.shape
    units = filled // gates
    inside = into_seen.transpose(1, 2).view(runs, gates, units, depth)[:, :, :hidden]
    return inside[..., units:-1].flatten(1, 2), inside[..., :hidden].flatten(1, 2), inside[..., -1].flatten(1, 2)


def by_columns(joined: Float[Tensor, "runs gates units depth"]) -> Float[Tensor, "runs gates blocks depth lanes"]:
    """Return weights as the right matrix of a ``product`` with what a step sees: their rows in vectors."""
    runs, gates, units, depth = joined.shape
    return joined.view(runs, gates, units // LANES, LANES, depth).transpose(3, 4).contiguous()


def by_rows(weights: Float[Tensor, "runs gates units columns"]) -> Float[Tensor, "runs blocks rows lanes"]:
    """Return weights as the right matrix of a ``product`` with delta: their columns in vectors, filled with zeros."""
    runs, gates, units, columns = weights.shape
    wide = widened(weights, padded(columns)).view(runs, gates * units, padded(columns) // LANES, LANES)
    return wide.transpose(1, 2).contiguous()


def seen_by_steps(
    x: Float[Tensor, "runs time batch inputs"], h0: Float[Tensor, "runs batch hidden"]
) -> Float[Tensor, "runs steps batch width"]:
    """Return room for what each step sees, with all but the h that are still to come: h_{t-1}, x_t and 1 side by side.

    There is one step more, for the last h.
    """
    runs, time, batch, inputs = x.shape
    hidden, units = h0.shape[2], padded(h0.shape[2])
    seen = x.new_empty(runs, time + 1, batch, padded(units + inputs + 1))
    seen[:, 0, :, :hidden] = h0
    seen[:, 0, :, hidden:units] = 0
    seen[:, :-1, :, units : units + inputs] = x
    seen[:, :-1, :, units + inputs] = 1
    return seen


class Gradients(NamedTuple):
    """Where the backward pass of a program writes: V state variables, rows of all gates together."""

    #: The gradients of the last states, in whose place come those of the initial ones.
    arriving: Float[Tensor, "variables runs batch units"]
    into_seen: Float[Tensor, "runs depth rows"]
    into_x: Float[Tensor, "runs time batch inputs"]
    #: The norms of the gradients of the states are sizes * 2**powers.
    sizes: Float[Tensor, "variables runs time batch"]
    powers: Int[Tensor, "runs time batch"]

    @classmethod
    def of(
        cls,
        last: Sequence[Float[Tensor, "runs batch hidden"]],
        joined: Float[Tensor, "runs gates units depth"],
        time: int,
        inputs: int,
    ) -> Gradients:
        """Return them before the backward pass.

        Args:
            last: The gradient of each state variable after the last step.
            joined: The weights.
            time: How many steps there are.
            inputs: How many inputs have gradients: all or none.
        """
        (runs, batch, _), (_, gates, units, depth) = last[0].shape, joined.shape
        return cls(
            torch.stack([widened(of, units) for of in last]),
            joined.new_zeros(runs, depth, gates * units),
            joined.new_empty(runs, time, batch, inputs),
            joined.new_empty(len(last), runs, time, batch, dtype=torch.float64),
            joined.new_empty(runs, time, batch, dtype=torch.int32),
        )

    def arrays(self) -> list[np.ndarray]:
        """Return all of them as arrays of NumPy, which share their memory."""
        return [tensor.numpy() for tensor in self]

    def initial(self, hidden: int) -> tuple[Float[Tensor, "runs batch hidden"], ...]:
        """Return, after the backward pass, the gradient of each initial state variable."""
        return tuple(self.arriving[..., :hidden])
