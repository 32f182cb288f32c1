"""Trust in kernels that are compiled on the user's machine: each is held to float64 there before it trains anything.

A compiler, a driver or a processor that nobody has tried may give wrong numbers without a word. So the first pack of a
process that would run such a kernel (``Kernel.checked``) has it checked once (``lrd.kernels.check``), unless an earlier
process did so where all was the same (``lrd.training.kept_checks``). One that is wrong is left out of the choice
for the rest of the process, with one warning; the next one in the table that can runs, and records name it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from typing import Any

import torch

from lrd.cells import Cell, one_layer
from lrd.kernels import KERNELS, Kernel
from lrd.kernels.check import Check, check_kernel
from lrd.training.out_of_memory import is_out_of_memory
from lrd.training.precision import computing, use

logger = logging.getLogger(__name__)

#: What was found of a kernel in this process, by its name; that of another cell, device or precision apart.
_found: dict[tuple[str, str, str], dict[str, Check]] = {}


def known_wrong(cell: Cell, device: torch.device | None, precision: str) -> frozenset[str]:
    """Return the names of the kernels that this process has found wrong for such a pack. It checks nothing.

    Args:
        cell: The cell of the pack's runs.
        device: Where it is trained; None: on a CPU.
        precision: ``training.precision`` of the runs.
    """
    if not _found:  # as in every plan
        return frozenset()
    found = _found.get(_place(cell, device or torch.device("cpu"), precision), {})
    return frozenset(name for name, check in found.items() if check.wrong)


def settle(choices: Callable[[], Iterable[str]], cell: Cell, device: torch.device, precision: str) -> None:
    """Check the kernels that a pack would run, until those that it would run then are right, or need no check.

    Args:
        choices: Gives the names of the kernels that the pack would run, less those of ``known_wrong``.
        cell: The cell of the pack's runs.
        device: Where the pack is trained.
        precision: ``training.precision`` of the runs.
    """
    if not any(_wants_check(KERNELS[name], device, precision) for name in choices()):
        return
    precision = _meant(device, precision)
    found = _found.setdefault(_place(cell, device, precision), {})
    while new := {name for name in choices() if name not in found and _wants_check(KERNELS[name], device, precision)}:
        for name in sorted(new):
            found[name] = _known_or_new(KERNELS[name], one_layer(cell).stepped, device, precision)
            if wrong := found[name].wrong:
                logger.warning(
                    "the kernel %s is not used on %s in %s: %s; the next one in the table runs. `lrd doctor` says more",
                    *(name, device, precision, wrong),
                )


def check_now(kernel: Kernel, cell: Cell, device: torch.device, precision: str) -> Check:
    """Check a kernel on this device, whatever was found before, and keep what comes of it for later processes.

    It sets how this process's GPU rounds products, as a pack of that precision does.

    Args:
        kernel: The kernel.
        cell: A cell that it runs.
        device: Where it runs.
        precision: ``training.precision`` for which it is meant.

    Raises:
        Exception: One that says that memory did not suffice, which says nothing about the kernel.
    """
    use(precision)
    try:
        check = check_kernel(kernel, cell, device, precision, functools.partial(computing, precision))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        check = Check.of_error(error)
    kept = _kept_checks()
    kept.keep_check(kept.facts(kernel.name, variant(cell), device, precision), check)
    return check


def variant(cell: Cell) -> str:
    """Return what of a cell decides which program runs, or which way through it: its name and options of its steps."""
    return " ".join([cell.name, *(f"{name}={getattr(cell, name)}" for name in cell.step_options)])


def _known_or_new(kernel: Kernel, cell: Cell, device: torch.device, precision: str) -> Check:
    kept = _kept_checks()
    found = kept.read_check(kept.facts(kernel.name, variant(cell), device, precision))
    if found is not None and not found.wrong:
        try:
            kernel.load()
        except Exception as error:  # its compiler worked when it was checked; other packages may have changed since
            if is_out_of_memory(error):
                raise
            return Check.of_error(error)
    return check_now(kernel, cell, device, precision) if found is None else found


def _kept_checks() -> Any:
    """Return ``lrd.training.kept_checks``: a pack without such kernels needs nothing of ``lrd.records``."""
    from lrd.training import kept_checks

    return kept_checks


def _wants_check(kernel: Kernel, device: torch.device, precision: str) -> bool:
    """Return whether a kernel that runs a pack is one to be checked; on other devices, such as meta, none computes."""
    another_runs = precision == "float64" and kernel.hands_over_to is not None
    return kernel.checked and device.type in kernel.devices and not another_runs


def _place(cell: Cell, device: torch.device, precision: str) -> tuple[str, str, str]:
    return variant(one_layer(cell).stepped), str(device), _meant(device, precision)


def _meant(device: torch.device, precision: str) -> str:
    """Return the precision that a device has by this name: a CPU rounds nothing to TF32."""
    return "float32" if device.type == "cpu" and precision == "tf32" else precision
