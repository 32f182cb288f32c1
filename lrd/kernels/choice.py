"""The choice of the kernel that runs a pack, and of how many runs it takes at once."""

from __future__ import annotations

from collections.abc import Collection

import torch

from lrd.cells import Cell
from lrd.kernels.table import KERNELS

# Bytes of h of all runs that go through a kernel of the CPU, forward and back, before the next ones do: through one of
# torch's, which go run by run; and through any other.
_BYTES_OF_TORCH, _BYTES = 800_000, 32_000_000


def choose_kernel(
    cell: Cell,
    device: torch.device | None = None,
    runs: int = 1,
    cut: bool = False,
    norms: bool = False,
    precision: str = "float32",
    without: Collection[str] = (),
) -> str:
    """Return the name of the kernel that runs a pack best: the first in the table that can.

    It computes nothing and asks no device, so that plans can be made on machines that have none.

    Args:
        cell: The cell of the pack's runs.
        device: Where the pack is trained; None: on a CPU.
        runs: How many runs the pack has. On a GPU a run alone may have another kernel than a pack.
        cut: Whether the kernel must be able to cut the backward pass in h (``training.h_detach``).
        norms: Whether the kernel should give training gradient norms (``training.gradient_norms``). Where none can that
            runs this cell here, it is one that gives none.
        precision: ``training.precision`` of the runs.
        without: Names of kernels that are not to be taken, such as those that gave wrong numbers here
            (``lrd.training.kernel_trust``).

    Returns:
        A key of ``KERNELS``.

    Raises:
        ValueError: No kernel that may be taken can cut the backward pass of this cell in that precision.
    """
    stepped, device = cell.stepped, device or torch.device("cpu")
    place = "cuda" if device.type == "cuda" else "cpu"  # other devices, such as meta, have the kernels of a CPU
    able = [
        kernel
        for kernel in KERNELS.values()
        if kernel.cell in (None, type(stepped))
        and kernel.runs_cell(stepped)
        and place in kernel.devices
        and precision in kernel.precisions
        and (kernel.cuts or not cut)
        and kernel.name not in without
    ]
    # Sorting is stable: among equals the order of the table stays.
    if place == "cuda" and runs == 1:
        able.sort(key=lambda kernel: not kernel.best_alone_on_gpu)
    if norms:
        able.sort(key=lambda kernel: not kernel.norms)
    best = next((kernel for kernel in able if kernel.available(device)), None)
    if best is None:
        raise ValueError(f"no kernel can cut the backward pass of the cell {cell.name} in {precision}")
    if norms and precision == "float64" and best.hands_over_to and not KERNELS[best.hands_over_to].norms:
        return best.hands_over_to  # it would run anyway, and by its own name it is not asked for norms
    return best.name


def run_by_run(kernel: str) -> bool:
    """Return whether a kernel takes one run of a pack after another."""
    return KERNELS[kernel].run_by_run


def runs_at_once(kernel: str, state_bytes: int, device: torch.device) -> int | None:
    """Return how many runs one call should take forward and back before the next ones; None: all of them.

    Torch's CPU kernels go run by run, each in a call. A few runs at once save calls; more than a few push the first
    one's activations out of the cache before its backward pass wants them (measured: the best is near 800 kB of h for
    all of them). The others gain from company (measured up to 52 MB of h); what they keep, some times as much, shall
    leave memory for other workers.

    Args:
        kernel: The name of the kernel.
        state_bytes: Bytes of h of one run, over all steps and samples.
        device: Where it runs.
    """
    if device.type != "cpu":
        return None
    of_torch = run_by_run(kernel) and KERNELS[kernel].keeps is None
    return max(1, (_BYTES_OF_TORCH if of_torch else _BYTES) // state_bytes)
