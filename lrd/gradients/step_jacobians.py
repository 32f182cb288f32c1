"""The linear maps of single steps, J_t = d state_t / d state_{t-1}, of any cell.

The state is (h) or (h, c) joined, without the cell's ``bookkeeping``. ``Linearisation`` finds J_t by autograd
(``torch.func``) of the cell's own step, a chunk of steps at once. RNN and LSTM have closed forms, with the slopes of
``lrd.gradients.closed_forms``, exact however saturated a unit is.

S is the sum of the state's sizes. Vectors are rows: ``push`` takes tangents v to J_t v, ``pull`` cotangents to v J_t.
"""

from __future__ import annotations

import torch
from torch.func import jacrev, vmap

from lrd.cells import LSTM, RNN, Cell, Parameters, State, products
from lrd.gradients.closed_forms import (
    SLOPES,
    add_rounded_product,
    input_part,
    lstm_slopes,
    unroll_lstm,
    unroll_rnn,
)
from lrd.kernels import loop
from lrd.kernels.traced import unroll
from lrd.options import OptionError
from lrd.shapes import Float, Int, Tensor

_CHUNK_BYTES = 32 * 2**20  # of Jacobians held at once
LARGEST_STATE = 4096  # entries: one Jacobian then takes 128 MiB


def check_state(cell: Cell, key: str) -> None:
    """Raise ``OptionError`` for the option ``key`` if a Jacobian of the cell's state would be too large to hold."""
    entries = sum(cell.measured_sizes)
    if entries > LARGEST_STATE:
        smaller = "a smaller cell.memory" if hasattr(cell, "memory") else "a smaller cell.hidden_size"
        text = f"are of matrices of the whole state, {entries} numbers in this cell; {LARGEST_STATE} are the most"
        raise OptionError(key, f"{text}: {smaller}, or another probe")


class Linearisation:
    """The maps J_t of consecutive steps of every sample of a pack.

    ``local`` holds what J_t depends on, each [time, runs, batch, _]: here x_t and the state before the step.
    """

    def __init__(self, cell: Cell, params: Parameters, local: tuple[Float[Tensor, "time runs batch _"], ...]) -> None:
        self.cell, self.params, self.local = cell, params, local
        self._held: tuple[range, Tensor] | None = None

    @classmethod
    def along(
        cls, cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], state: State
    ) -> tuple[Linearisation, State]:
        """Return the maps of the steps along ``inputs`` from a state, and the state after them."""
        with torch.no_grad():
            states = [state, *unroll(cell, params, inputs, state)]
        before = (torch.stack(variable) for variable in zip(*states[:-1], strict=True))
        return cls(cell, params, (inputs, *before)), states[-1]

    def at(self, t: Int[Tensor, "steps runs batch"]) -> Linearisation:
        """Return the maps of the steps ``t`` of each sample, in that order."""
        gathered = (v.gather(0, t[..., None].expand(*t.shape, v.shape[-1])) for v in self.local)
        return type(self)(self.cell, self.params, tuple(gathered))

    def jacobians(self, first: int, stop: int) -> Float[Tensor, "steps runs batch S S"]:
        """Return J_t of the steps from ``first`` to before ``stop``; rows are entries of state_t."""
        measured, sizes = self.cell.measured, list(self.cell.measured_sizes)

        def step(p: Parameters, x: Tensor, moving: Tensor, before: State) -> Tensor:
            state = list(before)
            for v, part in zip(measured, torch.split(moving, sizes), strict=True):
                state[v] = part
            after = self.cell.step(p, x, tuple(state))
            return torch.cat([after[v] for v in measured])

        over_batch = vmap(jacrev(step, argnums=2), in_dims=(None, 0, 0, 0))
        over_runs = vmap(over_batch, in_dims=(0, 0, 0, 0))
        x, *before = (v[first:stop] for v in self.local)
        moving = torch.cat([before[v] for v in measured], dim=-1)
        jacobians: Tensor = vmap(over_runs, in_dims=(None, 0, 0, 0))(self.params, x, moving, tuple(before))
        return jacobians.detach()

    def push(self, t: int, rows: Float[Tensor, "runs batch rows S"]) -> Float[Tensor, "runs batch rows S"]:
        """Return J_t v for each row v."""
        return rows @ self._jacobian(t).transpose(-1, -2)

    def pull(self, t: int, rows: Float[Tensor, "runs batch rows S"]) -> Float[Tensor, "runs batch rows S"]:
        """Return v J_t for each row v."""
        return rows @ self._jacobian(t)

    def _jacobian(self, t: int) -> Float[Tensor, "runs batch S S"]:
        time, runs, batch, _ = self.local[0].shape
        if self._held is None or t not in self._held[0]:
            size = max(1, _CHUNK_BYTES // (8 * runs * batch * sum(self.cell.measured_sizes) ** 2))
            first = t // size * size
            steps = range(first, min(first + size, time))
            self._held = steps, self.jacobians(steps.start, steps.stop)
        return self._held[1][t - self._held[0].start]


class RNNLinearisation(Linearisation):
    """The RNN's maps J_t = diag(f'(a_t)) W; ``local`` is f'(a_t)."""

    cell: RNN

    @classmethod
    def along(
        cls, cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], state: State
    ) -> tuple[Linearisation, State]:
        assert isinstance(cell, RNN)
        a = input_part(params, inputs)
        for state in unroll_rnn(cell, params, a, state, add_rounded_product):  # noqa: B007, B020 -- fills in a
            pass
        slopes = SLOPES[cell.activation](a)
        if cell.activation == "relu":  # whose slope would be 0 where a state has left the range of floats
            slopes = torch.where(a.isnan(), torch.nan, slopes)
        return cls(cell, params, (slopes,)), state

    def jacobians(self, first: int, stop: int) -> Float[Tensor, "steps runs batch S S"]:
        return self.local[0][first:stop, ..., None] * self.params["W"][:, None]

    def push(self, t: int, rows: Float[Tensor, "runs batch rows S"]) -> Float[Tensor, "runs batch rows S"]:
        return _by_run(rows, self.params["W"].transpose(1, 2)) * self.local[0][t, :, :, None]

    def pull(self, t: int, rows: Float[Tensor, "runs batch rows S"]) -> Float[Tensor, "runs batch rows S"]:
        return _by_run(rows * self.local[0][t, :, :, None], self.params["W"])


