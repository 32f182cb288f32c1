"""Packages that only some of lrd needs, by the extra of pyproject.toml that brings them. Standard library only."""

from __future__ import annotations

import importlib.util

#: extra -> (module, what pip calls it) of each package that it brings
EXTRAS = {
    "report": (("jinja2", "jinja2"), ("weasyprint", "weasyprint")),
    "slurm": (("submitit", "submitit"), ("cloudpickle", "cloudpickle")),
    "dashboard": (("wandb_workspaces", "wandb-workspaces"),),
    "digits": (("sklearn", "scikit-learn"),),
}


def missing(who: str, extra: str, but: tuple[str, ...] = ()) -> str:
    """Return one line that says what is not installed, and how to install it; empty where nothing is missing.

    Nothing is imported for it, which would take a second of packages that a plan does not need.

    Args:
        who: what needs the packages, as a user types it.
        extra: a key of ``EXTRAS``.
        but: modules that are not needed this time.
    """
    names = [name for module, name in EXTRAS[extra] if module not in but and not _installed(module)]
    return f"{who} needs {' and '.join(names)}: pip install 'lrd[{extra}]'" if names else ""


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # what hides it answers so
        return False
