"""The figure scripts of ``analysis/`` for the commands that draw: a folder of programs, not a package to import."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def figure_scripts() -> Any:
    """``analysis/common.py`` as a module: ``draw_all(study, out)`` and what else the scripts share."""
    from lrd.paths import ANALYSIS

    if str(ANALYSIS) not in sys.path:
        sys.path.insert(0, str(ANALYSIS))
    return importlib.import_module("common")
