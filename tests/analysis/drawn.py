"""What a figure drew, read back from its CSV, and the runs it was drawn from."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from synthetic import Made


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def grouped(runs: Sequence[Made]) -> dict[tuple[str, str, int], list[Made]]:
    groups = defaultdict(list)
    for run in runs:
        groups[run.task, run.label, run.gap].append(run)
    return groups


def number(text: str) -> float:
    return float(text) if text else float("nan")


def finished(runs: Sequence[Made]) -> list[Made]:
    return [run for run in runs if run.state == "finished"]


def update_at(run: Made, moment: str) -> int:
    return 0 if moment == "init" else int(run.updates[-1])


def is_band_of(row: dict[str, str], values: Sequence[float]) -> bool:
    """Whether median, low and high of a row are those of the values of fewer than 10 seeds, to 9 digits."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not known.size:
        return row["median"] == row["low"] == row["high"] == "" and int(row["runs"]) == 0
    expected = [np.median(known), *((known.min(), known.max()) if known.size > 1 else (np.nan, np.nan))]
    found = [number(row[name]) for name in ("median", "low", "high")]
    return int(row["runs"]) == known.size and np.allclose(found, expected, rtol=1e-8, atol=1e-12, equal_nan=True)
