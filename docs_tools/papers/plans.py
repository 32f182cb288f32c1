"""Which runs the file of a study plans, and a short name for the set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from lrd.hydra_main import compose_from_command_line
from lrd.sweeps.plan import jobs_from_configs


def planned_runs(name: str, *options: str) -> list[str]:
    """Return the ids of the runs that ``experiments/papers/NAME.yaml`` plans, sorted.

    Args:
        name: of the study.
        options: further words of the command line, such as ``--config-dir`` of a study elsewhere.

    Raises:
        CompositionError: the file cannot be composed.
        SpecError: something is wrong with its options.
    """
    inbox = compose_from_command_line([*options, f"experiment=papers/{name}"])
    return sorted({job.run.run_id for job in jobs_from_configs(inbox.configs, here=False)})


def digest(run_ids: Iterable[str]) -> str:
    """Return a short name of a set of runs: a file whose settings have changed plans a set of another name."""
    return hashlib.sha256("\n".join(sorted(run_ids)).encode()).hexdigest()[:12]
