"""How many runs train together: ``pack_size``, or what the machine gains from and its memory holds."""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from lrd.kernels import run_by_run
from lrd.kernels.fused.launch import PRECISIONS, samples_a_program
from lrd.spec import Job, RunSpec, SpecError
from lrd.sweeps.memory import pack_bytes
from lrd.sweeps.prices import gates
from lrd.training.tricks import update_kernel

MAX_RUNS = 16  # a pack on a CPU: what a step of a pack costs beside its arithmetic is then shared by enough
# Torch's own kernels take one run after another: there company saves only looks and optimiser steps, so that packs are
# kept small enough for every worker to have several and none to wait long for the last.
PACKS_A_WORKER, FEW_RUNS = 4, 3
_BLOCKS = 2  # a GPU is full where each of its processors has a few blocks of a step to choose from
# Of the memory that is free: the estimate is good to a factor of two. A pack that does not fit after all is halved.
_SHARE = 0.5
_UNSEEN = 64  # runs a pack on a GPU that this machine has not, such as a cluster's


def most_runs(job: Job, left: int, workers: int) -> int:
    """The largest pack of runs like a job's, where ``left`` runs of all kinds are to be trained by ``workers``."""
    if job.place.pack_size != "auto":
        return int(job.place.pack_size)
    each = math.ceil(left / workers)
    if on_gpu := _on_gpu(job):
        return min(each, on_gpu)
    most = min(MAX_RUNS, each)
    if run_by_run(update_kernel(job.run)) and workers > 1:
        most = min(most, max(FEW_RUNS, math.ceil(left / (workers * PACKS_A_WORKER))))
    return most


def _on_gpu(job: Job) -> int | None:
    """The largest pack on the job's GPU; None where it has none."""
    try:
        device = job.place.torch_device()
    except SpecError:
        return _UNSEEN if job.place.device.startswith("cuda") else None
    return None if device.type == "cpu" else fitting(job.run, device, *gpu(device))


@lru_cache(maxsize=16)
def gpu(device: torch.device) -> tuple[int, int]:
    """A GPU's processors, and its bytes of memory that were free when it was first asked for.

    Not what is free now: the plan would change with what its own packs hold.
    """
    return torch.cuda.get_device_properties(device).multi_processor_count, torch.cuda.mem_get_info(device)[0]


def fitting(run: RunSpec, device: torch.device, processors: int, free: int) -> int:
    """Runs that fill so many processors, or fewer where they do not fit into so many bytes; at least one."""
    batch, precision = run.training.batch_size, run.training.precision
    precision = precision if precision in PRECISIONS else "float32"  # in float64 other kernels run, of no such blocks
    blocks = math.ceil(batch / samples_a_program(gates(run.cell), batch, run.cell.hidden_size, precision))
    low, high = 1, max(1, _BLOCKS * processors // blocks)
    while low < high:
        middle = (low + high + 1) // 2
        if pack_bytes(run, middle, device) <= _SHARE * free:
            low = middle
        else:
            high = middle - 1
    return low
