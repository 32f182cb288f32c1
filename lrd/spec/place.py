"""Where a run is computed, kept and mirrored: nothing here changes a result, but a GPU's rounding."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from lrd.options import OptionError, check_options, option
from lrd.spec.error import SpecError
from lrd.user_files import path_of

LONGEST = 255  # bytes of a file's name, on every common file system


@dataclass(frozen=True)
class TrackerOptions:
    """Options of the mirror of records, where runs can be watched."""

    name: str = option("wandb", "where metrics are mirrored", choices=("wandb", "none"))
    mode: str | None = option(
        None, "wandb's mode; null: WANDB_MODE, or else offline", choices=("online", "offline", "disabled")
    )
    project: str | None = option(None, "wandb's project; null: WANDB_PROJECT, or else lrd")
    entity: str | None = option(None, "wandb's entity; null: WANDB_ENTITY, or else the user's default")

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Place:
    """Where runs are computed and kept: nothing here changes a result on a CPU, nor on a GPU beyond its rounding."""

    study: str = option("scratch", "folder of the study below runs_dir, and wandb's group")
    runs_dir: str = option("runs", "folder of all studies")
    device: str = option("auto", "auto, cpu, cuda or cuda:0, cuda:1, ...")
    pack_size: int | str = option("auto", "runs that train together at most; auto: what memory and cores are for")
    deterministic: bool = option(
        True, "whether a GPU gives packs the same bits again, at some price; a CPU always does"
    )
    checkpoint_seconds: float = option(60.0, "seconds between checkpoints", gt=0)

    def __post_init__(self) -> None:
        check_options(self)
        object.__setattr__(self, "runs_dir", str(path_of(self.runs_dir)))
        if not self.study or self.study.startswith(".") or "/" in self.study:
            raise OptionError("study", f"must be a plain folder name, got {self.study!r}")
        if (bytes_ := len(self.study.encode(errors="replace"))) > LONGEST:
            raise OptionError("study", f"must have at most {LONGEST} bytes, as the name of a folder, got {bytes_}")
        for key in ("study", "runs_dir"):
            try:
                os.fsencode(getattr(self, key))
            except UnicodeEncodeError:
                way_out = "set LC_ALL=C.UTF-8, or choose another name"
                raise OptionError(key, f"has letters that no file's name has in this locale; {way_out}") from None
        if self.pack_size != "auto" and (isinstance(self.pack_size, str) or self.pack_size < 1):
            raise OptionError("pack_size", f"must be auto or a number >= 1, got {self.pack_size!r}")

    def torch_device(self) -> torch.device:
        """Return the device that ``device`` means on this machine.

        Raises:
            SpecError: this machine has no such device.
        """
        name = self.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
            raise SpecError(f"device: must be auto, cpu, cuda or cuda:N, got {name!r}")
        if name == "cpu":
            return torch.device(name)
        if torch.version.cuda is None:
            raise SpecError(f"device: the torch installed here is one without CUDA, got {name!r}; use device=cpu")
        there = torch.cuda.device_count()
        if not there:
            raise SpecError(f"device: torch finds no CUDA GPU on this machine, got {name!r}; use device=cpu")
        index = int(name.partition(":")[2] or 0)
        if index >= there:
            names = ", ".join(f"cuda:{number}" for number in range(there))
            raise SpecError(f"device: must be one that is there, {names} or cpu, got {name!r}")
        return torch.device(name)

    @property
    def folder(self) -> Path:
        """The folder of the study's records."""
        return Path(self.runs_dir) / self.study
