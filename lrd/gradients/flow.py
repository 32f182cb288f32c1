"""The gradient flow of an answer: the norm of dL/dh_t (and dL/dc_t) at every step t, sample by sample.

L is the loss of one answer step of one sample, or the sum over its answers: never averaged over the batch nor divided
by the length of the sequence, which would make profiles shrink with the gap for no dynamical reason.

The gradient is a scaled vector (``lrd.scaled``), normalised before each step back, so that log10 norms of -5000 or
+5000 are as exact as those near 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lrd.cells import Cell, Parameters, Part, read, units
from lrd.gradients.network import NetworkTapes
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Batch, Task

# Runs are taken in groups whose tape stays about this small: for caches, or for a GPU, which more of them fill.
_GROUP_BYTES, _GROUP_BYTES_ON_GPU = 64 * 2**20, 2**30


@dataclass(frozen=True)
class Flow:
    """The gradient flow of one part of the networks of a pack (``lrd.cells.Part``).

    Row j of every array is the step ``answer step - lags[j]``. ``lags`` fall to 0; in a bidirectional network, whose
    answers hear of later steps, they fall further, to that of the last step. The rows are the same whatever runs are in
    the pack: where the answer's step varies, they begin at that of the longest sequence that the task can draw.

    ``total[variable]`` and ``direct[variable]`` [lags, runs, batch]: log10 norm; -inf where the gradient is exactly 0,
    nan where a (shorter) sample has no such step. ``total`` is dL/d(variable at t), ``direct`` the part of it that does
    not pass through later steps.
    """

    answer: str
    part: Part
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
    """Return the gradient flow of a cell alone; arguments are those of ``gradient_flows``."""
    (flow,) = gradient_flows(task, cell, params, batch, answer, dtype)
    return flow


def gradient_flows(
    task: Task,
    cell: Cell,
    params: Parameters,
    batch: Batch,
    answer: str | int = "last",
    dtype: torch.dtype = torch.float64,
) -> list[Flow]:
    """Return the gradient flow of every sample of every run of a pack, for each part of its networks.

    Args:
        task: says which steps are answers and what their loss is.
        cell: the one that does the steps (``Cell.stepped``); of a network of several parts, the one that is trained.
        params: of cell and readout, [runs, ...], as the cell's step gets them (``lrd.cells.prepared``).
        batch: the sequences.
        answer: whose loss is followed back: "last", "first", "all" (the sum over answers) or a number.
        dtype: of states and gradients. float32 has a relative error near 1e-7 * sqrt(steps); a run that leaves its
            range is taken once more in float64.

    Raises:
        ValueError: if the task has no such answer.
    """
    runs = torch.arange(batch.inputs.shape[1], device=batch.inputs.device)
    groups = []
    for group in torch.split(runs, runs_per_group(batch.inputs[:, 0, :, 0].numel(), cell, runs.device)):
        flows = _flows(task, cell, *select_runs(params, batch, group, dtype), answer)
        if dtype != torch.float64 and len(beyond := _beyond(flows)):  # of these runs alone, whatever their companions
            exact = _flows(task, cell, *select_runs(params, batch, group[beyond], torch.float64), answer)
            for flow, other in zip(flows, exact, strict=True):
                for mine, its in ((flow.total, other.total), (flow.direct, other.direct)):
                    for name in mine:
                        mine[name][:, beyond] = its[name]
        groups.append(flows)
    return [_joined(of_part) for of_part in zip(*groups, strict=True)]


def _joined(groups: Sequence[Flow]) -> Flow:
    """Return the flow of all runs from those of groups of them."""
    total, direct = (
        {name: torch.cat([getattr(group, kind)[name] for group in groups], dim=1) for name in groups[0].total}
        for kind in ("total", "direct")
    )
    return replace(groups[0], total=total, direct=direct)


def runs_per_group(symbols: int, cell: Cell, device: torch.device) -> int:
    """Return how many runs are measured at once, of ``symbols`` steps of samples each.

    Some 12 float64 of each unit and symbol are kept meanwhile.
    """
    most = _GROUP_BYTES if device.type == "cpu" else _GROUP_BYTES_ON_GPU
    return max(1, most // (12 * 8 * symbols * units(cell)))


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


def _flows(task: Task, cell: Cell, params: Parameters, batch: Batch, answer: str | int) -> list[Flow]:
    steps = torch.stack([task.answer_steps(batch, k) for k in answer_numbers(task, answer)])
    with torch.no_grad():
        tapes = NetworkTapes(cell, params, batch.inputs)
        into_h = readout_gradient(task, params, batch, tapes.h, steps)
        total, direct = tapes.total_norms(into_h), tapes.direct_norms(into_h)
    last = steps.amax(0)
    latest = int(last.max()) if batch.weights is None else task.loss_steps[-1]
    # Where a part reads backward, an answer hears of later steps too.
    after = len(batch.inputs) - 1 - latest if cell.bidirectional else 0
    lags = torch.arange(latest, -1 - after, -1, device=last.device)
    return [
        Flow(
            str(answer),
            part,
            lags,
            {name: _by_lag(norms, last, lags) for name, norms in total[part].items()},
            {name: _by_lag(norms, last, lags) for name, norms in direct[part].items()},
        )
        for part in tapes.parts
    ]


def _beyond(flows: Sequence[Flow]) -> Int[Tensor, "some"]:
    """Return the runs with a norm that is nan at an answer, where every sample has a step, infinite, or 0 anywhere.

    A slope below 1e-38 is 0 in float32; what is 0 in truth (behind a dead rectifier) is so in float64 too.
    """
    wrong = []
    for flow in flows:
        at_answer, reached = int((flow.lags == 0).nonzero()), slice(None)
        if flow.part.layer == flows[-1].part.layer and flow.answer != "all":
            # On the other side of the answer a part that the readout sees has no gradient at all.
            reached = slice(at_answer, None) if flow.part.is_backward else slice(at_answer + 1)
        wrong += [
            norms[at_answer].isnan().any(-1) | norms[reached].isinf().any(-1).any(0) for norms in flow.total.values()
        ]
    return torch.stack(wrong).any(0).nonzero()[:, 0]


def _by_lag(
    norms: Float[Tensor, "time runs batch"], last: Int[Tensor, "runs batch"], lags: Int[Tensor, "lags"]
) -> Float[Tensor, "lags runs batch"]:
    """Return the rows by lag behind each sample's own answer, nan where it has no such step."""
    t, time = last - lags[:, None, None], len(norms)
    if bool((t[0] == 0).all()):
        return norms[: len(lags)]
    return torch.where((t >= 0) & (t < time), norms.gather(0, t.clamp(0, time - 1)), torch.nan)
