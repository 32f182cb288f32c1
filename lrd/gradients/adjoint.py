"""The backward pass of one step: the states of a pack along its sequences, and gradients pulled from step to step.

``Adjoint`` does it for any cell, by the cell's own step and autograd, traced once where that can be. RNN, LSTM and
attentive RNN have a closed form each, several times faster. All keep a leading pack axis, and the precision of their
parameters.

The backward pass of the LSTM stands in two further places: ``lrd.kernels.packed_lstm`` (training: in place, with slopes
from stored activations, which round differently and cost no exponentials) and ``lrd.kernels.fused.lstm_programs`` (the
same in Triton's language). ``lrd.gradients.step_jacobians`` takes many gradients back at once, for which another order
of products is faster; its slopes are the ones of here (``lrd.gradients.closed_forms``).
"""

from __future__ import annotations

from functools import cached_property

import torch

from lrd.cells import LSTM, RNN, Attentive, Cell, Parameters, State
from lrd.gradients.closed_forms import SLOPES, input_part, lstm_slopes, tanh_slope, unroll_lstm, unroll_rnn
from lrd.kernels import attentive, loop
from lrd.kernels.traced import traced_step, unroll
from lrd.shapes import Float, Tensor


class Adjoint:
    """The states of a pack along its sequences from a zero state, and the backward pass of each step, for any cell.

    Attributes:
        h: the first state variable after each step [time, runs, batch, hidden], which the readout sees.
    """

    h: Tensor

    def __init__(
        self,
        cell: Cell,
        params: Parameters,
        inputs: Float[Tensor, "time runs batch inputs"],
        into_x: bool = False,
    ) -> None:
        """Run the cell forward.

        Args:
            cell: the one that does the steps.
            params: of the pack, [runs, ...].
            inputs: of the pack.
            into_x: whether ``into_inputs`` will be asked for.
        """
        self.cell, self.params, self.inputs, self._into_x = cell, params, inputs, into_x
        self._forward()

    @cached_property
    def _own(self) -> tuple[str, ...]:
        """Names of the parameters that the cell's step gets, without the readout's."""
        return tuple(self.cell.prepare(self.cell.parameters(self.inputs.shape[-1], torch.Generator())))

    def _forward(self) -> None:
        start = loop.zero_state(self.cell, self.inputs)
        self._step = traced_step(self.cell, self.params, self.inputs, start, self._into_x)
        with torch.no_grad():
            self.states = [start, *unroll(self.cell, self.params, self.inputs)]
            if self._step is not None:
                self._fixed = self._step.once([self.params[name] for name in self._step.names])
        self.h = torch.stack([state[0] for state in self.states[1:]])

    def zero_gradients(self) -> State:
        """Return zeros [runs, batch, size] for each state variable."""
        return loop.zero_state(self.cell, self.inputs)

    def pull(self, t: int, grads: State) -> tuple[State, State]:
        """Pull gradients back through one step.

        Args:
            t: the step, 0-based.
            grads: dL/d(variable) of each state variable after step t, as it arrives from later steps and the readout.

        Returns:
            The total gradients dL/dh_t (, dL/dc_t), which count also what c_t does through h_t of the same step; and
            the gradients that arrive at the variables of step t - 1.
        """
        if self._step is not None:
            with torch.no_grad():
                return self._step.pull(self._fixed, self.inputs[t], self.states[t], grads)[:2]
        before = tuple(s.detach().requires_grad_() for s in self.states[t])
        with torch.enable_grad():
            after = _followed(loop.unroll(self.cell, self.params, self.inputs[t : t + 1], before)[0])
            # A state variable that a step ignores or merely hands on has a gradient too: zero, or what arrives.
            pulled = torch.autograd.grad(after, (*before, *after), grads, allow_unused=True, materialize_grads=True)
        return pulled[len(before) :], pulled[: len(before)]

    def into_inputs(self, t: int, grads: State) -> Float[Tensor, "runs batch inputs"]:
        """Return dL/dx_t, which the layer below gets; arguments are those of ``pull``."""
        if self._step is not None and self._into_x:
            with torch.no_grad():
                return self._step.pull(self._fixed, self.inputs[t], self.states[t], grads)[2][0]
        x = self.inputs[t : t + 1].detach().requires_grad_()
        with torch.enable_grad():
            after = _followed(loop.unroll(self.cell, self.params, x, self.states[t])[0])
            (into,) = torch.autograd.grad(after, x, grads, allow_unused=True, materialize_grads=True)
        return into[0]

    def partials(self, t: int, grads: State) -> Partials:
        """Return what each of the cell's parameters gets at one step, sample by sample.

        It is the immediate partial derivative of Pascanu et al. (2013), eq. 4, in which states before step t count as
        constants.

        Args:
            t: the step, 0-based.
            grads: what arrives there, as for ``pull``.
        """

        def of_sample(p: Parameters, x: Tensor, state: State, into: State) -> Parameters:
            pulled: tuple[Parameters] = torch.func.vjp(lambda p: self.cell.step(p, x, state), p)[1](into)
            return pulled[0]

        of_pack = torch.func.vmap(torch.func.vmap(of_sample, in_dims=(None, 0, 0, 0)))
        found = of_pack({name: self.params[name] for name in self._own}, self.inputs[t], tuple(self.states[t]), grads)
        return {name: (value.flatten(2), None) for name, value in found.items()}


