"""Functions of tensors as graphs of torch's operations: traced once for static shapes, cut, and run without overhead.

What tracing would freeze silently is refused: control flow by a tensor's values raises in torch itself, and so do
random numbers under ``vmap``; operations in place are looked for here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node
from torch.fx.experimental.proxy_tensor import make_fx

from lrd.cells import products

_RESHAPES = {torch.ops.aten.expand.default, torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default}


class NotTraceableError(Exception):
    """Why a function has no graph that always does what it does."""


def trace(function: Callable[..., Any], *args: Any) -> GraphModule:
    """The graph of a function of (nested) tensors, for tensors of these shapes. Raises ``NotTraceableError``.

    All tensors among ``args`` must be different ones; their values do not matter.
    """
    try:
        traced: GraphModule = make_fx(function)(*args)
    except Exception as error:  # whatever the function, torch.func or the tracer object to
        raise NotTraceableError(str(error)) from error
    for node in traced.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if schema is not None and schema.is_mutable:
            raise NotTraceableError(f"{node.target} works in place")
        if node.target is torch.ops.aten.bmm.default:
            node.target = products  # each run with the last bit that it has alone
        if node.target in _RESHAPES and _shape(node) == _shape(node.args[0]):
            node.replace_all_uses_with(node.args[0])
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return traced


def _shape(node: Any) -> Any:
    return node.meta["tensor_meta"].shape


def placeholders(traced: GraphModule) -> list[Node]:
    """What stands for the tensors among the arguments, in their order."""
    return [node for node in traced.graph.nodes if node.op == "placeholder"]


def results(traced: GraphModule) -> list[Any]:
    """What the graph returns, flat: nodes, or None."""
    (returned,) = next(node for node in traced.graph.nodes if node.op == "output").args
    return list(returned)


def needed(wanted: Sequence[Any], given: Sequence[Node]) -> list[Node]:
    """The nodes that have to be computed for those that are wanted, from those that are given; in no order."""
    found: dict[Node, None] = {}
    waiting = [node for node in wanted if isinstance(node, Node)]
    stop = set(given)
    while waiting:
        node = waiting.pop()
        if node not in found and node not in stop:
            found[node] = None
            waiting += node.all_input_nodes
    return list(found)


def part(traced: GraphModule, given: Sequence[Node], wanted: Sequence[Any]) -> Callable[..., list[Any]]:
    """A function that computes the nodes ``wanted`` from the values of the nodes ``given``."""
    graph, copies = Graph(), {}
    for node in given:
        copies[node] = graph.placeholder(node.name)
    mine = set(needed(wanted, given))
    for node in traced.graph.nodes:
        if node in mine:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output([copies[node] if isinstance(node, Node) else node for node in wanted])
    return GraphModule(traced, graph).forward
