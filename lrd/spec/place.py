"""Where a run is computed, kept and mirrored: nothing here changes a result."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch

from lrd.options import OptionError, check_options, option
from lrd.spec.error import SpecError


@dataclass(frozen=True)
class Tracker:
    """The mirror of records that one can watch."""

    name: str = option("wandb", "where metrics are mirrored", choices=("wandb", "none"))
    mode: str = option("offline", "wandb's mode", choices=("online", "offline", "disabled"))
    project: str = option("lrd", "wandb's project")
    entity: str | None = option(None, "wandb's entity; null: the user's default")

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Place:
    """Where runs are computed and kept: nothing here changes a result."""

    study: str = option("scratch", "folder of the study below runs_dir, and wandb's group")
    runs_dir: str = option("runs", "folder of all studies")
    device: str = option("auto", "auto, cpu, cuda or cuda:0, cuda:1, ...")
    checkpoint_seconds: float = option(60.0, "seconds between checkpoints", gt=0)

    def __post_init__(self) -> None:
        check_options(self)
        if not self.study or self.study.startswith(".") or "/" in self.study:
            raise OptionError("study", f"must be a plain folder name, got {self.study!r}")

    def torch_device(self) -> torch.device:
        """The device that ``device`` means here. Raises ``SpecError`` where this machine has none such."""
        name = self.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
            raise SpecError(f"device: must be auto, cpu, cuda or cuda:N, got {name!r}")
        device = torch.device(name)
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise SpecError(f"device: this machine has {torch.cuda.device_count()} CUDA GPUs, got {name!r}; use cpu")
        return device

    @property
    def folder(self) -> Path:
        """Where this study's records lie."""
        return Path(self.runs_dir) / self.study
