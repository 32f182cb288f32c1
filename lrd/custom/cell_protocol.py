"""The protocol of cells, and the check of a cell against it, with small random inputs.

A step is tried as training runs it: in float32 and float64, from the zeros that a sequence begins with, over the
samples and runs of a pack, and on another device than new tensors lie on.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.func import vmap

from lrd.cells import CELLS, Cell, Parameters, State
from lrd.custom.devices import check_device
from lrd.custom.protocol import Protocol, ProtocolError, called, type_of
from lrd.shapes import Tensor

_INPUTS, _SAMPLES, _LENGTH = 3, 2, 5
#: Options of every cell, which make a network of it.
_OF_NETWORKS = ("layers", "dropout", "bidirectional")
#: Precisions of training, with the relative and absolute error of sums in another order.
_PRECISIONS = {torch.float32: (1e-3, 1e-5), torch.float64: (1e-9, 1e-12)}
_LINES = (
    "a dataclass(frozen=True) derived from lrd.cells.Cell; its options are lrd.options.option fields with defaults, and"
    " none is called layers, dropout or bidirectional, which are lrd's own",
    "`name` is what it is called, `state_names` are its state variables; the readout sees the first of them",
    "parameters(input_size, generator) gives float32 tensors by name, drawn from that generator alone; further layers"
    " have an input_size of their own",
    "step(p, x, state) gives a tuple of tensors, one a state variable, of state_sizes(), of the precision and"
    " on the device of x, and finite from zeros on",
    "step changes none of its arguments",
    "step depends on nothing but its arguments",
    "step is differentiable: finite gradients flow back to each parameter, and to the state before",
    "step is written for one sample and runs under torch.func.vmap: no .item(), no `if` on the values of a tensor",
    "step does not read an option marked per_run: runs that differ in it are one pack and share one step",
    "gates(p, x, state) gives tensors [units] by name; `keeps` says which gate multiplies which state variable",
)


def check_options_of_networks(kind: type[Cell]) -> None:
    """Hold a cell's class to leaving the options to lrd that make a network of it.

    Raises:
        ProtocolError: it has something of its own by such a name.
    """
    for base in kind.__mro__[: kind.__mro__.index(Cell)]:
        for name in _OF_NETWORKS:
            if name in vars(base) or name in vars(base).get("__annotations__", {}):
                raise ProtocolError(
                    1, f"{name} is an option of every cell, by which lrd makes a network of it: rename it"
                )


def check_cell(cell: Cell) -> list[str]:
    """Hold a cell to its protocol.

    Returns:
        Remarks, each one line: what is allowed and yet worth knowing.

    Raises:
        ProtocolError: the first line that is broken.
    """
    own, cell = cell, called(2, "for_length", cell.for_length, _LENGTH)
    if not isinstance(cell, Cell):
        raise ProtocolError(2, f"for_length of {own.name} must give a cell, got {type_of(cell)}")
    called(2, "the check of its names", _check_names, cell)
    drawn = called(3, "the check of parameters", _check_parameters, cell)
    remarks: list[str] = []
    for dtype in _PRECISIONS:
        p = called(3, "prepare", cell.prepare, {name: value.to(dtype) for name, value in drawn.items()})
        _check_tensors("what prepare gives", p)
        generator = torch.Generator().manual_seed(1)
        sizes = (_INPUTS, *cell.state_sizes())
        x, *variables = (torch.randn(2, _SAMPLES, size, generator=generator, dtype=dtype) for size in sizes)
        first = tuple(variable[0, 0] for variable in variables)
        called(4, "the check of step", _check_step, cell, p, x[0, 0], first)
        remarks = called(7, "the check of gradients", _check_gradients, cell, p, x[0, 0], first)
        called(8, "the check of packs", _check_pack, cell, p, x, tuple(variables))
        called(8, "the check of the first steps", _check_beginning, cell, p, x)
        called(9, "the check of per-run options", _check_per_run, cell, p, x[0, 0], first)
        at_first = tuple(variable[0] for variable in variables)
        called(10, "the check of gates", _check_gates, cell, p, x[0], at_first)
    called(4, "the check of devices", _check_device, cell, drawn)
    return remarks


def _check_names(cell: Cell) -> None:
    names: Any = getattr(cell, "state_names", None)
    if not isinstance(names, tuple) or not names or not all(isinstance(name, str) for name in names):
        raise ProtocolError(2, f"`state_names` must be a tuple of names, such as ('h',), got {names!r}")
    sizes = called(2, "state_sizes", cell.state_sizes)
    if not isinstance(sizes, tuple | list) or not all(isinstance(size, int) for size in sizes):
        raise ProtocolError(2, f"state_sizes() must give a tuple of ints, one a state variable, got {sizes!r}")
    if len(sizes) != len(names) or sizes[0] != cell.hidden_size:
        raise ProtocolError(2, f"state_sizes() must give a size for each of {names}, the first {cell.hidden_size}")


def _check_tensors(what: str, p: Any) -> None:
    """Raise ``ProtocolError`` unless something is tensors by name, and some."""
    if not isinstance(p, dict) or not p:
        raise ProtocolError(3, f"{what} must be a dict of tensors, got {'no entry' if p == {} else type_of(p)}")
    for name, value in p.items():
        if not isinstance(name, str):
            raise ProtocolError(3, f"{what} must be a dict of tensors by name, but a key is {name!r}")
        if not isinstance(value, Tensor):
            raise ProtocolError(3, f"{what} must be a dict of tensors, but {name} is {type_of(value)}")


def _check_parameters(cell: Cell) -> Parameters:
    def drawn(seed: int) -> Any:
        return called(3, "parameters", cell.parameters, _INPUTS, torch.Generator().manual_seed(seed))

    before = torch.get_rng_state()
    p: Parameters = drawn(3)
    _check_tensors("it", p)
    for name, value in p.items():
        if value.dtype != torch.float32:
            raise ProtocolError(3, f"{name} must be float32, got {_plain(value.dtype)}")
        if name in ("V", "V_bias"):
            raise ProtocolError(3, f"{name} is the name of a parameter of the readout; take another")
        if name.endswith("]"):
            raise ProtocolError(3, f"the name {name} must not end in a bracket, which is how further layers are told")
        if not value.isfinite().all():
            raise ProtocolError(3, f"{name} holds nan or infinite numbers")
    again = drawn(3)
    same = all(torch.equal(value, again[name]) for name, value in p.items())
    if not same or not torch.equal(before, torch.get_rng_state()):
        raise ProtocolError(3, "they are not drawn from the generator alone: pass generator=generator to what draws")
    return p


def _check_step(cell: Cell, p: Parameters, x: Tensor, state: State) -> None:
    given = _named(cell, p, x, state)
    kept = {name: value.clone() for name, value in given.items()}
    random = torch.get_rng_state()
    with torch.no_grad():
        after = called(4, "step", cell.step, p, x, state)
        if not isinstance(after, tuple) or len(after) != len(state):
            count = len(state)
            got = f"a tuple of {len(after)}" if isinstance(after, tuple) else type_of(after)
            raise ProtocolError(4, f"it must give a tuple of {count} tensor{'s' if count > 1 else ''}, got {got}")
        for name, value, size in zip(cell.state_names, after, cell.state_sizes(), strict=True):
            if not isinstance(value, Tensor) or value.shape != (size,):
                got = str(list(value.shape)) if isinstance(value, Tensor) else type_of(value)
                raise ProtocolError(4, f"{name} must have the shape [{size}], got {got}")
            if value.dtype != x.dtype:
                raise ProtocolError(4, f"{name} must be {_plain(x.dtype)} where x is, got {_plain(value.dtype)}")
            if value.isnan().any():
                raise ProtocolError(4, f"{name} is nan after a step from finite numbers")
        for name, value in given.items():
            if not torch.equal(value, kept[name]):
                raise ProtocolError(5, f"it wrote into {name}: make a new tensor instead")
        again = called(4, "step", cell.step, p, x, state)
        if not all(torch.equal(a, b) for a, b in zip(after, again, strict=True)):
            raise ProtocolError(6, "the same arguments gave another state")
        if not torch.equal(random, torch.get_rng_state()):
            raise ProtocolError(6, "it draws random numbers, or seeds them")


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _named(cell: Cell, p: Parameters, x: Tensor, state: State) -> dict[str, Tensor]:
    return {"x": x, **{f"the state {n}": s for n, s in zip(cell.state_names, state, strict=True)}, **p}


def _check_per_run(cell: Cell, p: Parameters, x: Tensor, state: State) -> None:
    with torch.no_grad():
        after = cell.step(p, x, state)
        for other in _others(cell):
            if not all(torch.equal(a, b) for a, b in zip(after, other.step(p, x, state), strict=True)):
                raise ProtocolError(9, f"it reads {_difference(cell, other)}: drop per_run=True")


def _others(cell: Cell) -> list[Cell]:
    """Return a copy of the cell for each of its per-run numbers, with another value of it that is allowed."""
    others = []
    for field in dataclasses.fields(cell):
        value = getattr(cell, field.name)
        if field.metadata["per_run"] and isinstance(value, int | float) and not isinstance(value, bool):
            for changed in (value / 2 if isinstance(value, float) else value + 1, value + 1):
                try:
                    values: dict[str, Any] = {field.name: changed}
                    others.append(dataclasses.replace(cell, **values))
                    break
                except ValueError:  # out of its bounds
                    continue
    return others


def _difference(cell: Cell, other: Cell) -> str:
    return next(name for name, value in vars(cell).items() if vars(other)[name] != value)


def _check_gradients(cell: Cell, p: Parameters, x: Tensor, state: State) -> list[str]:
    leaves = {name: value.clone().requires_grad_() for name, value in _named(cell, p, x, state).items()}
    states = tuple(leaves[f"the state {name}"] for name in cell.state_names)
    after = called(7, "step", cell.step, {name: leaves[name] for name in p}, leaves["x"], states)
    reached = [value for value in after if value.requires_grad]
    if not reached:
        raise ProtocolError(7, "no gradient flows through it: .detach(), .data or NumPy is in the way")
    grads = torch.autograd.grad([value.sum() for value in reached], list(leaves.values()), allow_unused=True)
    unreached = {name for name, grad in zip(leaves, grads, strict=True) if grad is None}
    for name in p:
        if name in unreached:
            matters = _matters(cell, p, x, state, name)
            how = "its gradient is cut (.detach(), .data or NumPy)" if matters else "step never uses it"
            raise ProtocolError(7, f"no gradient reaches the parameter {name}: {how}")
    cut = [name for name in cell.state_names if f"the state {name}" in unreached]
    if len(cut) == len(states):
        raise ProtocolError(7, "no gradient reaches the state before: nothing could be learned over time")
    return [f"no gradient reaches {name}_(t-1) in a step: right for a truncated gradient only" for name in cut]


def _matters(cell: Cell, p: Parameters, x: Tensor, state: State, name: str) -> bool:
    with torch.no_grad():
        moved = cell.step(p | {name: p[name] + 0.5}, x, state)
        return not all(torch.equal(a, b) for a, b in zip(cell.step(p, x, state), moved, strict=True))


def _over_pack(cell: Cell) -> Any:
    """Return the step over the samples and runs of a pack, as ``lrd.kernels`` takes it."""
    return vmap(vmap(cell.step, in_dims=(None, 0, 0)), in_dims=(0, 0, 0))


def _pack_of(p: Parameters) -> Parameters:
    """Return the parameters of two runs that differ."""
    return {name: torch.stack([value, 0.5 * value]) for name, value in p.items()}


def _check_pack(cell: Cell, p: Parameters, x: Tensor, state: State) -> None:
    pack, (relative, absolute) = _pack_of(p), _PRECISIONS[x.dtype]
    with torch.no_grad():
        together = called(8, "step", _over_pack(cell), pack, x, state)
        for run, sample in itertools.product(range(2), range(_SAMPLES)):
            own = {name: value[run] for name, value in pack.items()}
            alone = cell.step(own, x[run, sample], tuple(variable[run, sample] for variable in state))
            for name, value, single in zip(cell.state_names, together, alone, strict=True):
                # Sums in another order, nothing more.
                if not torch.allclose(value[run, sample], single, rtol=relative, atol=absolute, equal_nan=True):
                    raise ProtocolError(8, f"{name} of a sample is another under vmap than alone")


def _check_beginning(cell: Cell, p: Parameters, x: Tensor) -> None:
    """Take two steps from zeros, as at the start of a sequence, and the gradient back."""
    pack = {name: value.requires_grad_() for name, value in _pack_of(p).items()}
    state = tuple(x.new_zeros(*x.shape[:2], size) for size in cell.state_sizes())
    step = _over_pack(cell)
    for _ in range(2):
        state = called(8, "step", step, pack, x, state)
        for name, value in zip(cell.state_names, state, strict=True):
            if not value.isfinite().all():
                raise ProtocolError(4, f"{name} is nan or infinite soon after the zeros that a sequence begins with")
    if not state[0].requires_grad:
        return
    grads = called(7, "step", torch.autograd.grad, [state[0].sum()], list(pack.values()), None, None, False, True)
    for name, grad in zip(pack, grads, strict=True):
        if grad is not None and not grad.isfinite().all():
            raise ProtocolError(7, f"the gradient of {name} is nan or infinite where a sequence begins, at zeros")


def _check_device(cell: Cell, drawn: Parameters) -> None:
    p, x = {name: value.to("meta") for name, value in drawn.items()}, torch.empty(_INPUTS, device="meta")
    state = tuple(x.new_empty(size) for size in cell.state_sizes())
    asked: list[tuple[int, str, Callable[[], Any]]] = [
        (3, "prepare", lambda: cell.prepare(p)),
        (4, "step", lambda: cell.step(cell.prepare(p), x, state)),
        (10, "gates", lambda: cell.gates(cell.prepare(p), x, state)),
    ]
    for line, what, function in asked:
        check_device(line, what, function, "its arguments'", "write x.new_zeros(n), or device=x.device")


def _check_gates(cell: Cell, p: Parameters, x: Tensor, state: State) -> None:
    with torch.no_grad():
        gates = called(10, "gates", cell.gates, p, x[0], tuple(variable[0] for variable in state))
    if not isinstance(gates, dict):
        raise ProtocolError(10, f"gates must give a dict of tensors by name, got {type_of(gates)}")
    for name, gate in gates.items():
        if not isinstance(gate, Tensor) or gate.ndim != 1:
            raise ProtocolError(10, f"the gate {name} must be a tensor [units]")
    if not isinstance(cell.keeps, Mapping):
        raise ProtocolError(10, f"`keeps` must be a dict such as {{'h': 'forget'}}, got {type_of(cell.keeps)}")
    for variable, gate in cell.keeps.items():
        if variable not in cell.state_names or gate not in gates:
            raise ProtocolError(10, f"`keeps` names {variable} and {gate}, which are no state variable and gate of it")
    with torch.no_grad():
        called(10, "gates", vmap(cell.gates, in_dims=(None, 0, 0)), p, x, state)


CELL_PROTOCOL = Protocol(Cell, CELLS, _LINES, check_cell, check_options_of_networks)
