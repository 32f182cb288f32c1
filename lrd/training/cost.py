"""The cost of training one run, over all attempts: wall time, kernel, hardware, and the size of its pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Cost:
    """The account of one run. Its time is its share of the pack's; what others did meanwhile is part of it."""

    def __init__(self, kernel: str, hardware: str) -> None:
        """Open the account of a run whose updates use this kernel, by name, on this hardware, in words."""
        self.seconds = 0.0
        self.kernels, self.hardware = [kernel], [hardware]  # in the order in which attempts had them, each once
        self.resumed = 0
        self.updates = self.run_updates = 0  # charged for, and the same times the runs of the pack at each
        self._up_to = 0

    def charge(self, seconds: float, update: int, runs: int) -> None:
        """Add a share of time for the updates since the last charge.

        Args:
            seconds: The run's share of the pack's wall time.
            update: The update up to which it is charged.
            runs: The size of the pack at these updates.
        """
        self.seconds += seconds
        self.updates += update - self._up_to
        self.run_updates += (update - self._up_to) * runs
        self._up_to = update

    def for_status(self) -> dict[str, Any]:
        """Return what status.json says of the cost (``lrd.records.schema``)."""
        return {
            "seconds": self.seconds,
            "kernel": " + ".join(self.kernels),
            "hardware": " + ".join(self.hardware),
            "pack_size": self.run_updates / self.updates if self.updates else None,
            "resumed": self.resumed,
        }

    def for_checkpoint(self) -> dict[str, Any]:
        """Return the account as a checkpoint keeps it."""
        names = ("seconds", "kernels", "hardware", "resumed", "updates", "run_updates")
        return {name: getattr(self, name) for name in names}

    def resume(self, kept: Mapping[str, Any], update: int) -> None:
        """Go on from the account that a checkpoint has.

        A checkpoint from before kernels were recorded has ``seconds`` alone. What its updates ran on is then unknown,
        and is not made up from the present attempt.

        Args:
            kept: The account, as ``for_checkpoint`` gave it.
            update: The update of the checkpoint.
        """
        unknown = ["not recorded"] if update else []
        for name, now in (("kernels", self.kernels), ("hardware", self.hardware)):
            setattr(self, name, list(dict.fromkeys([*kept.get(name, unknown), *now])))
        self.seconds, self.resumed = kept["seconds"], kept.get("resumed", 0) + 1
        self.updates, self.run_updates = kept.get("updates", 0), kept.get("run_updates", 0)
        self._up_to = update
