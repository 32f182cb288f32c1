"""The machine: operating system, processor, memory, GPUs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import torch

from lrd.doctor.finding import Finding
from lrd.records.environment import device_name, gpu_driver
from lrd.sweeps.workers import default_workers

_GB = 1e9
#: Free bytes below which a worker, with torch in it, may find no room.
_LITTLE_MEMORY = 1e9


def findings(runs: Path) -> Iterator[Finding]:
    """Yield what the machine is made of."""
    system = platform.platform()
    yield Finding("machine", "system", "ok", system, facts={"platform": system, "machine": platform.machine()})
    cores, name = default_workers(torch.device("cpu")), device_name("cpu") or platform.machine()
    facts = {"name": name, "cores": cores, "machine_cores": os.cpu_count()}
    of = f" of the machine's {os.cpu_count()}" if os.cpu_count() != cores else ""
    yield Finding("machine", "cpu", "ok", f"{name}, {cores} core{'s' * (cores != 1)}{of} for lrd", facts=facts)
    yield _memory()
    yield from _gpus()


def _memory() -> Finding:
    total, free = memory()
    if total is None or free is None:
        return Finding("machine", "memory", "note", "unknown", facts={"total": total, "free": free})
    little = free < _LITTLE_MEMORY
    return Finding(
        "machine",
        "memory",
        "warning" if little else "ok",
        f"{free / _GB:.1f} of {total / _GB:.1f} GB free",
        "fewer workers need less: hydra.launcher.workers=1" if little else "",
        {"total": total, "free": free},
    )


def memory() -> tuple[int | None, int | None]:
    """Return the bytes of memory that this process may have, and those of them that are free; None: unknown."""
    kibibytes: dict[str, int] = {}
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            kibibytes[name] = int(value.split()[0])
        total, free = 1024 * kibibytes["MemTotal"], 1024 * kibibytes["MemAvailable"]
    except (OSError, ValueError, KeyError, IndexError):
        return None, None
    # A container or a SLURM job may have less than the machine.
    try:
        group = Path("/sys/fs/cgroup")
        most = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such limit, or it is the word max
        return total, free
    return min(total, most), max(0, min(free, most - used))


def _gpus() -> Iterator[Finding]:
    """Yield a finding for each GPU, or one that says why there is none."""
    driver, build = gpu_driver(), torch.version.cuda
    facts = {"driver": driver, "cuda": build}
    if not torch.cuda.is_available():
        if driver is None:
            yield Finding("machine", "gpu", "note", "none with CUDA; training runs on the CPU", facts=facts)
        elif build is None:
            what, way_out = "this torch is one without CUDA", "install torch with CUDA: https://pytorch.org/get-started"
            yield Finding("machine", "gpu", "warning", f"NVIDIA's driver {driver}, but {what}", way_out, facts)
        else:
            what = f"torch for CUDA {build} finds no GPU"
            way_out = "a driver may be too old for it, or CUDA_VISIBLE_DEVICES hides the GPU; see nvidia-smi"
            yield Finding("machine", "gpu", "warning", f"NVIDIA's driver {driver}, but {what}", way_out, facts)
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        free, total = torch.cuda.mem_get_info(index)
        capability = f"{properties.major}.{properties.minor}"
        yield Finding(
            "machine",
            f"cuda:{index}",
            "ok",
            f"{properties.name}, compute capability {capability}, {free / _GB:.1f} of {total / _GB:.1f} GB free, "
            f"driver {driver}, CUDA {build}",
            facts={**facts, "name": properties.name, "capability": capability, "total": total, "free": free},
        )