class LSTMLinearisation(Linearisation):
    """The LSTM's maps (Gers et al. 2000); ``local`` is ``LSTMSlopes``."""

    cell: LSTM

    @classmethod
    def along(
        cls, cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], state: State
    ) -> tuple[Linearisation, State]:
        a = input_part(params, inputs)
        states = [state, *unroll_lstm(params, a, state, add_rounded_product)]
        return cls(cell, params, lstm_slopes(a, torch.stack([c for _, c in states]))), states[-1]

    def jacobians(self, first: int, stop: int) -> Float[Tensor, "steps runs batch S S"]:
        forget, c_to_h, _ = (v[first:stop] for v in self.local)
        within_h, h_to_c = self._dense(slice(first, stop))
        h_to_h = within_h + c_to_h[..., None] * h_to_c
        rows = [torch.cat([h_to_h, torch.diag_embed(c_to_h * forget)], dim=-1)]
        rows += [torch.cat([h_to_c, torch.diag_embed(forget)], dim=-1)]
        return torch.cat(rows, dim=-2)

    def _dense(self, steps: int | slice) -> tuple[Tensor, Tensor]:
        """Return dh_t / dh_{t-1} by the output gate alone, and dc_t / dh_{t-1}: [..., runs, batch, hidden, hidden]."""
        n = self.cell.hidden_size
        i, f, g, o = self.local[2][steps][..., None].chunk(4, dim=-2)
        w_i, w_f, w_g, w_o = self.params["W"].view(-1, 1, 4, n, n).unbind(2)
        return o * w_o, torch.addcmul(torch.addcmul(i * w_i, f, w_f), g, w_g)

    # For few tangents: one product with W for all samples of a run. ``pull`` is for many cotangents: with products of
    # its own for each sample, but half as large, since the gates are added up first.
    def push(self, t: int, rows: Float[Tensor, "runs batch rows S"]) -> Float[Tensor, "runs batch rows S"]:
        forget, c_to_h, gates = (v[t, :, :, None] for v in self.local)
        v_h, v_c = rows.chunk(2, dim=-1)
        i, f, g, o = (_by_run(v_h, self.params["W"].transpose(1, 2)) * gates).chunk(4, dim=-1)
        v_c = torch.addcmul(i + f + g, v_c, forget)
        return torch.cat([torch.addcmul(o, c_to_h, v_c), v_c], dim=-1)

    def pull(self, t: int, rows: Float[Tensor, "runs batch rows S"]) -> Float[Tensor, "runs batch rows S"]:
        forget, c_to_h, _ = (v[t, :, :, None] for v in self.local)
        within_h, h_to_c = self._dense(t)
        to_h, to_c = rows.chunk(2, dim=-1)
        to_c = torch.addcmul(to_c, to_h, c_to_h)
        return torch.cat([to_h @ within_h + to_c @ h_to_c, to_c * forget], dim=-1)


def _by_run(rows: Float[Tensor, "runs batch rows n"], matrix: Float[Tensor, "runs n m"]) -> Tensor:
    runs, batch, k, n = rows.shape
    return products(rows.reshape(runs, batch * k, n), matrix).view(runs, batch, k, -1)


_BY_CELL: dict[type[Cell], type[Linearisation]] = {RNN: RNNLinearisation, LSTM: LSTMLinearisation}


def linearise(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None = None,
) -> tuple[Linearisation, State]:
    """Return the maps of a cell's steps, by the fastest way that there is for the cell, and the state after them.

    Args:
        cell: the one that does the steps.
        params: of the pack, [runs, ...].
        inputs: of the pack, in the same precision.
        state: before the first step; None: zeros.
    """
    state = loop.zero_state(cell, inputs) if state is None else state
    return _BY_CELL.get(type(cell), Linearisation).along(cell, params, inputs, state)
