"""What a benchmark ran on: cores, processor, versions. It stands above every table."""

from __future__ import annotations

import os
from importlib import metadata


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def machine(*packages: str) -> str:
    """Return a line about the machine: ``2 cores of an AMD EPYC, load before 0.1; torch 2.13.0, jax 0.10.2``.

    Args:
        packages: names of the installed packages whose versions matter; one that is not installed is left out.
    """
    from lrd.records.environment import environment

    versions = []
    for package in packages:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    name = environment("cpu")["device_name"] or "processor without a name"
    where = f"{cores()} core{'s' * (cores() > 1)}, {name}, load before {os.getloadavg()[0]:.1f}"
    return "; ".join([where, ", ".join(versions)] if versions else [where])
