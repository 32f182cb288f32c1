"""Kernels: which of the table can run here, how far each is from float64, and how fast it is."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from lrd.cells import GRU, LSTM, LSTM1997, RNN, Cell
from lrd.cells.rnn import ACTIVATIONS
from lrd.doctor.finding import Finding
from lrd.doctor.kernel_speed import speeds
from lrd.kernels import KERNELS, Kernel, choose_kernel
from lrd.kernels.check import Check, Error
from lrd.one_line import one_line
from lrd.training.kernel_trust import check_now, variant
from lrd.training.precision import use

_CALLED = {"cpu": "CPUs", "cuda": "CUDA GPUs"}


def findings(runs: Path) -> Iterator[Finding]:
    """Yield a finding for each kernel, device and precision, the devices of this machine one after the other."""
    # As in a worker that trains (lrd.sweeps.workers).
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    places = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for name, kernel in KERNELS.items():
        if not set(kernel.devices) & set(places):
            facts = {"kernel": name, "runs": False, "why_not": "no GPU"}
            where = " and ".join(_CALLED[device] for device in kernel.devices)
            yield Finding("kernels", name, "note", f"not here: for {where} alone", facts=facts)
    for place in places:
        device, able = torch.device(place), []
        for kernel in KERNELS.values():
            if place in kernel.devices:
                if why_not := lacking(kernel, device):
                    facts = {"kernel": kernel.name, "device": place, "runs": False, "why_not": why_not}
                    yield Finding("kernels", f"{kernel.name} on {place}", "note", f"not here: {why_not}", facts=facts)
                else:
                    able.append(kernel)
        times = speeds(able, device)
        checked = [finding for kernel in able for finding in _checked(kernel, device, times.get(kernel.name))]
        yield from checked
        for cell in (RNN(), LSTM(), GRU(), LSTM1997()):
            chosen = choose_kernel(cell, device, runs=2, without=_left_out(checked, cell))
            facts = {"cell": cell.name, "device": place, "kernel": chosen}
            yield Finding("kernels", f"{cell.name} on {place}", "ok", f"packs of it train by {chosen}", facts=facts)
    use("float32")


def _left_out(checked: Sequence[Finding], cell: Cell) -> set[str]:
    """Return the names of the kernels that training leaves out for a cell in float32."""
    of_float32 = [each.facts for each in checked if each.facts["precision"] == "float32"]
    wrong = {str(facts["kernel"]) for facts in of_float32 if variant(cell) in facts.get("wrong", {})}
    return {name for name in wrong if KERNELS[name].checked}


def lacking(kernel: Kernel, device: torch.device) -> str:
    """Return why a kernel cannot run on a device of this machine; empty where it can."""
    with _heard() as lines:
        if kernel.available(device):
            return ""
    return kernel.why_not(device) or "; ".join(lines) or "something that it needs is missing"


def _checked(kernel: Kernel, device: torch.device, times_loop: float | None) -> Iterator[Finding]:
    """Yield what checks of a kernel found, a finding for each precision in which it is chosen on a device."""
    place = device.type
    for precision in _precisions(kernel, device):
        # Activations are other programs in float32; in other precisions one stands for all.
        cells = _cells(kernel) if precision == "float32" else _cells(kernel)[:1]
        try:
            found = {variant(cell): check_now(kernel, cell, device, precision) for cell in cells}
        except Exception as error:  # for want of memory
            value = f"could not be checked: {one_line(error, longest=200)}"
            facts = {"kernel": kernel.name, "device": place, "precision": precision, "runs": True}
            yield Finding("kernels", _name(kernel, place, precision), "warning", value, "free some memory", facts)
            continue
        yield _finding(kernel, place, precision, found, times_loop if precision == "float32" else None)


def _precisions(kernel: Kernel, device: torch.device) -> list[str]:
    """Return the precisions in which a kernel is checked on a device: those that it computes in, but for float64."""
    if device.type != "cuda":
        return ["float32"]
    rounded = ("tf32", "bfloat16") if torch.cuda.get_device_capability(device) >= (8, 0) else ()
    return [precision for precision in ("float32", *rounded) if precision in kernel.precisions]


def _finding(kernel: Kernel, place: str, precision: str, found: dict[str, Check], times_loop: float | None) -> Finding:
    wrong = {cell: check.wrong for cell, check in found.items() if check.wrong}
    errors = {part: error for part in ("forward", "backward", "norms") if (error := _worst(found, part)) is not None}
    facts = {
        "kernel": kernel.name,
        "device": place,
        "precision": precision,
        "runs": True,
        "times_loop": times_loop,
        "errors": {part: dataclasses.asdict(error) for part, error in errors.items()},
        "wrong": wrong,
    }
    name = _name(kernel, place, precision)
    if wrong:
        cell, what = next(iter(wrong.items()))
        used = "training may use it all the same, and cannot be trusted here"
        training = "training leaves it out" if kernel.checked else used
        raised = kernel.checked and any(check.raised for check in found.values())
        anew = "install anew what compiles it, or " if raised else ""
        way_out = f"{training}; {anew}please report it with the output of lrd doctor --json"
        return Finding("kernels", name, "failed", f"wrong for {cell}: {what}", way_out, facts)
    sizes = ", ".join(f"{part} {error.size:.0e}" for part, error in errors.items())
    speed = "" if times_loop is None or kernel.name == "loop" else f"; {times_loop:.1f} x loop"
    return Finding("kernels", name, "ok", f"errors: {sizes}{speed}", facts=facts)


def _worst(found: dict[str, Check], part: str) -> Error | None:
    """Return the error of a part that is nearest to what is allowed, or furthest beyond it."""
    errors = [check.parts()[part] for check in found.values() if part in check.parts()]
    return max(errors, key=lambda error: error.size / error.allowed, default=None)


def _name(kernel: Kernel, place: str, precision: str) -> str:
    return f"{kernel.name} on {place}" + ("" if precision == "float32" else f" in {precision}")


def _cells(kernel: Kernel) -> list[Cell]:
    """Return a cell for each program that a kernel may be, and cells that together have every option of its steps.

    Of a kernel that runs any cell, an LSTM stands for all.
    """
    if kernel.cell is RNN:
        return [cell for cell in (RNN(activation=name) for name in ACTIVATIONS) if kernel.runs_cell(cell)]
    if kernel.cell is LSTM1997:
        return [
            LSTM1997(),
            LSTM1997(block_size=2, truncated=True),
            LSTM1997(block_size=2, output_gates=False, recurrent="cells", bias="gates"),
            LSTM1997(recurrent="none", bias="none", g="logistic", h="identity"),
        ]
    return [(kernel.cell or LSTM)()]


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect what kernels log, and keep it from the log."""
    lines: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger, handler = logging.getLogger("lrd.kernels"), Collect()
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
