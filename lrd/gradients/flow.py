"""The gradient flow of an answer: the norm of dL/dh_t (and dL/dc_t) at every step t, sample by sample.

L is the loss of one answer step of one sample, or the sum over its answers: never averaged over the batch nor divided
by the length of the sequence, which would make profiles shrink with the gap for no dynamical reason.

The gradient is a scaled vector (``lrd.scaled``), normalised before each step back, so that log10 norms of -5000 or
+5000 are as exact as those near 0.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

import torch

from lrd.cells import Cell, Parameters, State, read
from lrd.gradients.adjoint import Adjoint, adjoint
from lrd.scaled import LOG10_2, add, log10_norm, normalise
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Batch, Task

# Runs are taken in groups whose tape stays about this small: for caches, or for a GPU, which more of them fill.
_GROUP_BYTES, _GROUP_BYTES_ON_GPU = 64 * 2**20, 2**30
# Gradients of a vanilla RNN are held for so many steps, larger ones for fewer, so that one call takes the norm of many.
_HELD_STEPS = 32


@dataclass(frozen=True)
class Flow:
    """The gradient flow of a pack. Row j of every array is the step ``answer step - lags[j]``; ``lags`` fall to 0.

    The rows are the same whatever runs are in the pack: where the answer's step varies, they begin at that of the
    longest sequence that the task can draw.

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
    """Return the gradient flow of every sample of every run of a pack.

    Args:
        task: says which steps are answers and what their loss is.
        cell: the one that does the steps (``Cell.stepped``).
        params: of cell and readout, [runs, ...], as the cell's step gets them (``lrd.cells.prepared``).
        batch: the sequences.
        answer: whose loss is followed back: "last", "first", "all" (the sum over answers) or a number.
        dtype: of states and gradients. float32 has a relative error near 1e-7 * sqrt(steps); a run that leaves its
            range is taken once more in float64.

    Raises:
        ValueError: if the task has no such answer.
    """
    runs = torch.arange(batch.inputs.shape[1], device=batch.inputs.device)
    parts = []
    for group in torch.split(runs, runs_per_group(batch.inputs[:, 0, :, 0].numel(), cell, runs.device)):
        part = _flow(task, cell, *select_runs(params, batch, group, dtype), answer)
        if dtype != torch.float64 and len(beyond := _beyond(part)):  # of these runs alone, whatever their companions
            exact = _flow(task, cell, *select_runs(params, batch, group[beyond], torch.float64), answer)
            for mine, other in ((part.total, exact.total), (part.direct, exact.direct)):
                for name in mine:
                    mine[name][:, beyond] = other[name]
        parts.append(part)
    joined = [
        {name: torch.cat([getattr(part, kind)[name] for part in parts], dim=1) for name in cell.measured_names}
        for kind in ("total", "direct")
    ]
    return Flow(str(answer), parts[0].lags, *joined)


