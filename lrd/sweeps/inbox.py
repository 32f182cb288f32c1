"""What Hydra composed, waiting for ``lrd`` to plan and run it once Hydra is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Inbox:
    """Plain configurations in the order of the sweep, the launcher's options, and what the study states."""

    configs: list[dict[str, Any]] = field(default_factory=list)
    launcher: dict[str, Any] = field(default_factory=dict)
    hypotheses: Any = None  # as it stands in the study's file; no part of any configuration
    paper: Any = None  # the published result that the study re-runs, as it stands there
    sweeps: bool = False  # whether a single run's configuration says how to sweep
    error: Exception | None = None  # of a single run, for Hydra would print one raised inside its job


INBOX = Inbox()
