"""The attentive RNN run by run, with its states written once instead of copied at every step.

Reference: ``lrd.kernels.loop``. With pre-activation gradients delta_t, and H the states before step t as rows,

    r_t = H^T alpha_t,                             alpha_t = softmax(H q_t / sqrt N),
    dL/dr_t = R^T delta_t,                         dL/dalpha_t = H dL/dr_t,
    eps_t = alpha_t (dL/dalpha_t - alpha_t . dL/dalpha_t) / sqrt N,
    dL/dq_t = H^T eps_t,                           dL/dH += alpha_t dL/dr_t^T + eps_t q_t^T.

Memory is that of the states and of the weights alpha, time * batch * (hidden + time) numbers a run.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from lrd.cells import Attentive, Cell, Parameters, State
from lrd.kernels import loop
from lrd.shapes import Float, Tensor

NAMES = ("U", "W", "b", "P", "Q", "R")


def attend(
    past: Float[Tensor, "batch steps hidden"], query: Float[Tensor, "batch hidden"]
) -> Float[Tensor, "batch steps"]:
    """Return the attention weights alpha of the past states."""
    scores = torch.bmm(past, query[..., None])[..., 0] / math.sqrt(query.shape[-1])
    return torch.softmax(scores, -1)


def attend_back(
    past: Float[Tensor, "batch steps hidden"],
    query: Float[Tensor, "batch hidden"],
    weights: Float[Tensor, "batch steps"],
    into_read: Float[Tensor, "batch hidden"],
) -> tuple[Float[Tensor, "batch steps hidden"], Float[Tensor, "batch hidden"]]:
    """Return the gradients of the past states and of the query.

    Args:
        past: The past states.
        query: q_t.
        weights: alpha_t.
        into_read: dL/dr_t, the gradient of what was read.
    """
    into_weights = torch.bmm(past, into_read[..., None])[..., 0]
    centred = into_weights - (weights * into_weights).sum(-1, keepdim=True)
    into_scores = weights * centred / math.sqrt(query.shape[-1])
    into_past = weights[..., None] * into_read[:, None] + into_scores[..., None] * query[:, None]
    return into_past, torch.bmm(into_scores[:, None], past)[:, 0]


def run_forward(
    p: Parameters, x: Float[Tensor, "time batch inputs"]
) -> tuple[Float[Tensor, "batch time hidden"], list[Float[Tensor, "batch hidden"]], list[Float[Tensor, "batch _"]]]:
    """Return the states of one run from a zero state, and the queries and attention weights of every step."""
    own, queries = x @ p["U"].T + p["b"], list((x @ p["P"].T).unbind(0))
    h, weights = x.new_zeros(x.shape[1], len(p["b"])), []
    states = x.new_empty(len(h), len(x), h.shape[1])
    for t, a in enumerate(own.unbind(0)):
        a = a + h @ p["W"].T
        queries[t] = queries[t] + h @ p["Q"].T
        past = states[:, :t]
        weights.append(attend(past, queries[t]))
        if t:
            a = a + torch.bmm(weights[t][:, None], past)[:, 0] @ p["R"].T
        h = torch.tanh(a)
        states[:, t] = h
    return states, queries, weights


def before(states: Float[Tensor, "batch time hidden"]) -> Float[Tensor, "time batch hidden"]:
    """Return h_{t-1} of every step."""
    return torch.nn.functional.pad(states[:, :-1], (0, 0, 1, 0)).transpose(0, 1).contiguous()


def reads(
    states: Float[Tensor, "batch time hidden"], weights: list[Float[Tensor, "batch _"]]
) -> Float[Tensor, "time batch hidden"]:
    """Return r_t of every step."""
    return torch.stack([torch.bmm(w[:, None], states[:, :t])[:, 0] for t, w in enumerate(weights)])


class _AttentiveRun(torch.autograd.Function):
    """The function (U, W, b, P, Q, R, x) -> states [batch, time, hidden] of one run."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:
        states, queries, weights = run_forward(dict(zip(NAMES, given[:-1], strict=True)), given[-1])
        ctx.save_for_backward(*given, states)
        ctx.queries, ctx.weights = queries, weights
        return states

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        u, w, _, p, q, r, x, states = ctx.saved_tensors
        # From the last step to the first: dL/dh_s gathers in ``into``, also from the steps that read h_s.
        into, deltas, into_queries = grad.clone(), [], []
        for t in range(len(x) - 1, -1, -1):
            past, h = states[:, :t], states[:, t]
            delta = into[:, t] * (1 - h * h)
            into_past, into_query = attend_back(past, ctx.queries[t], ctx.weights[t], delta @ r)
            if t:
                into[:, :t] += into_past
                into[:, t - 1] += delta @ w + into_query @ q
            deltas.append(delta)
            into_queries.append(into_query)
        # Gradients of the parameters, as sums over steps and samples: one matrix multiply each.
        delta, into_query = (torch.stack(v[::-1]).flatten(0, 1) for v in (deltas, into_queries))
        read, last, inputs = (v.flatten(0, 1) for v in (reads(states, ctx.weights), before(states), x))
        by = {"U": delta.T @ inputs, "W": delta.T @ last, "b": delta.sum(0), "R": delta.T @ read}
        by |= {"P": into_query.T @ inputs, "Q": into_query.T @ last}
        into_x = (delta @ u + into_query @ p).view_as(x) if ctx.needs_input_grad[-1] else None
        return (*(by[name] for name in NAMES), into_x)


def scan(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "time runs batch inputs"],
    state: State | None,
    first: int = 0,
) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
    """Run the attentive RNN (see ``lrd.kernels.protocol``).

    From a given state, or over more steps than the cell keeps, the reference kernel runs.
    """
    assert isinstance(cell, Attentive)
    time = len(inputs)
    if state is not None or not cell.sees_all(time):
        return loop.scan(cell, params, inputs, state, first)
    states = torch.stack(
        [
            _AttentiveRun.apply(*(params[name][run] for name in NAMES), x.contiguous())  # type: ignore[no-untyped-call]
            for run, x in enumerate(inputs.unbind(1))
        ]
    )
    past = torch.nn.functional.pad(states[:, :, :-1], (0, 0, 0, cell.keeps_states - (time - 1))).flatten(2)
    count = torch.full((*past.shape[:2], 1), float(time), dtype=past.dtype, device=past.device)
    return states.permute(2, 0, 1, 3)[first:], (states[:, :, -1], past, count)
