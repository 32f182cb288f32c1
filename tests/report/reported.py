"""Rows of the table ``runs`` by hand, as a study that has no folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lrd.records import Study

ENDED = {"state": "finished", "outcome": "unsolved", "update": 100, "max_updates": 100, "seconds": 6.0}


def study_of(*rows: dict[str, Any], problems: tuple[str, ...] = ()) -> Study:
    """A study of finished, unsolved RNNs on copy at gap 10, but for what each row says."""
    usual = {"task": "copy", "gap": 10, "cell": "rnn", "seed": 0, **ENDED}
    runs = [{"run_id": f"run{place}", **usual, **row} for place, row in enumerate(rows)]
    return Study(Path("/nowhere/written"), runs, list(problems))
