"""Lyapunov spectrum: the rates at which small differences between states grow or shrink, in nats a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from lrd.cells import Cell, Parameters, State
from lrd.gradients.step_jacobians import check_state, linearise
from lrd.kernels import loop
from lrd.options import option
from lrd.probes.base import Probe, Subject
from lrd.scalars import Columns
from lrd.shapes import Float, Tensor

BLOCKS = 10
_PIECE = 50  # steps linearised at once
_GROUP_BYTES = 64 * 2**20  # runs are taken in groups whose linearised steps stay about this small
DRIVEN, FREE = "driven", "free"


@dataclass(frozen=True)
class Lyapunov(Probe):
    """The leading Lyapunov exponents by QR of propagated orthonormal frames (Benettin et al. 1980), in nats a step.

    ``driven``: along the task's own sequences, one after another (each as far as its last answer where lengths vary)
    without resetting the state; ``free``: with zero input, from the state in which the driven trajectory ends. In each,
    the first ``transient`` steps turn the frame into place and are left out.

    Each layer has a spectrum of its own, along what it reads: in ``free`` it reads the free layers below it. No layer
    reads those above it: the Jacobian of a step of all layers is block triangular, and the spectrum of the whole stack
    is the union of theirs. A cell that reads backward goes along the sequences from their end. A bidirectional
    network needs all of its input before its first answer, and so never runs free: its rows are ``driven`` alone.

    A row a (mode, index). ``exponent``: mean over steps and samples of log |R_ii|. ``se_time``: its standard error from
    the means of 10 blocks of consecutive steps, each averaged over samples, as if blocks were independent: too small
    where the trajectory's correlations outlast a block, too large where a block mean still drifts. ``se_samples``: from
    the spread over samples, each averaged over time. ``standard_error``: the larger of the two. NULL where there are
    fewer than two blocks or samples.

    The frame is orthonormalised by Householder QR at every step: 8 vectors of 64 entries take some 3 microseconds a
    sample, less than the step itself, and no step is then too contracting. -inf: a direction that some step maps to
    exactly 0. NULL: a direction that some step maps, to rounding (S * 2^-52), into the span of those before it, and all
    after it; or a trajectory that left the range of floats.
    """

    name: ClassVar[str] = "lyapunov"
    columns: ClassVar[dict[str, str]] = {
        "mode": "VARCHAR",
        "index": "BIGINT",
        "exponent": "DOUBLE",
        "se_time": "DOUBLE",
        "se_samples": "DOUBLE",
        "standard_error": "DOUBLE",
    }

    # A measurement costs some tens of updates: by default not during training.
    per_decade: int = option(0, "moments per decade of updates, besides the first and the last; 0: only those", ge=0)
    samples: int = option(8, "trajectories, each along sequences of its own", ge=1)
    exponents: int = option(8, "how many exponents, the largest ones", ge=1)
    steps: int = option(200, "steps measured in each mode", ge=1)
    transient: int = option(100, "steps left out before them", ge=0)

    def check_cell(self, cell: Cell) -> None:
        check_state(cell, "exponents")

    def measure(self, subject: Subject) -> list[Columns]:
        steps, params = self.transient + self.steps, subject.parameters()
        inputs = stream(subject, self.samples, steps)
        modes: tuple[str, ...]
        if subject.network.cell.bidirectional:
            read, modes = subject.driven(inputs), (DRIVEN,)
        else:  # the layers below run free from where they are driven to
            read, modes = subject.driven(torch.cat([inputs, torch.zeros_like(inputs)])), (DRIVEN, FREE)
        size = sum(subject.cell.measured_sizes)
        per_run = 8 * self.samples * _PIECE * 6 * size
        tables: list[Columns] = []
        for group in torch.split(torch.arange(inputs.shape[1]), max(1, _GROUP_BYTES // per_run)):
            mine, x = {name: value[group] for name, value in params.items()}, read[:, group]
            state, parts = loop.zero_state(subject.cell, x), []
            for mode, driving in zip(modes, torch.split(x, steps), strict=True):
                rates, state = local_rates(subject.cell, mine, driving, state, self.exponents)
                parts.append([spectrum_columns(mode, rates[self.transient :, run]) for run in range(len(group))])
            tables += [
                {name: np.concatenate([of_mode[name] for of_mode in of_run]) for name in of_run[0]}
                for of_run in zip(*parts, strict=True)
            ]
        return tables


def stream(subject: Subject, samples: int, steps: int) -> Float[Tensor, "steps runs batch inputs"]:
    """Return the inputs of probe sequences, one after another, without the padding behind a sample's last answer."""
    kept, number = [], 0
    length = torch.zeros(len(subject.seeds), samples, dtype=torch.int64, device=subject.seeds.device)
    while int(length.min()) < steps:
        batch = subject.sequences(samples, number)
        if batch.weights is None:
            ends = torch.full_like(length, len(batch.inputs))
        else:
            ends = subject.task.answer_steps(batch, -1) + 1
        real = torch.arange(len(batch.inputs), device=ends.device)[:, None, None] < ends
        kept.append((batch.inputs, real))
        length, number = length + ends, number + 1
    inputs, real = (torch.cat(part) for part in zip(*kept, strict=True))
    # Real steps first, in order: the padding of each sample moves behind its last sequence.
    order = (~real).to(torch.int8).argsort(dim=0, stable=True)[:steps]
    return inputs.gather(0, order[..., None].expand(*order.shape, inputs.shape[-1]))


