"""Small packs with known results: what a cell gives on them by its own step, in float64, with autograd.

This is what a kernel is held to (``lrd.kernels.check``). The numbers of a pack are float32 ones, so that a kernel which
is right differs from its results by rounding alone. Nothing here is shared with a fast kernel: the cell's own step runs
in a loop over time, every state is kept, and autograd takes the gradients. So norms of gradients are exact as far as
float64 reaches, from 1e-300 to 1e300.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.func import vmap

from lrd.cells import Cell, Parameters, State
from lrd.shapes import Float, Tensor


@dataclass(frozen=True)
class SmallPack:
    """A pack in float64, and the scalar whose gradient is taken: a linear function of h and of the last state.

    Attributes:
        name: What is particular about it, in words.
        cell: The cell that does the steps.
        params: What its steps get, [runs, ...] by name.
        inputs: x_t of every step.
        state: The state before the first step; None: zeros.
        first: The first step whose h is wanted.
        on_h: The gradient of the scalar in these h, directly.
        on_state: The gradient of the scalar in the last state, directly.
        keep: 0 at the steps at which the gradient in h is cut, else 1; None: it is not cut.
        inputs_need_gradient: Whether the gradient of x_t is wanted, as in all layers but the first.
        far: Whether gradients are so small or large that float32 holds their norms as scaled vectors alone.
    """

    name: str
    cell: Cell
    params: Parameters
    inputs: Float[Tensor, "time runs batch inputs"]
    state: State | None
    first: int
    on_h: Float[Tensor, "steps runs batch hidden"]
    on_state: State
    keep: Float[Tensor, "runs time"] | None
    inputs_need_gradient: bool
    far: bool

    def leaves(self, device: torch.device, dtype: torch.dtype) -> tuple[Parameters, Tensor, State | None]:
        """Return parameters, inputs and state in a precision, as leaves whose gradients are wanted."""

        def leaf(value: Tensor) -> Tensor:
            return value.to(device, dtype, copy=True).requires_grad_()

        x = leaf(self.inputs).requires_grad_(self.inputs_need_gradient)
        state = None if self.state is None else tuple(leaf(variable) for variable in self.state)
        return {name: leaf(value) for name, value in self.params.items()}, x, state

    def results(
        self, leaves: tuple[Parameters, Tensor, State | None], h: Tensor, last: State, more: Sequence[Tensor] = ()
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return what was computed from ``leaves`` by name, runs first, and the gradients of the tensors ``more``.

        Names are ``h``, ``last h``, ... of what goes forward, and ``d W``, ``d x``, ``d first h``, ... of gradients.
        """
        params, x, state = leaves
        wanted = {f"d {name}": value for name, value in params.items()}
        wanted |= {"d x": x} if x.requires_grad else {}
        names = self.cell.state_names
        wanted |= {f"d first {name}": variable for name, variable in zip(names, state or (), strict=False)}
        scalar = (h * self.on_h.to(h)).sum()
        scalar = scalar + sum((s * on.to(s)).sum() for s, on in zip(last, self.on_state, strict=True))
        found = torch.autograd.grad(scalar, [*wanted.values(), *more], allow_unused=True, materialize_grads=True)
        values = {"h": h, **{f"last {name}": value for name, value in zip(names, last, strict=True)}}
        values |= dict(zip(wanted, found, strict=False))
        for name in ("h", "d x"):
            if name in values:
                values[name] = values[name].transpose(0, 1)
        return {name: value.detach() for name, value in values.items()}, list(found[len(wanted) :])


def reference(pack: SmallPack) -> tuple[dict[str, Tensor], dict[str, Float[Tensor, "time runs batch"]]]:
    """Return the results of a pack by name (``SmallPack.results``), and log10 of the gradient's norm at every state.

    The norms are by state variable, -inf where the gradient is 0.
    """
    leaves = params, x, state = pack.leaves(torch.device("cpu"), torch.float64)
    step = vmap(vmap(pack.cell.step, in_dims=(None, 0, 0)), in_dims=(0, 0, 0))
    zeros = (x.new_zeros(*x.shape[1:3], size).requires_grad_() for size in pack.cell.state_sizes())
    now = tuple(zeros) if state is None else state
    states: list[State] = []
    for t, x_t in enumerate(x):
        if pack.keep is not None:
            kept = pack.keep[:, t, None, None].to(x)
            now = (kept * now[0] + (1 - kept) * now[0].detach(), *now[1:])
        now = step(params, x_t, now)
        states.append(now)
    wanted = [variable[0] for variable in states[pack.first :]]
    h = torch.stack(wanted) if wanted else x.new_empty(0, *x.shape[1:3], pack.cell.hidden_size)
    values, grads = pack.results(leaves, h, now, [variable for state in states for variable in state])
    variables, measured = len(pack.cell.state_names), pack.cell.measured
    norms = {pack.cell.state_names[v]: torch.stack(grads[v::variables]).norm(dim=-1).log10() for v in measured}
    return values, norms


