"""Small jobs and packs for the tests of sweeps."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lrd.spec import Job, job_from_config
from lrd.sweeps.plan import PlannedPack


def config(root: Path | str = "runs", cell: str = "rnn", gap: int = 4, seed: int = 0, **options: Any) -> dict[str, Any]:
    """A composed configuration; ``options`` as ``optimizer_lr=0.1``."""
    groups: dict[str, dict[str, Any]] = {
        "task": {"name": "adding", "gap": gap},
        "cell": {"name": cell, "hidden_size": 3},
        "optimizer": {"name": "adam"},
        "training": {"batch_size": 2, "max_updates": 12, "eval_every": 3, "eval_samples": 4, "test_samples": 4}
        | {"stop_when_solved": False},
        "probe": {"samples": 2},
        "tracker": {"name": "none"},
    }
    top = {"seed": seed, "runs_dir": str(root), "study": "s", "device": "cpu"}
    for key, value in options.items():
        group, _, name = key.partition("_")
        if group in groups:
            groups[group][name] = value
        else:
            top[key] = value
    return groups | top


def job(root: Path | str = "runs", **options: Any) -> Job:
    return job_from_config(config(root, **options))


def pack(number: int, *jobs: Job, start: int = 0) -> PlannedPack:
    return PlannedPack(number, jobs, start)


def within(seconds: float, events: Iterable[Any]) -> Iterator[Any]:
    """The events of a pool, which says None when nothing comes; the limit is there for a test that hangs."""
    limit = time.monotonic() + seconds
    for event in events:
        assert time.monotonic() < limit, "nothing more happens"
        yield event
