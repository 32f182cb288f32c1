"""Events: what a worker, or the queue, reports of a pack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lrd.spec import Job
from lrd.sweeps.plan import PlannedPack
from lrd.training.out_of_memory import says_out_of_memory


@dataclass(frozen=True)
class Event:
    """What happened to a pack.

    ``progress`` (also its end); ``failed`` with the reason; ``interrupted``; ``left``: the runs ``left`` are held by
    another process; ``again``: it waits as ``parts``, after a failure if there is a ``reason``; ``finished``: its run
    was found finished.
    """

    kind: str
    pack: PlannedPack
    update: int = 0
    active: int = 0
    finished: list[dict[str, Any]] = field(default_factory=list)
    reason: str = ""
    trace: str = ""
    memory: bool = False  # it failed of want of memory
    killed: bool = False  # its worker was killed, as the system does when memory ends
    kept: bool = False  # the records of its runs say so already
    left: tuple[Job, ...] = ()
    parts: tuple[PlannedPack, ...] = ()


def was_of_memory(reason: str) -> bool:
    """Return whether an error that records keep as its kind and message was one of want of memory."""
    kind = reason.partition(":")[0]
    return kind == "MemoryError" or (kind.endswith("Error") and says_out_of_memory(reason))
