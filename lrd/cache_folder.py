"""The folder of lrd's caches: what any process may find out again, and nobody needs."""

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
