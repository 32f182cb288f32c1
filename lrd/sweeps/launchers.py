"""Where packs are trained: the options of each launcher (``conf/hydra/launcher/``), typed and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from lrd.options import check_options, option
from lrd.spec import named_options
from lrd.sweeps.workers import default_workers


@dataclass(frozen=True)
class Launcher:
    """Options that every launcher has."""

    name: ClassVar[str]

    retries: int = option(1, "how often a pack that fails is tried again without having got further", ge=0)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Local(Launcher):
    """Worker processes on this machine."""

    name: ClassVar[str] = "local"

    workers: int | None = option(None, "worker processes; null: one a core, or one a GPU", ge=1)

    def workers_on(self, device: torch.device) -> int:
        """How many workers train at once."""
        return default_workers(device) if self.workers is None else self.workers


LAUNCHERS: dict[str, type[Local]] = {kind.name: kind for kind in (Local,)}


def launcher_from_options(options: Mapping[str, Any]) -> Local:
    """The launcher that Hydra composed. Raises ``SpecError`` naming every option that is wrong."""
    launcher: Local = named_options(LAUNCHERS, "hydra.launcher", options)
    return launcher
