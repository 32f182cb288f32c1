"""Versions: of lrd, of Python, and of the packages that it needs or can use."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import lrd
from lrd.doctor.finding import Finding
from lrd.extras import EXTRAS
from lrd.records import git_commit

#: What lrd cannot do without, as pip calls it, and whether it is for programs of a GPU alone.
_NEEDED = (
    "torch",
    "numpy",
    "scipy",
    "hydra-core",
    "pydantic",
    "wandb",
    "duckdb",
    "matplotlib",
    "pillow",
    "rich",
    "pyyaml",
)
#: Package -> what it is for, and how to get it.
_COMPILERS = {
    "numba": ("compiles the fast kernels of the CPU", "pip install numba"),
    "triton": ("compiles the fast kernels of a GPU", "on a machine with a GPU: pip install 'lrd[gpu]'"),
}


def findings(runs: Path) -> Iterator[Finding]:
    """Yield a finding for each package."""
    commit, changed, unknown = git_commit()
    of_commit = f", commit {commit[:12]}{', with changes' if changed else ''}" if commit else ""
    facts = {"version": lrd.__version__, "commit": commit, "changed": changed}
    yield Finding(
        "versions", "lrd", "ok", f"{lrd.__version__}{of_commit}{f', {unknown}' if unknown else ''}", facts=facts
    )
    python = platform.python_version()
    yield Finding("versions", "python", "ok", f"{python}, {sys.implementation.name}", facts={"version": python})
    for name in _NEEDED:
        yield _of(name, "failed", "lrd needs it", f"pip install {name}")
    for name, (what_for, way_out) in _COMPILERS.items():
        yield _of(name, "note", what_for, way_out)
    for extra, packages in EXTRAS.items():
        for _, name in packages:
            yield _of(name, "note", f"for the extra {extra}", f"pip install 'lrd[{extra}]'")


def _of(name: str, state: str, what_for: str, way_out: str) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding("versions", name, state, f"not installed; {what_for}", way_out, {"version": None})
    return Finding("versions", name, "ok", found, facts={"version": found})