def _followed(state: State) -> State:
    """Return a state of which every variable can be differentiated, also one that depends on nothing that came in."""
    return tuple(variable if variable.requires_grad else variable.detach().requires_grad_() for variable in state)


class RunByRun(Adjoint):
    """The backward pass run by run, for packs in which a run would depend on its companions in the last bit."""

    def _forward(self) -> None:
        runs = loop.runs_alone(self.cell, self.inputs)
        self._tapes = [
            Adjoint(self.cell, {name: p[run] for name, p in self.params.items()}, self.inputs[:, run], self._into_x)
            for run in runs
        ]
        self.h = torch.cat([tape.h for tape in self._tapes], 1)

    def pull(self, t: int, grads: State) -> tuple[State, State]:
        of_runs = zip(*(torch.split(g, 1) for g in grads), strict=True)
        pulled = [tape.pull(t, mine) for tape, mine in zip(self._tapes, of_runs, strict=True)]
        total, before = (tuple(map(torch.cat, zip(*part, strict=True))) for part in zip(*pulled, strict=True))
        return total, before

    def into_inputs(self, t: int, grads: State) -> Tensor:
        of_runs = zip(*(torch.split(g, 1) for g in grads), strict=True)
        return torch.cat([tape.into_inputs(t, mine) for tape, mine in zip(self._tapes, of_runs, strict=True)])

    def partials(self, t: int, grads: State) -> Partials:
        of_runs = zip(*(torch.split(g, 1) for g in grads), strict=True)
        found = [tape.partials(t, mine) for tape, mine in zip(self._tapes, of_runs, strict=True)]
        return {name: (torch.cat([partials[name][0] for partials in found]), None) for name in found[0]}


#: The gradient of each parameter at one step, sample by sample. A matrix gets left right^T, with left [runs, batch,
#: rows] and right [runs, batch, columns]; where right is None, the gradient is left itself.
Partials = dict[str, tuple[Tensor, Tensor | None]]


class RNNAdjoint(Adjoint):
    """The backward pass of the RNN: dL/dh_{t-1} = W^T (f'(a_t) dL/dh_t)."""

    cell: RNN

    def _forward(self) -> None:
        a = input_part(self.params, self.inputs)
        start = loop.zero_state(self.cell, self.inputs)
        self.h = torch.stack([h for (h,) in unroll_rnn(self.cell, self.params, a, start)])
        self._slopes = SLOPES[self.cell.activation](a)

    def pull(self, t: int, grads: State) -> tuple[State, State]:
        return grads, (torch.bmm(grads[0] * self._slopes[t], self.params["W"]),)

    def into_inputs(self, t: int, grads: State) -> Tensor:
        return torch.bmm(grads[0] * self._slopes[t], self.params["U"])

    def partials(self, t: int, grads: State) -> Partials:
        return _partials_of_delta(self, t, grads[0] * self._slopes[t])


class LSTMAdjoint(Adjoint):
    """The backward pass of Gers et al. (2000), with dL/dc_t counting the path through h_t."""

    cell: LSTM

    def _forward(self) -> None:
        a = input_part(self.params, self.inputs)
        start = loop.zero_state(self.cell, self.inputs)
        hs, cs = zip(*unroll_lstm(self.params, a, start), strict=True)
        self.h = torch.stack(hs)
        # The slopes of all steps at once: each step of the backward pass is then short.
        self._slopes = lstm_slopes(a, torch.stack((start[1], *cs)))

    def pull(self, t: int, grads: State) -> tuple[State, State]:
        dh, dc, deltas = self._deltas(t, grads)
        return (dh, dc), (torch.bmm(deltas, self.params["W"]), dc * self._slopes.forget[t])

    def into_inputs(self, t: int, grads: State) -> Tensor:
        return torch.bmm(self._deltas(t, grads)[-1], self.params["U"])

    def partials(self, t: int, grads: State) -> Partials:
        return _partials_of_delta(self, t, self._deltas(t, grads)[-1])

    def _deltas(self, t: int, grads: State) -> tuple[Tensor, Tensor, Tensor]:
        """Return dL/dh_t, dL/dc_t and the gradient of the gates' pre-activations."""
        dh, dc = grads
        dc = torch.addcmul(dc, dh, self._slopes.h_to_c[t])
        return dh, dc, torch.cat([dc, dc, dc, dh], dim=-1) * self._slopes.gates[t]


