"""matplotlib's own defaults: figures do not begin from the settings of the machine, nor need them to be sound."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

#: Where matplotlib, while it is imported, finds neither a backend nor a matplotlibrc that somebody chose.
NOBODYS = {"MPLBACKEND": "agg", "MATPLOTLIBRC": os.devnull}


def import_matplotlib() -> None:
    """Import matplotlib, also where it refuses to be: for a backend or a matplotlibrc of the user's that is broken."""
    try:
        importlib.import_module("matplotlib")
    except (ValueError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]  # half of it is there, and would be taken for the whole
        before = {name: os.environ.get(name) for name in NOBODYS}
        os.environ.update(NOBODYS)
        try:
            with chdir(Path(__file__).parent):  # the matplotlibrc of the current folder would come first
                importlib.import_module("matplotlib")
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def only(settings: Any) -> Iterator[None]:  # matplotlib's stub wants the keys as literals
    """Draw with these settings over matplotlib's defaults inside, whatever they are outside."""
    import matplotlib

    with matplotlib.rc_context():
        with warnings.catch_warnings():  # of defaults that nobody chose
            warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
            # Not rcdefaults(), which reads every style file of the user's.
            defaults = {name: value for name, value in matplotlib.rcParamsDefault.items() if name != "backend"}
            matplotlib.rcParams.update(defaults)  # type: ignore[arg-type]
        matplotlib.rcParams.update(settings)
        yield
