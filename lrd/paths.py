"""Where the project's own files lie: beside ``lrd/`` in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / f"_{name}"
    return installed if installed.is_dir() else _PACKAGE.parent / name


CONF = _folder("conf")  # Hydra's groups; its experiment/ holds the studies of experiments/
ANALYSIS = _folder("analysis")  # the figure scripts, one a figure
