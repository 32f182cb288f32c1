"""Functions of tensors as graphs of torch's operations: traced once for static shapes, cut into parts, and run.

A trace is a list of the operations that reach the bottom of torch's dispatcher, below ``vmap`` and autograd, while the
function runs once. A function whose graph would silently be wrong for other numbers is refused: one that takes numbers
out of tensors or works in place, and any other whose graph gives other results than the function in a second try.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

from lrd.cells import products
from lrd.shapes import Tensor

# Operations that change nothing where the shape stays; gradients have operations of their own in the graph.
_SAME = {
    torch.ops.aten.expand.default,
    torch.ops.aten.view.default,
    torch.ops.aten._unsafe_view.default,
    torch.ops.aten.detach.default,
}
# Operations that take numbers out of tensors.
_NUMBERS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default}


class NotTraceableError(Exception):
    """A function has no graph that always does what it does; the message says why."""


@dataclass
class Traced:
    """The graph of a function.

    Attributes:
        graph: The operations, as nodes.
        constants: The tensors that no operation made and that are no arguments.
        arguments: The nodes that stand for the tensors among the arguments.
        results: The nodes that stand for the tensors among the results.
    """

    graph: Graph = field(default_factory=Graph)
    constants: torch.nn.Module = field(default_factory=torch.nn.Module)
    arguments: list[Node] = field(default_factory=list)
    results: list[Node] = field(default_factory=list)

    def part(self, given: Sequence[Node], wanted: Sequence[Node]) -> Callable[..., list[Tensor]]:
        """Return a function that computes the nodes ``wanted`` from the values of the nodes ``given``."""
        graph, mine = Graph(), set(needed(wanted, given))
        copies = {node: graph.placeholder(node.name) for node in given}
        for node in self.graph.nodes:
            if node in mine:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output([copies[node] for node in wanted])
        made: Callable[..., list[Tensor]] = GraphModule(self.constants, graph).forward
        return made


def needed(wanted: Sequence[Node], given: Sequence[Node]) -> list[Node]:
    """Return the nodes to be computed, in no order, for those ``wanted`` from those ``given``."""
    found: dict[Node, None] = {}
    waiting, stop = list(wanted), set(given)
    while waiting:
        node = waiting.pop()
        if node not in found and node not in stop:
            found[node] = None
            waiting += node.all_input_nodes
    return list(found)


def trace(function: Callable[..., Any], *args: Any) -> Traced:
    """Return the graph of a function, for tensors of the shapes of those among its arguments.

    Args:
        function: A function of tensors, or of nested tuples, lists and dicts of them.
        *args: Its arguments. No tensor may be among them twice.

    Raises:
        NotTraceableError: There is no graph that does what the function does.
    """
    recorder = _OperationRecorder()
    try:
        traced = recorder.record(function, args)
        _check(traced, function, args)
    except NotTraceableError:
        raise
    except Exception as error:  # whatever the function or torch.func object to
        raise NotTraceableError(str(error)) from error
    return traced


class _OperationRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode in which every operation becomes a node. Tensors are known by their memory, which nothing overwrites."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.traced = Traced()
        self.nodes: dict[Any, Node] = {}
        self.alive: list[Tensor] = []  # so that no memory is used twice

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch would import its compiler, for seconds, only to keep it out of here

    def record(self, function: Callable[..., Any], args: Any) -> Traced:
        for number, tensor in enumerate(tree_flatten(args)[0]):
            self.traced.arguments.append(self._know(tensor, self.traced.graph.placeholder(f"argument_{number}")))
        with self:
            found = function(*args)
        self.traced.results = [self._node(tensor) for tensor in tree_flatten(found)[0]]
        return self.traced

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _NUMBERS or func._schema.is_mutable:
            raise NotTraceableError(f"{func} takes a number out of a tensor, or works in place")
        found = func(*args, **kwargs)
        if func in _SAME and found.shape == args[0].shape:
            self._know(found, self._node(args[0]))
            return found
        target = products if func is torch.ops.aten.bmm.default else func  # each run with the last bit it has alone
        node = self.traced.graph.call_function(target, *tree_map(self._node, (args, kwargs)))
        if isinstance(found, Tensor):
            self._know(found, node)
        else:
            for number, part in enumerate(found):
                self._know(part, self.traced.graph.call_function(operator.getitem, (node, number)))
        return found

    def _know(self, tensor: Tensor, node: Node) -> Node:
        self.alive.append(tensor)
        self.nodes[_place(tensor)] = node
        return node

    def _node(self, value: Any) -> Any:
        """Return the node of a tensor, which is a constant if no operation made it. Other values stay as they are."""
        if not isinstance(value, Tensor):
            return value
        if _place(value) not in self.nodes:
            name = f"constant_{len(self.nodes)}"
            self.traced.constants.register_buffer(name, value.detach())
            self._know(value, self.traced.graph.get_attr(name))
        return self.nodes[_place(value)]


def _place(tensor: Tensor) -> Any:
    memory = tensor.untyped_storage().data_ptr()
    return memory, tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype


def _check(traced: Traced, function: Callable[..., Any], args: Any) -> None:
    """Raise ``NotTraceableError`` if the graph gives other results than the function for other numbers."""
    generator = torch.Generator().manual_seed(1)
    others = tree_map(lambda t: torch.randn(t.shape, generator=generator).to(t), args)
    expected = tree_flatten(function(*others))[0]
    got = traced.part(traced.arguments, traced.results)(*tree_flatten(others)[0])
    for mine, theirs in zip(got, expected, strict=True):
        mine, theirs = mine.detach(), theirs.detach()
        # Products of vectors are rounded in another order: a few hundred roundings.
        size = 1000 * torch.finfo(theirs.dtype).eps * (1 + theirs.nan_to_num().abs().amax() if theirs.numel() else 1)
        if mine.shape != theirs.shape or not torch.allclose(mine, theirs, rtol=0, atol=float(size), equal_nan=True):
            raise NotTraceableError("other numbers take another way than those of the trace")
