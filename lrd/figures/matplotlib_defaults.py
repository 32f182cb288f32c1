"""matplotlib with its own defaults, whatever the settings of the user and the machine say, and if they are broken."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from lrd.environment_variables import environment_variables

#: Where matplotlib, while it is imported, finds neither a backend nor a matplotlibrc that somebody chose.
NOBODYS = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}


def import_matplotlib() -> None:
    """Import matplotlib, also where a backend or a matplotlibrc of the user's is so broken that its import fails."""
    try:
        importlib.import_module("matplotlib")
    except (ValueError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]  # half of it is there, and would be taken for the whole
        with environment_variables(NOBODYS), chdir(Path(__file__).parent):  # away from a matplotlibrc that lies here
            importlib.import_module("matplotlib")


@contextmanager
def over_defaults(settings: Any) -> Iterator[None]:  # matplotlib's stub wants the keys as literals
    """Draw with settings over matplotlib's defaults inside, whatever the settings are outside."""
    import matplotlib

    with matplotlib.rc_context():
        with warnings.catch_warnings():  # of defaults that nobody chose
            warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
            # Not rcdefaults(), which reads every style file of the user's.
            defaults = {name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"}
            matplotlib.rcParams.update(defaults)  # type: ignore[arg-type]
        matplotlib.rcParams.update(settings)
        yield
