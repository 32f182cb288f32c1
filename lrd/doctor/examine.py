"""The examination of a machine: section by section, whatever becomes of one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import torch

from lrd.doctor import graphs, kernels, machine, pdf, slurm, storage, versions, wandb_login
from lrd.doctor.finding import Finding
from lrd.one_line import one_line

#: Every section by its name, in the order of the report; each takes the folder of all studies.
SECTIONS: dict[str, Callable[[Path], Iterable[Finding]]] = {
    "versions": lambda runs: versions.findings(),
    "machine": lambda runs: machine.findings(),
    "storage": storage.findings,
    "kernels": lambda runs: kernels.findings(),
    "graphs": lambda runs: graphs.findings(),
    "wandb": lambda runs: wandb_login.findings(),
    "slurm": lambda runs: slurm.findings(),
    "report": lambda runs: pdf.findings(),
}


def examine(runs: Path) -> Iterator[tuple[str, list[Finding]]]:
    """Yield each section and what was found in it.

    Args:
        runs: The folder of all studies.
    """
    # As in a worker that trains (lrd.sweeps.workers).
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    for section, find in SECTIONS.items():
        found: list[Finding] = []
        try:
            found.extend(find(runs))
        except Exception as error:  # the other sections are wanted all the more
            said = one_line(f"{type(error).__name__}: {error}", longest=300)
            found.append(Finding(section, "doctor", "failed", f"could not be examined: {said}", "please report this"))
        yield section, found
