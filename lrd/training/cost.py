"""What the training of one run took, and on what: wall time, kernel, hardware, company, over all attempts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Cost:
    """The account of one run. Its time is its share of the pack's; what others did meanwhile is part of it."""

    def __init__(self, kernel: str, hardware: str) -> None:
        self.seconds = 0.0
        self.kernels, self.hardware = [kernel], [hardware]  # in the order in which attempts had them, each once
        self.resumed = 0
        self.updates = self.run_updates = 0  # charged for, and the same times the runs of the pack at each
        self._up_to = 0

    def charge(self, seconds: float, update: int, runs: int) -> None:
        """Add a share of time for the updates since the last charge, trained in a pack of so many runs."""
        self.seconds += seconds
        self.updates += update - self._up_to
        self.run_updates += (update - self._up_to) * runs
        self._up_to = update

    def told(self) -> dict[str, Any]:
        """What status.json says of it (``lrd.records.reader``)."""
        return {
            "seconds": self.seconds,
            "kernel": " + ".join(self.kernels),
            "hardware": " + ".join(self.hardware),
            "pack_size": self.run_updates / self.updates if self.updates else None,
            "resumed": self.resumed,
        }

    def kept(self) -> dict[str, Any]:
        """For a checkpoint."""
        names = ("seconds", "kernels", "hardware", "resumed", "updates", "run_updates")
        return {name: getattr(self, name) for name in names}

    def resume(self, kept: Mapping[str, Any], update: int) -> None:
        """Go on from what a checkpoint kept at an update; one of before kernels were recorded has ``seconds`` alone.

        What its updates ran on is then unknown, and is not made up from the present attempt.
        """
        unknown = ["not recorded"] if update else []
        for name, now in (("kernels", self.kernels), ("hardware", self.hardware)):
            setattr(self, name, list(dict.fromkeys([*kept.get(name, unknown), *now])))
        self.seconds, self.resumed = kept["seconds"], kept.get("resumed", 0) + 1
        self.updates, self.run_updates = kept.get("updates", 0), kept.get("run_updates", 0)
        self._up_to = update
