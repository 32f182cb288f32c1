"""Gradient flow: the norm of dL/dh_t (and dL/dc_t) at every t, sample by sample, for the loss of one answer.

L is the loss of one answer step of one sample, or the sum over its answers: never averaged over the batch nor divided
by the length of the sequence, which would make profiles shrink with the gap for no dynamical reason.

Norms are carried as (vector, integer exponent of two): after each step the vector is multiplied by a power of
two, which is exact, and the exponent counted, so that log10 norms of -5000 or +5000 are as exact as those near 0.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from dataclasses import dataclass

import torch

from lrd.cells import Cell, Parameters, State, read
from lrd.probes.adjoint import Adjoint, adjoint
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Batch, Task

LOG10_2 = math.log10(2.0)
# Runs are taken in groups whose tape stays about this small: for caches, or for a GPU, which more of them fill.
_GROUP_BYTES, _GROUP_BYTES_ON_GPU = 64 * 2**20, 2**30
_STEPS = 32  # gradients of a vanilla RNN are held for so many steps, larger ones for fewer, and calls are few


@dataclass(frozen=True)
class Flow:
    """Profiles of one pack. Row j of every array is the step ``answer step - lags[j]``; ``lags`` fall to 0.

    They are the same whatever runs are in the pack: where the answer's step varies, they begin at that of the longest
    sequence that the task can draw.

    ``total[variable]`` and ``direct[variable]`` [lags, runs, batch]: log10 norm; -inf where the gradient is exactly 0,
    nan where a (shorter) sample has no such step. ``total`` is dL/d(variable at t), ``direct`` the part of it that does
    not pass through later steps.
    """

    answer: str
    lags: Int[Tensor, "lags"]
    total: dict[str, Float[Tensor, "lags runs batch"]]
    direct: dict[str, Float[Tensor, "lags runs batch"]]


def gradient_flow(
    task: Task,
    cell: Cell,
    params: Parameters,
    batch: Batch,
    answer: str | int = "last",
    dtype: torch.dtype = torch.float64,
) -> Flow:
    """Gradient flow of every sample of every run of a pack.

    ``params``: cell and readout, [runs, ...]; ``answer``: "last", "first", "all" (the sum over answers) or a number;
    ``dtype``: of states and gradients. float32 has a relative error near 1e-7 * sqrt(steps); where it leaves
    its range, the float64 result is given.
    """
    runs = torch.arange(batch.inputs.shape[1], device=batch.inputs.device)
    parts = []
    for group in torch.split(runs, looked_at_at_once(batch.inputs[:, 0, :, 0].numel(), cell, runs.device)):
        part = _flow(task, cell, *take(params, batch, group, dtype), answer)
        if dtype != torch.float64 and len(beyond := _beyond(part)):  # of these runs alone, whatever their companions
            exact = _flow(task, cell, *take(params, batch, group[beyond], torch.float64), answer)
            for mine, other in ((part.total, exact.total), (part.direct, exact.direct)):
                for name in mine:
                    mine[name][:, beyond] = other[name]
        parts.append(part)
    joined = [
        {name: torch.cat([getattr(part, kind)[name] for part in parts], dim=1) for name in cell.measured_names}
        for kind in ("total", "direct")
    ]
    return Flow(str(answer), parts[0].lags, *joined)


def looked_at_at_once(symbols: int, cell: Cell, device: torch.device) -> int:
    """Runs that are looked at at once, of so many steps of samples each: some 12 float64 of each unit are kept."""
    most = _GROUP_BYTES if device.type == "cpu" else _GROUP_BYTES_ON_GPU
    return max(1, most // (12 * 8 * symbols * cell.hidden_size))


def _beyond(flow: Flow) -> Int[Tensor, "some"]:
    """The runs with a norm that is nan at an answer, where every sample has a step, infinite, or 0 anywhere.

    A slope below 1e-38 is 0 in float32; what is 0 in truth (behind a dead rectifier) is so in float64 too.
    """
    wrong = [norms[-1].isnan().any(-1) | norms.isinf().any(-1).any(0) for norms in flow.total.values()]
    return torch.stack(wrong).any(0).nonzero()[:, 0]


def answer_numbers(task: Task, answer: str | int) -> range:
    """The answers that a name stands for, 0-based. Raises ``ValueError`` for a name that means none of them."""
    if answer == "all":
        return range(task.answers)
    try:
        k = {"first": 0, "last": task.answers - 1}.get(answer, answer) if isinstance(answer, str) else answer
        k = int(k)
    except ValueError:
        raise ValueError(f"must be first, last, all or a number, got {answer!r}") from None
    if not -task.answers <= k < task.answers:
        raise ValueError(f"must lie below the task's number of answers, {task.answers}, got {answer!r}")
    return range(k % task.answers, k % task.answers + 1)


def take(params: Parameters, batch: Batch, group: Int[Tensor, "some"], dtype: torch.dtype) -> tuple[Parameters, Batch]:
    """Cell, readout and sequences of some runs, in that precision."""
    part = batch.of_runs(group)
    targets = part.targets.to(dtype) if part.targets.is_floating_point() else part.targets
    weights = None if part.weights is None else part.weights.to(dtype)
    taken = {name: p[group].detach().to(dtype) for name, p in params.items()}
    return taken, Batch(part.inputs.to(dtype), targets, weights)


def _flow(task: Task, cell: Cell, params: Parameters, batch: Batch, answer: str | int) -> Flow:
    steps = torch.stack([task.answer_steps(batch, k) for k in answer_numbers(task, answer)])
    with torch.no_grad():
        tape = adjoint(cell, params, batch.inputs)
        into_h = from_readout(task, params, batch, tape.h, steps)
        total, direct = _sweep(tape, {t: into_h[t - task.loss_steps.start] for t in torch.unique(steps).tolist()})
    last = steps.amax(0)
    latest = int(last.max()) if batch.weights is None else task.loss_steps[-1]
    lags = torch.arange(latest, -1, -1, device=last.device)
    return Flow(
        str(answer),
        lags,
        {cell.state_names[v]: by_lag(total[v], last, lags) for v in cell.measured},
        {cell.state_names[v]: by_lag(direct[v], last, lags) for v in cell.measured},
    )


def from_readout(
    task: Task,
    params: Parameters,
    batch: Batch,
    h: Float[Tensor, "time runs batch hidden"],
    steps: Int[Tensor, "answers runs batch"],
) -> Float[Tensor, "steps runs batch hidden"]:
    """What each loss step's h_t gets straight from the readout, for the loss of the chosen answers alone."""
    first, stop = task.loss_steps.start, task.loss_steps.stop
    with torch.enable_grad():
        seen = h[first:stop].detach().requires_grad_()
        losses = task.losses(read(params, seen, batch.inputs[first:stop]), batch.targets)
        chosen = torch.zeros_like(losses).scatter_(0, steps - first, 1.0)
        (grad,) = torch.autograd.grad((losses * chosen).sum(), seen)
    return grad


