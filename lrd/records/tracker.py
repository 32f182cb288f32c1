"""Trackers, which show runs while they train: mirrors of the records, never the source of a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from lrd.records.mirror_content import LoggedUpdate

TRACKERS = ("none", "wandb")
MODES = ("offline", "online", "disabled")


@runtime_checkable
class Tracker(Protocol):
    """A place where runs are shown while they train. Many runs are open at once.

    No method raises because of the service behind the tracker, nor waits for it long. ``settings`` is what the record
    of a run keeps of its tracker, for ``lrd sync``: name, and mode, project and entity where it has them.
    """

    settings: Mapping[str, Any]

    def start(self, run_id: str, study: str, config: Mapping[str, Any], name: str) -> None:
        """Open a run, or resume one.

        Args:
            run_id: id of the run, and of its mirror.
            study: name of its study.
            config: the nested spec.
            name: what people read.
        """
        ...

    def resume(self, run_id: str, moments: Sequence[LoggedUpdate]) -> None:
        """Show again what a resumed run had shown; called once, right after ``start``."""
        ...

    def log(self, run_id: str, update: int, values: Mapping[str, float]) -> None:
        """Show scalars of one update; the updates of a run come in order."""
        ...

    def profiles(self, run_id: str, update: int, log10_norms: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """Show gradient norms of one update.

        Args:
            run_id: id of the run.
            update: updates done.
            log10_norms: log10 norms over t, by table and variable (``gradient_flow/h``); -inf where one is exactly 0.
        """
        ...

    def finish(self, run_id: str, summary: Mapping[str, Any]) -> None:
        """Close a run with its summary."""
        ...

    def close(self) -> None:
        """Close the runs that are still open, as interrupted."""
        ...


class NullTracker:
    """The tracker that shows nothing."""

    settings: Mapping[str, Any] = {"name": "none"}

    def start(self, run_id: str, study: str, config: Mapping[str, Any], name: str) -> None:
        """Show nothing."""

    def resume(self, run_id: str, moments: Sequence[LoggedUpdate]) -> None:
        """Show nothing."""

    def log(self, run_id: str, update: int, values: Mapping[str, float]) -> None:
        """Show nothing."""

    def profiles(self, run_id: str, update: int, log10_norms: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """Show nothing."""

    def finish(self, run_id: str, summary: Mapping[str, Any]) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


def make_tracker(
    name: str,
    *,
    directory: str | Path,
    mode: str | None = None,
    project: str | None = None,
    entity: str | None = None,
) -> Tracker:
    """Return a tracker by its name.

    Args:
        name: ``none`` or ``wandb``.
        directory: folder of the study.
        mode: online, offline or disabled; None: offline.
        project: wandb project; None: lrd.
        entity: wandb entity; None: the user's default.

    Raises:
        ValueError: there is no such tracker or mode.
    """
    mode, project = mode or "offline", project or "lrd"
    if name not in TRACKERS:
        raise ValueError(f"tracker must be one of {', '.join(TRACKERS)}, got {name!r}")
    if mode not in MODES:
        raise ValueError(f"tracker mode must be one of {', '.join(MODES)}, got {mode!r}")
    if name == "none" or mode == "disabled":
        return NullTracker()
    from lrd.records.wandb_mirror import WandbTracker

    return WandbTracker(mode=mode, project=project, entity=entity, directory=Path(directory))