def runs_per_group(symbols: int, cell: Cell, device: torch.device) -> int:
    """Return how many runs are measured at once, of ``symbols`` steps of samples each.

    Some 12 float64 of each unit and symbol are kept meanwhile.
    """
    most = _GROUP_BYTES if device.type == "cpu" else _GROUP_BYTES_ON_GPU
    return max(1, most // (12 * 8 * symbols * cell.hidden_size))


def answer_numbers(task: Task, answer: str | int) -> range:
    """Return the answers that a name stands for, 0-based.

    Raises:
        ValueError: if the name means none of the task's answers.
    """
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


def select_runs(
    params: Parameters, batch: Batch, group: Int[Tensor, "some"], dtype: torch.dtype
) -> tuple[Parameters, Batch]:
    """Return parameters and sequences of some runs, in the precision ``dtype``."""
    part = batch.of_runs(group)
    targets = part.targets.to(dtype) if part.targets.is_floating_point() else part.targets
    weights = None if part.weights is None else part.weights.to(dtype)
    taken = {name: p[group].detach().to(dtype) for name, p in params.items()}
    return taken, Batch(part.inputs.to(dtype), targets, weights)


def readout_gradient(
    task: Task,
    params: Parameters,
    batch: Batch,
    h: Float[Tensor, "time runs batch hidden"],
    steps: Int[Tensor, "answers runs batch"],
) -> dict[int, Float[Tensor, "runs batch hidden"]]:
    """Return what h_t gets straight from the readout, for the loss of the chosen answers alone.

    Args:
        task: says what the loss is.
        params: of the readout.
        batch: the sequences.
        h: the states along them.
        steps: the answer steps of each sample.

    Returns:
        By step t, of the steps at which some sample has an answer; 0 for the samples that have none there.
    """
    first, stop = task.loss_steps.start, task.loss_steps.stop
    with torch.enable_grad():
        seen = h[first:stop].detach().requires_grad_()
        losses = task.losses(read(params, seen, batch.inputs[first:stop]), batch.targets)
        chosen = torch.zeros_like(losses).scatter_(0, steps - first, 1.0)
        (grad,) = torch.autograd.grad((losses * chosen).sum(), seen)
    return {t: grad[t - first] for t in torch.unique(steps).tolist()}


def backward_pass(
    tape: Adjoint, into_h: dict[int, Float[Tensor, "runs batch hidden"]], cuts: Container[int] = ()
) -> Iterator[tuple[int, State, State, Int[Tensor, "runs batch"]]]:
    """Go back step by step from the last step that gets a gradient to step 0.

    Args:
        tape: the adjoint of the cell: its states, and how a gradient is pulled through one step.
        into_h: what h_t gets from outside, by step.
        cuts: the steps from which nothing goes back further.

    Yields:
        ``(t, arriving, total, power)``. ``arriving``: the gradients that arrive at the variables of step t from later
        steps and from outside; ``total``: dL/d(variable), which counts also what c_t does through h_t; both are
        mantissas, times ``2**power``.
    """
    grads = tape.zero_gradients()
    power = torch.zeros(grads[0].shape[:2], dtype=torch.int64, device=grads[0].device)
    for t in range(max(into_h), -1, -1):
        # At every step: a saturated unit or a small weight takes hundreds of orders of magnitude at once.
        grads, power = normalise(grads, power)
        if t in into_h:
            grads, power = add(grads, power, into_h[t])
        total, before = tape.pull(t, grads)
        yield t, grads, total, power
        grads = tape.zero_gradients() if t in cuts else before


def total_norms(
    tape: Adjoint, into_h: dict[int, Float[Tensor, "runs batch hidden"]], cuts: Container[int] = ()
) -> list[Float[Tensor, "time runs batch"]]:
    """Return log10 of the norm of dL/d(state variable), of each variable, from step 0 to the last one in ``into_h``.

    Arguments are those of ``backward_pass``.
    """
    zeros = tape.zero_gradients()
    held_steps = max(1, _HELD_STEPS * zeros[0].shape[-1] // sum(zero.shape[-1] for zero in zeros))
    norms_backwards: list[list[Tensor]] = [[] for _ in zeros]  # by variable: norms of a few steps each, last step first
    held: list[list[Tensor]] = [[] for _ in zeros]  # by variable: gradients of the latest steps, without their powers
    powers = []
    for t, _, total, power in backward_pass(tape, into_h, cuts):
        powers.append(power)
        for gradients, gradient in zip(held, total, strict=True):
            gradients.append(gradient)
        if len(held[0]) == held_steps or t == 0:
            for norms, gradients in zip(norms_backwards, held, strict=True):
                norms.append(log10_norm(torch.stack(gradients)))
                gradients.clear()
    log10_of_powers = torch.stack(powers[::-1]).double() * LOG10_2  # int64 * float would be float32
    return [torch.cat(norms).flip(0) + log10_of_powers for norms in norms_backwards]


def _flow(task: Task, cell: Cell, params: Parameters, batch: Batch, answer: str | int) -> Flow:
    steps = torch.stack([task.answer_steps(batch, k) for k in answer_numbers(task, answer)])
    with torch.no_grad():
        tape = adjoint(cell, params, batch.inputs)
        into_h = readout_gradient(task, params, batch, tape.h, steps)
        total = total_norms(tape, into_h)
        direct = _direct_norms(tape, into_h, total)
    last = steps.amax(0)
    latest = int(last.max()) if batch.weights is None else task.loss_steps[-1]
    lags = torch.arange(latest, -1, -1, device=last.device)
    return Flow(
        str(answer),
        lags,
        {cell.state_names[v]: _by_lag(total[v], last, lags) for v in cell.measured},
        {cell.state_names[v]: _by_lag(direct[v], last, lags) for v in cell.measured},
    )


def _direct_norms(
    tape: Adjoint,
    into_h: dict[int, Float[Tensor, "runs batch hidden"]],
    like: list[Float[Tensor, "time runs batch"]],
) -> list[Float[Tensor, "time runs batch"]]:
    """Return the norms of the gradient that the readout alone sends into each variable, at every step."""
    zeros, answered = tape.zero_gradients(), sorted(into_h)
    alone = [tape.pull(t, (into_h[t], *zeros[1:]))[0] for t in answered]
    direct = [torch.full_like(norms, -torch.inf) for norms in like]
    for v, norms in enumerate(direct):
        norms[answered] = log10_norm(torch.stack([gradients[v] for gradients in alone]))
    return direct


def _beyond(flow: Flow) -> Int[Tensor, "some"]:
    """Return the runs with a norm that is nan at an answer, where every sample has a step, infinite, or 0 anywhere.

    A slope below 1e-38 is 0 in float32; what is 0 in truth (behind a dead rectifier) is so in float64 too.
    """
    wrong = [norms[-1].isnan().any(-1) | norms.isinf().any(-1).any(0) for norms in flow.total.values()]
    return torch.stack(wrong).any(0).nonzero()[:, 0]


def _by_lag(
    norms: Float[Tensor, "time runs batch"], last: Int[Tensor, "runs batch"], lags: Int[Tensor, "lags"]
) -> Float[Tensor, "lags runs batch"]:
    """Return the rows by lag behind each sample's own answer, nan before its first step."""
    t = last - lags[:, None, None]
    if bool((t[0] == 0).all()):
        return norms
    return torch.where(t >= 0, norms.gather(0, t.clamp(min=0)), torch.nan)