def local_rates(
    cell: Cell,
    params: Parameters,
    inputs: Float[Tensor, "steps runs batch inputs"],
    state: State,
    exponents: int,
) -> tuple[Float[Tensor, "steps runs batch exponents"], State]:
    """Return log |R_ii| of every step, in nats, and the state after the steps.

    The first steps still turn a frame, the same for every run and sample, into place. nan and -inf as in ``Lyapunov``.

    Args:
        cell: the one that does the steps.
        params: of the pack, [runs, ...], in float64.
        inputs: of the pack.
        state: before the first step.
        exponents: how many, the largest ones; at most as many as the state has entries.
    """
    size = sum(cell.measured_sizes)
    start = torch.randn(size, min(exponents, size), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    frame = torch.linalg.qr(start)[0].T.contiguous().to(inputs).expand(*inputs.shape[1:3], -1, size)  # rows: vectors
    rates = []
    with torch.no_grad():
        for piece in torch.split(inputs, _PIECE):
            steps, state = linearise(cell, params, piece, state)
            lengths, diagonals = [], []
            for t in range(len(piece)):
                pushed = steps.push(t, frame)
                q, r = torch.linalg.qr(pushed.transpose(-1, -2))
                frame = q.transpose(-1, -2)
                lengths.append(pushed.abs().amax(-1))
                diagonals.append(r.diagonal(dim1=-2, dim2=-1))
            rates.append(_log(torch.stack(diagonals).abs(), torch.stack(lengths), size * 2.0**-52))
    return torch.cat(rates), state


def _log(diagonal: Tensor, length: Tensor, floor: float) -> Tensor:
    """Return log |R_ii| where it stands out from rounding errors in a vector whose largest entry is ``length``."""
    zero = length == 0
    lost = ~(diagonal > floor * length) & ~zero  # nan too
    log = torch.where(zero, 0.0, diagonal).log()
    return torch.where(lost.cumsum(-1) > 0, torch.nan, log)


def spectrum_columns(mode: str, rates: Float[Tensor, "steps batch exponents"]) -> Columns:
    """Return the rows of one run and mode from the rates of its steps."""
    rates = rates.contiguous()  # summed in the same order whatever the pack, so that the last bit is the run's own
    steps, _, exponents = rates.shape
    per_block = np.stack([block.mean((0, 1)).cpu().numpy() for block in rates.tensor_split(min(BLOCKS, steps))])
    per_sample = rates.mean(0).cpu().numpy()
    se_time, se_samples = _standard_error(per_block), _standard_error(per_sample)
    return {
        "mode": np.full(exponents, mode, dtype=object),
        "index": np.arange(1, exponents + 1),
        "exponent": per_sample.mean(0),
        "se_time": se_time,
        "se_samples": se_samples,
        "standard_error": np.fmax(se_time, se_samples),
    }


def _standard_error(means: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean of independent rows; nan for one row and wherever a row is not finite."""
    if len(means) < 2:
        return np.full(means.shape[1], np.nan)
    finite = np.isfinite(means).all(0)
    kept = np.where(finite, means, 0.0)
    error: np.ndarray = kept.std(0, ddof=1) / np.sqrt(len(means))
    return np.where(finite, error, np.nan)
