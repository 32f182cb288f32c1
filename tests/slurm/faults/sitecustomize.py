"""What goes wrong in the SLURM jobs of these tests, as LRD_FAULT says; every Python that starts there loads this."""

from __future__ import annotations

import os
import time
from pathlib import Path

FAULT, _, SECONDS = os.environ.get("LRD_FAULT", "").partition(":")
FIRST = os.environ.get("SLURM_RESTART_COUNT", "0") == "0"


def once(name: str) -> bool:
    """True for the first process that asks, among all that share a working folder."""
    try:
        Path(name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def before_step(pack) -> None:
    if FAULT == "raise" and pack.update == 5:
        raise ValueError("the fault of this test")
    if FAULT == "exit" and pack.update == 5 and once("exited"):
        os._exit(9)
    if FAULT == "memory" and len(pack.specs) > 1:
        raise MemoryError("more than one run")
    if FAULT == "slow" and FIRST:
        time.sleep(float(SECONDS))


if FAULT and "SLURM_JOB_ID" in os.environ:
    from lrd.training.pack import Pack

    step = Pack.step

    def faulty(self) -> None:
        before_step(self)
        step(self)

    Pack.step = faulty
