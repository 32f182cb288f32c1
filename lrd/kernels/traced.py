"""Any cell, over a whole pack: one step and its way back are traced once, and their graphs run in a loop over time.

Reference: ``lrd.kernels.loop``, which pays for ``vmap`` and autograd anew at every step. Here a step is cut into what
depends on the parameters alone (once a sequence), the step forward, and the step back from what forward leaves.
A cell that cannot be traced is run by the reference.
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
    """One step of a pack and its way back, for static shapes. All arguments and results are lists.

    ``once(params) -> fixed``; ``step(fixed, x, state) -> state``; ``forward(fixed, x, state) -> (state, kept)``;
    ``back(fixed, kept, into) -> (gradients of the parameters in names, gradients of the state before)``, for ``into``
    the gradients that arrive at the new state.
    """

    def __init__(self, cell: Cell, params: Parameters, x: Tensor, state: State) -> None:
        over_pack = vmap(vmap(cell.step, in_dims=(None, 0, 0)), in_dims=(0, 0, 0))

        def there_and_back(p: list[Tensor], x: Tensor, state: State, into: State) -> Any:
            leaves = [value.detach().requires_grad_() for value in (*p, *state)]
            with torch.enable_grad():
                named = dict(zip(params, leaves[: len(p)], strict=True))
                after = over_pack(named, x, tuple(leaves[len(p) :]))
            # A variable that a step gives whatever came in has no way back.
            ways = [(a, g) for a, g in zip(after, into, strict=True) if a.requires_grad]
            return after, torch.autograd.grad(
                [a for a, _ in ways], (*leaves, *after), [g for _, g in ways], allow_unused=True, materialize_grads=True
            )

        traced = trace(there_and_back, list(params.values()), x, state, tuple(s.flip(0) for s in state))
        self._cut(traced, list(params), len(state))

    def _cut(self, traced: Traced, names: list[str], variables: int) -> None:
        """The parts of the graph; ``fixed`` depends on the parameters alone, ``kept`` is what back has of forward."""
        p, x, *others = _split(traced.arguments, len(names), 1, variables, variables)
        (x_node,), (before, arriving) = x, others
        after, of_params, pulled, total = _split(traced.results, variables, len(names), variables, variables)
        ahead = set(needed(after, ()))
        used = [i for i, node in enumerate(p) if node in ahead]  # the readout's parameters are no affair of a step
        self.names, self.variables = [names[i] for i in used], variables
        p, back = [p[i] for i in used], [of_params[i] for i in used] + pulled
        nodes = list(traced.graph.nodes)

        fixed = dict.fromkeys(p)
        for node in nodes:
            if node.op != "placeholder" and all(n in fixed for n in node.all_input_nodes):
                fixed[node] = None
        forward_nodes = {*needed(after, list(fixed)), *before, x_node}
        back_nodes = set(needed([*back, *total], [*fixed, *forward_nodes])) - set(arriving)
        ends = {*after, *back, *total}
        fixed_here = [n for n in nodes if n in fixed and n in ends | _inputs(forward_nodes | back_nodes)]
        of_back = set(needed(back, [*fixed, *forward_nodes])) - set(arriving)
        kept = [n for n in nodes if n in forward_nodes and n in _inputs(of_back) | set(back)]
        self._once = traced.part(p, fixed_here)
        self._step = traced.part([*fixed_here, x_node, *before], after)
        self._forward = traced.part([*fixed_here, x_node, *before], [*after, *kept])
        self._back = traced.part([*fixed_here, *kept, *arriving], back)
        self._pull = traced.part([*fixed_here, x_node, *before, *arriving], [*total, *pulled])

    def once(self, params: list[Tensor]) -> list[Tensor]:
        return self._once(*params)

    def step(self, fixed: list[Tensor], x: Tensor, state: Sequence[Tensor]) -> list[Tensor]:
        return self._step(*fixed, x, *state)

    def forward(self, fixed: list[Tensor], x: Tensor, state: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        found = self._forward(*fixed, x, *state)
        return found[: self.variables], found[self.variables :]

    def back(self, fixed: list[Tensor], kept: list[Tensor], into: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        found = self._back(*fixed, *kept, *into)
        return found[: len(self.names)], found[len(self.names) :]

    def pull(self, fixed: list[Tensor], x: Tensor, before: State, into: State) -> tuple[State, State]:
        """Without a tape: the total gradients of the new state, and those of the state before."""
        found = self._pull(*fixed, x, *before, *into)
        return tuple(found[: self.variables]), tuple(found[self.variables :])


def _split(nodes: list[Node], *sizes: int) -> list[list[Node]]:
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [nodes[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def _inputs(nodes: set[Node]) -> set[Node]:
    return {n for node in nodes for n in node.all_input_nodes}


class _TracedLoop(torch.autograd.Function):
    """(params, state) -> h of the steps from ``first`` on [runs, steps, batch, hidden], last state."""

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
        for t in range(len(ctx.tape) - 1, -1, -1):
            if t >= first:
                into[0] = into[0] + direct[t - first]
            of_params, into = ctx.step.back(ctx.fixed, ctx.tape[t], into)
            if totals:
                for total, added in zip(totals, of_params, strict=True):
                    total += added
            else:
                totals = [g.clone() for g in of_params]
        return None, None, None, *totals, *into


def traced_step(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], state: State
) -> TracedStep | None:
    """The step of a cell for packs of these shapes; None where it cannot be traced."""
    shapes = tuple((name, tuple(value.shape)) for name, value in params.items())
    return _traced_step(
        cell, shapes, tuple(inputs.shape[1:]), tuple(tuple(s.shape) for s in state), inputs.dtype, inputs.device
    )


@lru_cache(maxsize=64)
def _traced_step(
    cell: Cell,
    shapes: tuple[tuple[str, Shape], ...],
    x_shape: Shape,
    state_shapes: tuple[Shape, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> TracedStep | None:
    generator = torch.Generator().manual_seed(0)

    def some(shape: Shape) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype).to(device)

    try:
        params = {name: some(shape) for name, shape in shapes}
        return TracedStep(cell, params, some(x_shape), tuple(some(shape) for shape in state_shapes))
    except NotTraceableError:
        return None


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """The kernel protocol (see ``lrd.kernels``), for any cell."""
    before = loop.zero_state(cell, inputs) if state is None else state
    step = traced_step(cell, params, inputs, before)
    if step is None:
        return loop.scan(cell, params, inputs, state, first)
    h, *last = _TracedLoop.apply(step, inputs, first, *(params[name] for name in step.names), *before)  # type: ignore[no-untyped-call]
    return h.transpose(0, 1), tuple(last)


def unroll(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], state: State | None = None
) -> list[State]:
    """As ``loop.unroll``; by the traced step where no gradient is asked for."""
    before = loop.zero_state(cell, inputs) if state is None else state
    step = None if torch.is_grad_enabled() else traced_step(cell, params, inputs, before)
    if step is None:
        return loop.unroll(cell, params, inputs, state)
    fixed, states = step.once([params[name] for name in step.names]), [before]
    for x in inputs:
        states.append(tuple(step.step(fixed, x, states[-1])))
    return states[1:]
