"""The machine code of all that an update needs beside its kernel, made when this module is imported.

For the nursery of workers (``lrd.sweeps.nursery``): numba takes half a second of a process to be ready, which processes
that are forked from one that is ready need not spend again.
"""

from __future__ import annotations

from lrd.gradients import norm_sums_on_cpu
from lrd.tasks import words_on_cpu
from lrd.training import adam_on_cpu

PROGRAMS = (words_on_cpu.words(), words_on_cpu.uniform(), norm_sums_on_cpu.program(), adam_on_cpu.program())
