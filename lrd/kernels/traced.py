"""The kernel of any cell: one step of a pack and its backward pass are traced once, and their graphs run over time.

Reference: ``lrd.kernels.loop``, which pays for ``vmap`` and autograd anew at every step. Here a step is cut into what
depends on the parameters alone (once a sequence), the step forward, and the step back from what forward keeps. A cell
that cannot be traced is run by the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.func import vmap
from torch.fx import Node

from lrd.cells import Cell, Parameters, State
from lrd.kernels import loop
from lrd.kernels.graphs import NotTraceableError, Traced, needed, trace
from lrd.shapes import Float, Tensor

Shape = tuple[int, ...]


class TracedStep:
    """One step of a pack and its backward pass, for static shapes. All arguments and results are lists of tensors.

    Attributes:
        names: The names of the parameters that a step uses, in the order in which all methods take and give them.
        variables: The number of state variables.
    """

    def __init__(self, cell: Cell, params: Parameters, x: Tensor, state: State, into_x: bool = False) -> None:
        """Trace the step of a cell.

        Args:
            cell: The cell.
            params: Parameters [runs, ...] by name, of the shapes of those to come.
            x: Inputs [runs, batch, inputs] of one step, of the shape of those to come.
            state: A state of the shapes of those to come.
            into_x: Whether the backward pass gives the gradient of x too.

        Raises:
            NotTraceableError: The step has no graph that always does what it does.
        """
        over_pack = vmap(vmap(cell.step, in_dims=(None, 0, 0)), in_dims=(0, 0, 0))

        def there_and_back(p: list[Tensor], x: Tensor, state: State, into: State) -> Any:
            given = [x] if into_x else []
            leaves = [value.detach().requires_grad_() for value in (*p, *given, *state)]
            with torch.enable_grad():
                named = dict(zip(params, leaves[: len(p)], strict=True))
                x, *before = leaves[len(p) :] if into_x else [x, *leaves[len(p) :]]
                after = over_pack(named, x, tuple(before))
            # No gradient flows through a variable that depends on nothing that came in.
            reached = [(a, g) for a, g in zip(after, into, strict=True) if a.requires_grad]
            outputs, arriving = [a for a, _ in reached], [g for _, g in reached]
            return after, torch.autograd.grad(
                outputs, (*leaves, *after), arriving, allow_unused=True, materialize_grads=True
            )

        traced = trace(there_and_back, list(params.values()), x, state, tuple(s.flip(0) for s in state))
        self._cut(traced, list(params), len(state), into_x)

    def _cut(self, traced: Traced, names: list[str], variables: int, into_x: bool) -> None:
        """Cut the graph into parts; ``fixed`` depends on the parameters alone, ``kept`` is what back has of forward."""
        # Name the nodes of arguments and results.
        p, x, *others = _split(traced.arguments, len(names), 1, variables, variables)
        (x_node,), (before, arriving) = x, others
        after, of_params, of_x, pulled, total = _split(
            traced.results, variables, len(names), int(into_x), variables, variables
        )
        ahead = set(needed(after, ()))
        used = [i for i, node in enumerate(p) if node in ahead]  # the readout's parameters are no affair of a step
        self.names, self.variables = [names[i] for i in used], variables
        p, back = [p[i] for i in used], [of_params[i] for i in used] + of_x + pulled
        nodes = list(traced.graph.nodes)

        # Fixed: what depends on nothing but parameters.
        fixed = dict.fromkeys(p)
        for node in nodes:
            if node.op != "placeholder" and all(n in fixed for n in node.all_input_nodes):
                fixed[node] = None
        # Forward and back: what the new state needs, and what the gradients need besides.
        forward_nodes = {*needed(after, list(fixed)), *before, x_node}
        back_nodes = set(needed([*back, *total], [*fixed, *forward_nodes])) - set(arriving)
        ends = {*after, *back, *total}
        # What goes from one part to another.
        fixed_here = [n for n in nodes if n in fixed and n in ends | _inputs(forward_nodes | back_nodes)]
        of_back = set(needed(back, [*fixed, *forward_nodes])) - set(arriving)
        kept = [n for n in nodes if n in forward_nodes and n in _inputs(of_back) | set(back)]
        self._once = traced.part(p, fixed_here)
        self._step = traced.part([*fixed_here, x_node, *before], after)
        self._forward = traced.part([*fixed_here, x_node, *before], [*after, *kept])
        self._back = traced.part([*fixed_here, *kept, *arriving], back)
        self._pull = traced.part([*fixed_here, x_node, *before, *arriving], [*total, *pulled, *of_x])

    def once(self, params: list[Tensor]) -> list[Tensor]:
        """Return ``fixed``: what all steps of a sequence share."""
        return self._once(*params)

    def step(self, fixed: list[Tensor], x: Tensor, state: Sequence[Tensor]) -> list[Tensor]:
        """Return the state after a step of which no gradient is wanted."""
        return self._step(*fixed, x, *state)

    def forward(self, fixed: list[Tensor], x: Tensor, state: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return the state after a step, and ``kept``: what its backward pass needs."""
        found = self._forward(*fixed, x, *state)
        return found[: self.variables], found[self.variables :]

    def back(
        self, fixed: list[Tensor], kept: list[Tensor], into: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Return the gradients of the parameters, of x (in a list that is empty without ``into_x``) and of the state.

        Args:
            fixed: What ``once`` gave.
            kept: What ``forward`` kept of this step.
            into: The gradients that arrive at the state after the step.
        """
        found = self._back(*fixed, *kept, *into)
        names, before = len(self.names), len(found) - self.variables
        return found[:names], found[names:before], found[before:]

    def pull(self, fixed: list[Tensor], x: Tensor, before: State, into: State) -> tuple[State, State, list[Tensor]]:
        """Return the total gradients of the states after and before a step, of which nothing was kept, and that of x.

        Args:
            fixed: What ``once`` gave.
            x: x_t.
            before: The state before the step.
            into: The gradients that arrive at the state after the step. Its total gradients may differ from them, where
                one variable of the new state acts through another (dL/dc_t of an LSTM counts its part through h_t).
        """
        found, variables = self._pull(*fixed, x, *before, *into), self.variables
        return tuple(found[:variables]), tuple(found[variables : 2 * variables]), found[2 * variables :]


def _split(nodes: list[Node], *sizes: int) -> list[list[Node]]:
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [nodes[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def _inputs(nodes: set[Node]) -> set[Node]:
    return {n for node in nodes for n in node.all_input_nodes}


class _TracedLoop(torch.autograd.Function):
    """The function (params, x, state) -> h from step ``first`` on [runs, steps, batch, hidden], last state."""

    @staticmethod
    def forward(ctx: Any, step: TracedStep, x: Tensor, first: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        params, state = list(tensors[: len(step.names)]), list(tensors[len(step.names) :])
        fixed, wanted = step.once(params), any(ctx.needs_input_grad)
        hs, tape = [], []
        for t, x_t in enumerate(x.unbind(0)):
            if wanted:
                state, kept = step.forward(fixed, x_t, state)
                tape.append(kept)
            else:
                state = step.step(fixed, x_t, state)
            if t >= first:
                hs.append(state[0])
        ctx.step, ctx.first, ctx.fixed, ctx.tape = step, first, fixed, tape
        # Copies: the tape may hold the very tensors, and what is handed out holds the tape.
        h = torch.stack(hs, dim=1) if hs else state[0].new_empty(len(state[0]), 0, *state[0].shape[1:])
        return h, *(s.clone() for s in state)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, *grad_last: Tensor) -> tuple[Tensor | None, ...]:
        into, first = list(grad_last), ctx.first
        direct = grad.unbind(1)
        totals: list[Tensor] = []
        into_x: list[Tensor] = []
        for t in range(len(ctx.tape) - 1, -1, -1):
            if t >= first:
                into[0] = into[0] + direct[t - first]
            of_params, of_x, into = ctx.step.back(ctx.fixed, ctx.tape[t], into)
            into_x += of_x
            if totals:
                for total, added in zip(totals, of_params, strict=True):
                    total += added
            else:
                totals = [g.clone() for g in of_params]
        return None, torch.stack(into_x[::-1]) if into_x else None, None, *totals, *into


def traced_step(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], state: State, into_x: bool = False
) -> TracedStep | None:
    """Return the step of a cell, traced for packs of given shapes; None where it cannot be traced.

    It is traced once a process, and kept.

    Args:
        cell: The cell.
        params: What its steps get, [runs, ...] by name.
        inputs: x_t of every step; any number of steps.
        state: A state of the pack.
        into_x: Whether its backward pass gives the gradient of x too.
    """
    shapes = tuple((name, tuple(value.shape)) for name, value in params.items())
    return _traced_step(
        cell, shapes, tuple(inputs.shape[1:]), tuple(tuple(s.shape) for s in state), inputs.dtype, inputs.device, into_x
    )


@lru_cache(maxsize=64)
def _traced_step(
    cell: Cell,
    shapes: tuple[tuple[str, Shape], ...],
    x_shape: Shape,
    state_shapes: tuple[Shape, ...],
    dtype: torch.dtype,
    device: torch.device,
    into_x: bool,
) -> TracedStep | None:
    generator = torch.Generator().manual_seed(0)

    def some(shape: Shape) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype).to(device)

    try:
        params = {name: some(shape) for name, shape in shapes}
        return TracedStep(cell, params, some(x_shape), tuple(some(shape) for shape in state_shapes), into_x)
    except NotTraceableError:
        return None


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run any cell by its traced step (see ``lrd.kernels.protocol``)."""
    before = loop.zero_state(cell, inputs) if state is None else state
    step = traced_step(cell, params, inputs, before, into_x=inputs.requires_grad)
    if step is None:
        return loop.scan(cell, params, inputs, state, first)
    h, *last = _TracedLoop.apply(step, inputs, first, *(params[name] for name in step.names), *before)  # type: ignore[no-untyped-call]
    return h.transpose(0, 1), tuple(last)


def unroll(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], state: State | None = None
) -> list[State]:
    """Return the states after every step, by the traced step where no gradient is wanted; see ``loop.unroll``."""
    before = loop.zero_state(cell, inputs) if state is None else state
    step = None if torch.is_grad_enabled() else traced_step(cell, params, inputs, before)
    if step is None:
        return loop.unroll(cell, params, inputs, state)
    fixed, states = step.once([params[name] for name in step.names]), [before]
    for x in inputs:
        states.append(tuple(step.step(fixed, x, states[-1])))
    return states[1:]