def small_packs(cell: Cell, cuts: bool) -> list[SmallPack]:
    """Return the packs that a kernel is held to, the same ones at every call.

    Some of what a kernel may do by another way is in each: a given state or zeros, h wanted from the first step on,
    from a later one, or of none, a gradient of the inputs or none, cuts, gradients beyond the range of float32. No tile
    of a program is filled, and one pack is wider than what the fused kernels keep in registers. All others have one
    size, so that a compiled kernel compiles few programs. W of each gate is a contraction: errors die out.

    Args:
        cell: The cell that does the steps. Its units are as many as a pack says, or the next whole number of blocks.
        cuts: Whether the kernel can cut the gradient in h.
    """
    draw = _Draw(cell)
    packs = [
        draw("from a state", time=9, runs=2, batch=5, inputs=3, hidden=6, first=4),
        draw("from zeros", time=5, runs=1, batch=17, inputs=1, hidden=72, zeros=True, inputs_need_gradient=False),
        draw("no h wanted", time=4, runs=2, batch=5, inputs=3, hidden=6, first=4),
        draw(
            "small gradients",
            time=24,
            runs=2,
            batch=5,
            inputs=3,
            hidden=6,
            first=23,
            weights=0.05,
            loss=1e-30,
            far=True,
        ),
        draw("large gradients", time=7, runs=2, batch=5, inputs=3, hidden=6, loss=1e25, far=True),
    ]
    return packs + [draw("cut in h", time=9, runs=2, batch=5, inputs=3, hidden=6, first=2, cut=True)] * cuts


class _Draw:
    """Draws packs from one stream of random numbers.

    Each unit gets +-1 or so from the first input, and less than that from all else. So no unit of a relu stands so near
    to its kink that rounding decides on which side, and no gate is shut.
    """

    def __init__(self, cell: Cell) -> None:
        self._cell, self._generator = cell, torch.Generator().manual_seed(19)

    def _uniform(self, *shape: int) -> Tensor:
        return 2 * torch.rand(shape, generator=self._generator) - 1

    def _sign(self, *shape: int) -> Tensor:
        return 1.0 - 2.0 * torch.randint(2, shape, generator=self._generator)

    def __call__(
        self, name: str, *, time: int, runs: int, batch: int, inputs: int, hidden: int, first: int = 0,
        zeros: bool = False, inputs_need_gradient: bool = True, cut: bool = False,
        weights: float = 1.0, loss: float = 1.0, far: bool = False,
    ) -> SmallPack:  # fmt: skip
        block = getattr(self._cell, "block_size", 1)
        cell = dataclasses.replace(self._cell, hidden_size=-(-hidden // block) * block).for_length(time)
        uniform: Callable[..., Tensor] = self._uniform
        params = {}
        for key, like in cell.parameters(inputs, torch.Generator()).items():
            value = uniform(runs, *like.shape)
            params[key] = weights * (0.5 * value / like.shape[-1] ** 0.5 if like.ndim > 1 else 0.1 * value)
        params["U"][..., 0] = weights * self._sign(runs, len(params["U"][0]))
        x = 0.3 * uniform(time, runs, batch, inputs)
        x[..., 0] = self._sign(time, runs, batch)
        state, on_state = (tuple(uniform(runs, batch, size) for size in cell.state_sizes()) for _ in range(2))
        on_h = uniform(time - first, runs, batch, cell.hidden_size)
        return SmallPack(
            name,
            cell,
            {key: value.double() for key, value in params.items()},
            x.double(),
            None if zeros else tuple(variable.double() for variable in state),
            first,
            (loss * on_h).double(),
            tuple((loss * on).double() for on in on_state),
            (torch.rand(runs, time, generator=self._generator) < 0.6).double() if cut else None,
            inputs_need_gradient,
            far,
        )
