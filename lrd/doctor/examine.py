"""The examination of a machine: section by section, whatever becomes of one of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from lrd.doctor.finding import Finding
from lrd.one_line import one_line


def _by(module: str) -> Callable[[Path], Iterable[Finding]]:
    """Return the ``findings`` of a module of this package, which is imported when they are asked for.

    Where a package is missing or broken, its section says so, and the others are there all the same.
    """

    def find(runs: Path) -> Iterable[Finding]:
        found: Iterable[Finding] = importlib.import_module(f"lrd.doctor.{module}").findings(runs)
        return found

    return find


#: Every section by its name, in the order of the report; each takes the folder of all studies.
SECTIONS: dict[str, Callable[[Path], Iterable[Finding]]] = {
    "versions": _by("versions"),
    "machine": _by("machine"),
    "storage": _by("storage"),
    "kernels": _by("kernels"),
    "graphs": _by("graphs"),
    "wandb": _by("wandb_login"),
    "slurm": _by("slurm"),
    "report": _by("pdf"),
}


def examine(runs: Path) -> Iterator[tuple[str, list[Finding]]]:
    """Yield each section and what was found in it.

    Args:
        runs: The folder of all studies.
    """
    for section, find in SECTIONS.items():
        found: list[Finding] = []
        try:
            found.extend(find(runs))
        except Exception as error:  # the other sections are wanted all the more
            said = one_line(f"{type(error).__name__}: {error}", longest=300)
            found.append(Finding(section, "doctor", "failed", f"could not be examined: {said}", "please report this"))
        yield section, found
