"""What Hydra composed, waiting for ``lrd`` to plan and run it once Hydra is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Inbox:
    """Plain configurations in the order of the sweep, and the launcher's options."""

    configs: list[dict[str, Any]] = field(default_factory=list)
    launcher: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None  # of a single run, for Hydra would print one raised inside its job


INBOX = Inbox()
