"""The speed of each kernel beside that of the general one, ``loop``, on one small pack.

It tells a kernel that works from one that does not, such as one that is interpreted; what training gains from it at
sizes of real runs is another matter (``make bench``).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import torch

from lrd.cells import LSTM, Cell
from lrd.kernels import KERNELS, Kernel

_TIME, _RUNS, _BATCH, _INPUTS, _HIDDEN = 25, 2, 16, 2, 32
_ROUNDS = 7


def speeds(kernels: Sequence[Kernel], device: torch.device) -> dict[str, float]:
    """Return how many times as fast as ``loop`` each kernel is, forward and back, by its name.

    The kernels of a cell take turns, with ``loop`` among them; it is the median over rounds of the ratio in a round. A
    kernel that raises an error has no speed.

    Args:
        kernels: Those that can run.
        device: Where.
    """
    found: dict[str, float] = {}
    kinds = dict.fromkeys(kernel.cell or LSTM for kernel in kernels)
    for kind in kinds:
        cell = kind(hidden_size=_HIDDEN).for_length(_TIME)
        calls = {"loop": _call(KERNELS["loop"], cell, device)}
        for kernel in kernels:
            if (kernel.cell or LSTM) is kind and kernel.name != "loop":
                calls[kernel.name] = _call(kernel, cell, device)
        ratios: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(_ROUNDS + 1):
            times = {name: _seconds(call, device) for name, call in calls.items()}
            if number:  # the first one compiles, and is for nothing
                for name, seconds in times.items():
                    ratios[name].append(times["loop"] / seconds)
            calls = {name: call for name, call in calls.items() if times[name] < float("inf")}
        found |= {name: statistics.median(values) for name, values in ratios.items() if len(values) == _ROUNDS}
    return found


def _call(kernel: Kernel, cell: Cell, device: torch.device) -> Callable[[], None]:
    """Return a function that takes a pack forward and back."""
    generator = torch.Generator().manual_seed(0)
    drawn = {
        name: torch.randn(_RUNS, *like.shape, generator=generator) / _HIDDEN**0.5
        for name, like in cell.parameters(_INPUTS, torch.Generator()).items()
    }
    params = {name: value.to(device).requires_grad_() for name, value in drawn.items()}
    x = torch.randn(_TIME, _RUNS, _BATCH, _INPUTS, generator=generator).to(device)

    def call() -> None:
        h, _ = kernel.scan(cell, params, x, None, 0)
        torch.autograd.grad(h.sum(), list(params.values()))

    return call


def _seconds(call: Callable[[], None], device: torch.device) -> float:
    """Return the time of a call; infinite where it raises an error, which its check reports.

    On a CPU it is the time of this process, whatever else the machine does.
    """
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    start = clock()
    try:
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    except Exception:
        return float("inf")
    return clock() - start