class AttentiveAdjoint(Adjoint):
    """The backward pass of the attentive RNN, run by run, with the gradient of the states that it remembers.

    The equations are those of ``lrd.kernels.attentive``.
    """

    cell: Attentive

    def _forward(self) -> None:
        self._runs = [{name: value[run] for name, value in self.params.items()} for run in range(self.inputs.shape[1])]
        unrolled, kept = [], []
        for p, strided in zip(self._runs, self.inputs.unbind(1), strict=True):
            x = strided.contiguous()  # as it would be alone: products of strided numbers are rounded differently
            states, queries, weights = attentive.run_forward(p, x)
            before, read = attentive.before(states), attentive.reads(states, weights)
            a = x @ p["U"].T + before @ p["W"].T + read @ p["R"].T + p["b"]
            unrolled.append((states, queries, weights))
            kept.append((states.transpose(0, 1), before, read, tanh_slope(a)))
        self._states, self._queries, self._weights = zip(*unrolled, strict=True)
        self.h, self._before, self._read, self._slopes = (torch.stack(v, 1) for v in zip(*kept, strict=True))

    def pull(self, t: int, grads: State) -> tuple[State, State]:
        into_h, into_past, into_count = grads
        into_past = into_past.reshape(*into_h.shape[:2], -1, self.cell.hidden_size).clone()
        arriving = torch.empty_like(into_h)
        for run, (p, delta) in enumerate(zip(self._runs, into_h * self._slopes[t], strict=True)):
            into_seen, into_query = self._attended(run, t, delta)
            arriving[run] = delta @ p["W"] + into_query @ p["Q"]
            into_past[run, :, :t] += into_seen
        if t:  # the step wrote h_{t-1} there itself, whatever stood there before
            arriving += into_past[:, :, t - 1]
            into_past[:, :, t - 1] = 0
        return grads, (arriving, into_past.flatten(2), into_count)

    def into_inputs(self, t: int, grads: State) -> Tensor:
        delta = grads[0] * self._slopes[t]
        query = torch.stack([self._attended(run, t, d)[1] for run, d in enumerate(delta)])
        return torch.bmm(delta, self.params["U"]) + torch.bmm(query, self.params["P"])

    def _attended(self, run: int, t: int, delta: Tensor) -> tuple[Tensor, Tensor]:
        past, into_read = self._states[run][:, :t], delta @ self._runs[run]["R"]
        return attentive.attend_back(past, self._queries[run][t], self._weights[run][t], into_read)

    def partials(self, t: int, grads: State) -> Partials:
        delta, x, before = grads[0] * self._slopes[t], self.inputs[t], self._before[t]
        query = torch.stack([self._attended(run, t, d)[1] for run, d in enumerate(delta)])
        of_units = {"U": (delta, x), "W": (delta, before), "b": (delta, None), "R": (delta, self._read[t])}
        return of_units | {"P": (query, x), "Q": (query, before)}


def _partials_of_delta(tape: Adjoint, t: int, delta: Float[Tensor, "runs batch rows"]) -> Partials:
    """Return the partials of U, W and b from the gradient of the pre-activations U x_t + W h_{t-1} + b."""
    before = tape.h[t - 1] if t else torch.zeros_like(tape.h[0])
    return {"U": (delta, tape.inputs[t]), "W": (delta, before), "b": (delta, None)}


_BY_CELL: dict[type[Cell], type[Adjoint]] = {RNN: RNNAdjoint, LSTM: LSTMAdjoint, Attentive: AttentiveAdjoint}


def adjoint(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], into_x: bool = False
) -> Adjoint:
    """Return the fastest adjoint that there is for a cell; arguments are those of ``Adjoint``."""
    if isinstance(cell, Attentive) and not cell.sees_all(len(inputs)):
        return Adjoint(cell, params, inputs, into_x)
    kind = _BY_CELL.get(type(cell), RunByRun if len(loop.runs_alone(cell, inputs)) > 1 else Adjoint)
    return kind(cell, params, inputs, into_x)
