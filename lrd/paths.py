"""Where the project's own files lie: beside ``lrd/`` in a checkout, inside it in an installed wheel."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / f"_{name}"
    return installed if installed.is_dir() else _PACKAGE.parent / name


CONF = _folder("conf")  # Hydra's groups; its experiment/ holds the studies of experiments/
ANALYSIS = _folder("analysis")  # the figure scripts


def analysis_module(name: str) -> Any:
    """A module of ``analysis/``, a folder of programs that import each other by plain names."""
    if str(ANALYSIS) not in sys.path:
        sys.path.insert(0, str(ANALYSIS))
    return importlib.import_module(name)
