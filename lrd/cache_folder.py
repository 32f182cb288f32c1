"""Where lrd keeps what it would only find out again: machine code, and checks of kernels."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """Return the folder of lrd's caches, after the XDG base directory specification; None where there is no home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):  # others are to be passed over
        return Path(given) / "lrd"
    try:
        return Path.home() / ".cache" / "lrd"
    except RuntimeError:
        return None
