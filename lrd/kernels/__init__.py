"""Kernels: functions that run the steps of a cell over time, for all runs of a pack, fast.

* ``lrd.kernels.protocol``: what a kernel takes and gives.
* ``lrd.kernels.table``: every kernel, the best first, with all that is known of it.
* ``lrd.kernels.choice``: which of them runs a pack.
* ``lrd.kernels.loop``: the plain reference that all others are tested against.

On a GPU the kernel of a run may depend on whether it has companions in its pack; on a CPU it does not.
"""

from lrd.kernels.choice import choose_kernel, run_by_run, runs_at_once
from lrd.kernels.norms import GradientNorms, ScaledNorms
from lrd.kernels.protocol import Scan
from lrd.kernels.table import KERNELS, Kernel

#: Names of the kernels whose backward pass gives the training gradient norms.
WITH_NORMS = frozenset(kernel.name for kernel in KERNELS.values() if kernel.norms)

__all__ = [
    "KERNELS",
    "WITH_NORMS",
    "GradientNorms",
    "Kernel",
    "ScaledNorms",
    "Scan",
    "choose_kernel",
    "run_by_run",
    "runs_at_once",
]
