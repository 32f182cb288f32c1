"""SLURM: whether jobs can be sent from here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from lrd.doctor.finding import Finding
from lrd.extras import missing
from lrd.sweeps.slurm_squeue import answers

_PATIENCE = 10.0  # seconds for an answer


def findings(runs: Path) -> Iterator[Finding]:
    """Yield whether there is a cluster, and whether it answers."""
    there = shutil.which("sbatch") is not None
    facts = {"sbatch": there, "answers": None, "missing": missing("hydra/launcher=slurm", "slurm") or None}
    if not there:
        yield Finding("slurm", "slurm", "note", "no sbatch here; sweeps run on this machine", facts=facts)
        return
    facts["answers"] = answers(_PATIENCE)
    if not facts["answers"]:
        value = f"sbatch is here, but squeue gave no answer in {_PATIENCE:.0f} s"
        yield Finding("slurm", "slurm", "warning", value, "try again later, or ask who runs the cluster", facts)
    elif facts["missing"]:
        what, _, way_out = str(facts["missing"]).partition(": ")
        yield Finding("slurm", "slurm", "note", f"it answers, but {what}", way_out, facts)
    else:
        yield Finding("slurm", "slurm", "ok", "it answers; hydra/launcher=slurm sends packs to it", facts=facts)