def _sweep(
    tape: Adjoint, into_h: dict[int, Float[Tensor, "runs batch hidden"]]
) -> tuple[list[Float[Tensor, "time runs batch"]], list[Float[Tensor, "time runs batch"]]]:
    """From the last answer back to step 0: log10 norms of each state variable, total and direct.

    ``into_h``: what the readout sends into h_t, at the steps that have an answer.
    """
    total = total_norms(tape, into_h)
    zeros, answered = tape.zero_gradients(), sorted(into_h)
    alone = [tape.pull(t, (into_h[t], *zeros[1:]))[0] for t in answered]
    direct = [torch.full_like(norms, -torch.inf) for norms in total]
    for v, norms in enumerate(direct):
        norms[answered] = log10_norm([gradients[v] for gradients in alone])
    return total, direct


def total_norms(
    tape: Adjoint, into_h: dict[int, Float[Tensor, "runs batch hidden"]], cuts: Container[int] = ()
) -> list[Float[Tensor, "time runs batch"]]:
    """log10 norms of dL/d(state variable) from step 0 to the last one in ``into_h``; others as in ``backwards``."""
    zeros = tape.zero_gradients()
    most = max(1, _STEPS * zeros[0].shape[-1] // sum(zero.shape[-1] for zero in zeros))
    total: list[list[Tensor]] = [[] for _ in zeros]
    held, exponents = [], []
    for t, _, here, exponent in backwards(tape, into_h, cuts):
        held.append(here)
        exponents.append(exponent)
        if len(held) == most or t == 0:
            for found, gradients in zip(total, zip(*held, strict=True), strict=True):
                found.append(log10_norm(list(gradients)))
            held = []
    powers = torch.stack(exponents[::-1]).double() * LOG10_2  # int64 * float would be float32
    return [torch.cat(found).flip(0) + powers for found in total]


def backwards(
    tape: Adjoint, into_h: dict[int, Float[Tensor, "runs batch hidden"]], cuts: Container[int] = ()
) -> Iterator[tuple[int, State, State, Int[Tensor, "runs batch"]]]:
    """Step by step from the last answer back to step 0: ``(t, arriving, total, exponent)``.

    ``arriving``: the gradients at the variables of step t from later steps and from the readout; ``total``: those that
    count also what c_t does through h_t; both times ``2**exponent``. ``cuts``: the steps that nothing goes back from.
    """
    grads = tape.zero_gradients()
    exponent = torch.zeros(grads[0].shape[:2], dtype=torch.int64, device=grads[0].device)
    for t in range(max(into_h), -1, -1):
        # At every step: a saturated unit or a small weight takes hundreds of orders of magnitude at once.
        grads, exponent = _rescale(grads, exponent)
        if t in into_h:
            grads, exponent = _add(grads, exponent, into_h[t])
        total, before = tape.pull(t, grads)
        yield t, grads, total, exponent
        grads = tape.zero_gradients() if t in cuts else before


def _rescale(grads: State, exponent: Int[Tensor, "runs batch"]) -> tuple[State, Int[Tensor, "runs batch"]]:
    """The same ``grads * 2**exponent`` with the largest entry of each sample near 1."""
    size = torch.stack([g.abs().amax(-1) for g in grads]).amax(0) if len(grads) > 1 else grads[0].abs().amax(-1)
    power = torch.frexp(size).exponent
    # In two halves, both normal numbers: the inverse of a subnormal is none, nor that of the largest numbers.
    half = power // 2
    first, second = (torch.exp2(-p.to(size.dtype))[..., None] for p in (half, power - half))
    return tuple(g * first * second for g in grads), exponent + power


def _add(
    grads: State, exponent: Int[Tensor, "runs batch"], added: Float[Tensor, "runs batch hidden"]
) -> tuple[State, Int[Tensor, "runs batch"]]:
    """``grads * 2**exponent + added``, as such a pair, however far the two lie apart."""
    (added,), of_added = _rescale((added,), torch.zeros_like(exponent))
    present = torch.stack([(g != 0).any(-1) for g in grads]).any(0)
    common = torch.where(present, torch.maximum(exponent, of_added), of_added)
    common = torch.where((added != 0).any(-1), common, exponent)
    grads = tuple(g * _power_of_two(exponent - common, g.dtype) for g in grads)
    return (grads[0] + added * _power_of_two(of_added - common, added.dtype), *grads[1:]), common


def _power_of_two(power: Int[Tensor, "runs batch"], dtype: torch.dtype) -> Float[Tensor, "runs batch 1"]:
    # Never above 1; below the smallest number of the dtype nothing is left beside the sample's largest entry, near 1.
    return torch.exp2(power.clamp(-2000, 0).double()).to(dtype)[..., None]


def log10_norm(gradients: list[Float[Tensor, "runs batch size"]]) -> Float[Tensor, "steps runs batch"]:
    """log10 norms of one gradient a step, in float64; of any number, since its square need not be one."""
    stacked = torch.stack(gradients)
    size = torch.linalg.vector_norm(stacked, torch.inf, dim=-1)
    size = torch.where((size > 0) & size.isfinite(), size, 1.0)
    relative: Tensor = torch.linalg.vector_norm(stacked / size[..., None], dim=-1, dtype=torch.float64)
    return relative.log10() + size.double().log10()


def by_lag(
    norms: Float[Tensor, "time runs batch"], last: Int[Tensor, "runs batch"], lags: Int[Tensor, "lags"]
) -> Float[Tensor, "lags runs batch"]:
    """Rows by lag behind each sample's own answer, nan before its first step."""
    t = last - lags[:, None, None]
    if bool((t[0] == 0).all()):
        return norms
    return torch.where(t >= 0, norms.gather(0, t.clamp(min=0)), torch.nan)
