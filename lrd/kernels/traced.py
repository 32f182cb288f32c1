"""Any cell, over a whole pack: one step and its way back are traced once, and their graphs run in a loop over time.

Reference: ``lrd.kernels.loop``, which pays for ``vmap`` and autograd anew at every step. Here a step is cut into what
depends on the parameters alone (once a sequence), the step forward, and the step back from what forward leaves.
A cell that cannot be traced is run by the reference.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch.func import vjp, vmap

from lrd.cells import Cell, Parameters, State
from lrd.kernels import loop
from lrd.kernels.graphs import NotTraceableError, needed, part, placeholders, results, trace
from lrd.shapes import Float, Tensor

Shape = tuple[int, ...]


class TracedStep:
    """One step of a pack and its way back, for static shapes.

    ``once(params) -> fixed``; ``forward(fixed, x, state) -> (state, kept)``; ``back(fixed, kept, gradients of the new
    state) -> (gradients of the parameters named in names, of the state before)``. All are lists.
    """

    def __init__(self, cell: Cell, params: Parameters, x: Tensor, state: State) -> None:
        step = vmap(vmap(cell.step, in_dims=(None, 0, 0)), in_dims=(0, 0, 0))

        def there_and_back(p: list[Tensor], x: Tensor, state: State, into: State) -> Any:
            after, pull, *_ = vjp(lambda p, s: step(dict(zip(params, p, strict=True)), x, s), p, state)
            return after, *pull(into)

        into = tuple(s.clone() for s in state)
        traced = trace(there_and_back, list(params.values()), x, state, into)
        nodes, wanted, of_state = placeholders(traced), results(traced), len(state)
        p, (x_node, *rest) = nodes[: len(params)], nodes[len(params) :]
        before, arriving = rest[:of_state], rest[of_state:]
        after, pulled = wanted[:of_state], wanted[of_state:]
        self._state_count = of_state
        ahead = set(needed(after, ()))
        used = [i for i, node in enumerate(p) if node in ahead]  # the readout's parameters are no affair of a step
        self.names = [list(params)[i] for i in used]
        p, pulled = [p[i] for i in used], [pulled[i] for i in used] + pulled[len(params) :]

        fixed = _only_from(p, traced.graph.nodes, set(nodes))
        forward_nodes = set(needed(after, fixed)) | set(before) | {x_node}
        backward_nodes = set(needed(pulled, [*fixed, *forward_nodes])) - set(arriving)
        inputs_of_back = {n for node in backward_nodes for n in node.all_input_nodes} | set(pulled)
        kept = [node for node in traced.graph.nodes if node in forward_nodes and node in inputs_of_back]
        for_steps = {n for node in forward_nodes | backward_nodes for n in node.all_input_nodes} | {*after, *pulled}
        fixed = [node for node in traced.graph.nodes if node in fixed and node in for_steps]
        self._once = part(traced, p, fixed)
        self._step = part(traced, [*fixed, x_node, *before], after)
        self._forward = part(traced, [*fixed, x_node, *before], [*after, *kept])
        self._back = part(traced, [*fixed, *kept, *arriving], pulled)

    def once(self, params: list[Tensor]) -> list[Tensor]:
        return self._once(*params)

    def step(self, fixed: list[Tensor], x: Tensor, state: list[Tensor]) -> list[Tensor]:
        """The state after a step whose way back nobody wants."""
        return self._step(*fixed, x, *state)

    def forward(self, fixed: list[Tensor], x: Tensor, state: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        found = self._forward(*fixed, x, *state)
        return found[: self._state_count], found[self._state_count :]

    def back(self, fixed: list[Tensor], kept: list[Tensor], into: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        found = self._back(*fixed, *kept, *into)
        return found[: len(self.names)], found[len(self.names) :]


def _only_from(p: list[Any], nodes: Any, given: set[Any]) -> list[Any]:
    """The nodes that depend on the parameters alone, or on nothing."""
    found = dict.fromkeys(p)
    for node in nodes:
        if node.op not in ("placeholder", "output") and all(n in found for n in node.all_input_nodes):
            found[node] = None
    return list(found)


class _Loop(torch.autograd.Function):
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


@lru_cache(maxsize=64)
def traced_step(
    cell: Cell,
    shapes: tuple[tuple[str, Shape], ...],
    x_shape: Shape,
    state_shapes: tuple[Shape, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> TracedStep | None:
    """The traced step of a cell for these shapes; None where there is none."""

    def blank(shape: Shape) -> Tensor:
        return torch.zeros(shape, dtype=dtype, device=device)

    try:
        params = {name: blank(shape) for name, shape in shapes}
        return TracedStep(cell, params, blank(x_shape), tuple(blank(shape) for shape in state_shapes))
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
    shapes = tuple((name, tuple(value.shape)) for name, value in params.items())
    state_shapes = tuple(tuple(s.shape) for s in before)
    step = traced_step(cell, shapes, tuple(inputs.shape[1:]), state_shapes, inputs.dtype, inputs.device)
    if step is None:
        return loop.scan(cell, params, inputs, state, first)
    h, *last = _Loop.apply(step, inputs, first, *(params[name] for name in step.names), *before)  # type: ignore[no-untyped-call]
    return h.transpose(0, 1), tuple(last)
