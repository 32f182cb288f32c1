"""What checks of kernels found on this machine, kept for later processes in the user's folder for caches.

A check holds for one device, driver, torch, compiler, kernel, cell, precision and source of the kernels. It is a file
of its own, named by the hash of these, written as a whole, and read only where all of them are the same. Nobody needs
it: what is damaged, or cannot be written, is found out again.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import lrd
from lrd.cache_folder import cache_folder
from lrd.kernels.check import Check, Error
from lrd.records import RecordError, read_json, write_json
from lrd.records.environment import device_name, gpu_driver

#: What of lrd a kernel and its check are made of.
_SOURCES = ("kernels", "cells", "scaled.py")
_PARTS = ("forward", "backward", "norms")
_COMPILERS = ("torch", "numpy", "triton", "numba", "llvmlite")


def facts(kernel: str, cell: str, device: torch.device, precision: str) -> dict[str, str]:
    """Return all that a check depends on.

    Args:
        kernel: The name of the kernel.
        cell: What decides on the program: the cell's name and activation.
        device: Where it runs.
        precision: ``training.precision`` for which it is meant.
    """
    own = {"kernel": kernel, "cell": cell, "precision": precision}
    return {**own, "device": _device(str(device)), **_versions(), "source": _source()}


def read_check(known: Mapping[str, str]) -> Check | None:
    """Return what was found where these facts held; None where nothing was, or it cannot be read."""
    path = _path(known)
    try:
        kept = None if path is None else read_json(path)
        return _check(kept["check"]) if kept and kept["facts"] == dict(known) else None
    except (OSError, RecordError, KeyError, TypeError, AttributeError):
        return None


def keep_check(known: Mapping[str, str], check: Check) -> None:
    """Keep what was found, if the system lets us.

    What a kernel raised is not kept: a compiler may have met a full disk, which is another one tomorrow.
    """
    path = _path(known)
    if path is None or check.raised:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"facts": dict(known), "check": dataclasses.asdict(check)})
    except (OSError, RecordError):
        return


def _path(known: Mapping[str, str]) -> Path | None:
    folder = cache_folder()
    name = hashlib.sha256(repr(sorted(known.items())).encode()).hexdigest()[:32]
    return None if folder is None else folder / "checks" / f"{known['kernel']}-{name}.json"


def _check(kept: Mapping[str, Any]) -> Check:
    """Return the check that ``dataclasses.asdict`` took apart.

    Raises:
        TypeError, KeyError, AttributeError: It is none.
    """
    forward, backward, norms = (None if kept[part] is None else Error(**kept[part]) for part in _PARTS)
    if forward is None or backward is None:
        raise KeyError("every check has these")
    for error in (forward, backward, norms or forward):
        if not (isinstance(error.size, float) and isinstance(error.allowed, float)):
            raise TypeError("errors are numbers")
    return Check(forward, backward, norms)


@functools.cache
def _device(device: str) -> str:
    """Return what a device is: its name, a GPU's driver, a CPU's instructions."""
    name = device_name(device) or device
    if torch.device(device).type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        return f"{name}, {major}.{minor}, driver {gpu_driver()}"
    return f"{name}, instructions {_instructions()}"


def _instructions() -> str:
    """Return a short name of the instructions that this CPU has, on which what is compiled for it depends."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "unknown"
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return hashlib.sha256(flags.encode()).hexdigest()[:12]


@functools.cache
def _versions() -> dict[str, str]:
    found = {}
    for package in _COMPILERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


@functools.cache
def _source() -> str:
    """Return the hash of the source of all kernels and cells."""
    package, whole = Path(lrd.__file__).parent, hashlib.sha256()
    for place in _SOURCES:
        for path in sorted((package / place).rglob("*.py")) if (package / place).is_dir() else [package / place]:
            whole.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:32]
