"""Trackers: where runs are shown while they train. A mirror of the records, never the source of a figure."""

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
    """Many runs are open at once. No method ever raises on account of the service behind it, nor waits for it long.

    ``settings`` are what records keep of it, for ``lrd sync``: name, and mode, project and entity where it has them.
    """

    settings: Mapping[str, Any]

    def start(self, run_id: str, study: str, config: Mapping[str, Any], name: str) -> None:
        """Open a run, or go on with one: ``config`` is the nested spec, ``name`` what people read."""
        ...

    def resume(self, run_id: str, moments: Sequence[LoggedUpdate]) -> None:
        """What a run that was just opened had shown before it was cut off; once, and before anything else."""
        ...

    def log(self, run_id: str, update: int, values: Mapping[str, float]) -> None:
        """Scalars of one update; updates of a run come in order."""
        ...

    def profiles(self, run_id: str, update: int, log10_norms: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """log10 of gradient norms over t, by table and variable (``gradient_flow/h``); -inf where one is exactly 0."""
        ...

    def finish(self, run_id: str, summary: Mapping[str, Any]) -> None:
        """Close a run with its summary."""
        ...

    def close(self) -> None:
        """Close the runs that are still open, as interrupted."""
        ...


class NullTracker:
    """Shows nothing."""

    settings: Mapping[str, Any] = {"name": "none"}

    def start(self, run_id: str, study: str, config: Mapping[str, Any], name: str) -> None:
        """Nothing."""

    def resume(self, run_id: str, moments: Sequence[LoggedUpdate]) -> None:
        """Nothing."""

    def log(self, run_id: str, update: int, values: Mapping[str, float]) -> None:
        """Nothing."""

    def profiles(self, run_id: str, update: int, log10_norms: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """Nothing."""

    def finish(self, run_id: str, summary: Mapping[str, Any]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def make_tracker(
    name: str,
    *,
    directory: str | Path,
    mode: str | None = None,
    project: str | None = None,
    entity: str | None = None,
) -> Tracker:
    """The tracker of that name (``none`` or ``wandb``); ``directory`` is the study's folder.

    Without a mode it is offline, without a project it is ``lrd``'s.
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
