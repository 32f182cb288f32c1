"""The reference kernel: a plain loop over time of the cell's own step, for any cell, device and precision.

Every faster kernel is tested against it. It keeps every state variable of every step, which the fast ones do not.
"""

from __future__ import annotations

import torch
from torch.func import vmap

from lrd.cells import Cell, Parameters, State
from lrd.shapes import Float, Tensor


def zero_state(cell: Cell, inputs: Float[Tensor, "time runs batch inputs"]) -> State:
    """Return the state before the first step: zeros [runs, batch, size] for each state variable."""
    _, runs, batch, _ = inputs.shape
    return tuple(inputs.new_zeros(runs, batch, size) for size in cell.state_sizes())


def runs_alone(cell: Cell, inputs: Float[Tensor, "time runs batch inputs"]) -> list[slice]:
    """Return the runs that may go together so that none depends on its companions: each alone, or all in one slice.

    On the CPU, products of matrices with vectors are rounded differently for a run alone and for it among others.
    """
    _, runs, *sizes = inputs.shape
    if inputs.is_cpu and 1 in (*sizes, cell.hidden_size):
        return [slice(run, run + 1) for run in range(runs)]
    return [slice(0, runs)]


def unroll(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], state: State | None = None
) -> list[State]:
    """Return the states after every step. Gradients flow through them.

    Args:
        cell: The cell that does the steps.
        params: What its steps get, [runs, ...] by name.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.

    Returns:
        A list over time of states, whose variables are [runs, batch, size].
    """
    step = vmap(vmap(cell.step, in_dims=(None, 0, 0)), in_dims=(0, 0, 0))
    state = zero_state(cell, inputs) if state is None else state
    states = []
    for x in inputs:
        state = step(params, x, state)
        states.append(state)
    return states


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run any cell by its own step (see ``lrd.kernels.protocol``)."""
    if len(runs := runs_alone(cell, inputs)) > 1:
        parts = []
        for only in runs:
            before = None if state is None else tuple(s[only] for s in state)
            parts.append(scan(cell, {name: p[only] for name, p in params.items()}, inputs[:, only], before, first))
        outputs, ends = zip(*parts, strict=True)
        return torch.cat(outputs, 1), tuple(torch.cat(variable) for variable in zip(*ends, strict=True))
    states = unroll(cell, params, inputs, state)
    kept = [state[0] for state in states[first:]]
    return torch.stack(kept) if kept else states[-1][0].new_empty(0, *states[-1][0].shape), states[-1]
