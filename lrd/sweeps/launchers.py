"""Where packs are trained: the options of each launcher (``conf/hydra/launcher/``), typed and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lrd.options import check_options, option
from lrd.spec import Place, named_options
from lrd.sweeps.workers import default_workers


@dataclass(frozen=True)
class Launcher:
    """Options that every launcher has."""

    name: ClassVar[str]
    interrupted: ClassVar[str] = "interrupted: the same command again goes on from the checkpoints"
    here: ClassVar[bool] = True  # whether runs are trained on this machine

    retries: int = option(1, "how often a pack that fails is tried again without having got further", ge=0)

    def __post_init__(self) -> None:
        check_options(self)

    def workers_at(self, place: Place) -> int:
        """Return how many packs train at once."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise ``SpecError`` where nothing can be launched with these options."""


@dataclass(frozen=True)
class Local(Launcher):
    """Worker processes on this machine."""

    name: ClassVar[str] = "local"

    workers: int | None = option(None, "worker processes; null: one a core, or one a GPU", ge=1)

    def workers_at(self, place: Place) -> int:
        return default_workers(place.torch_device()) if self.workers is None else self.workers


@dataclass(frozen=True)
class Slurm(Launcher):
    """Job arrays of a SLURM cluster; ``lrd.sweeps.slurm`` sends and watches them."""

    name: ClassVar[str] = "slurm"
    interrupted: ClassVar[str] = "interrupted: the same command again watches the jobs on and submits none twice"
    here: ClassVar[bool] = False

    partition: str | None = option(None, "where jobs run; null: the cluster's default")
    account: str | None = option(None, "who pays; null: your default")
    qos: str | None = option(None, "quality of service; null: your default")
    constraint: str | None = option(None, "features that a node must have, such as a100")
    time: int = option(60, "minutes a job may run before it writes checkpoints and is requeued", ge=1)
    signal_seconds: int = option(120, "how long before its time limit a job is asked to write checkpoints", ge=1)
    requeues: int = option(100, "how often a job is requeued, at its time limit or when preempted", ge=0)
    gpus: int = option(0, "GPUs a job, 0 or 1: a pack trains on one device", ge=0, le=1)
    cpus: int = option(1, "cores a job; a pack trains on one, others only feed a GPU", ge=1)
    memory: float = option(4.0, "GB a job", gt=0)
    array: int = option(32, "largest number of a study's jobs that run at once", ge=1)
    max_array_size: int = option(1001, "the cluster's MaxArraySize; a longer array is sent in parts", ge=1)
    packs_per_job: int = option(1, "packs that a job trains one after another", ge=1)
    setup: Sequence[str] = option((), "shell lines that a job runs first, such as 'module load python'")
    poll_seconds: float = option(10.0, "seconds between readings of squeue and the records", gt=0)

    def workers_at(self, place: Place) -> int:
        return self.array

    def check(self) -> None:
        from lrd.sweeps.slurm_submit import check

        check(self)


LAUNCHERS: dict[str, type[Launcher]] = {kind.name: kind for kind in (Local, Slurm)}


def launcher_from_options(options: Mapping[str, Any]) -> Launcher:
    """Return the launcher that Hydra composed.

    Raises:
        SpecError: options are wrong; it names every one.
    """
    launcher: Launcher = named_options(LAUNCHERS, "hydra.launcher", options)
    return launcher
