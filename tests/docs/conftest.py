"""The modules that build the documentation, importable as they are by the build."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs_tools"))

if any(importlib.util.find_spec(name) is None for name in ("zensical", "latex2mathml", "mkdocstrings")):
    collect_ignore = ["test_extensions.py", "test_site.py"]  # `make .venv` installs what builds the documentation
