"""Opening the records of a study as tables.

    study = open_study("runs/demo")
    study.sql("select cell, task, gap, avg(solved) from runs group by all")

``lrd.records.schema`` says what each table and column holds.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lrd.records import schema
from lrd.records.files import RecordError, plain_text, storage_error
from lrd.records.run_rows import only_locked, read_row
from lrd.records.study import Study


def open_study(path: str | Path, condition: str | None = None) -> Study:
    """Open the records of a study as tables, as they are now. Open it again to see what a running sweep added.

    Args:
        path: folder of the study, such as ``runs/demo``.
        condition: an SQL condition over the columns of ``runs``, such as ``gap >= 50``: runs that do not meet it are
            left out (``Study.filtered``).

    Raises:
        RecordError: there is no such folder, or it has no run that can be read and meets the condition.
    """
    folder = Path(path)
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except FileNotFoundError:
        raise RecordError(f"there is no study at {folder}: give the folder of one, such as runs/demo") from None
    except OSError as error:
        raise storage_error(folder, error.errno, error, doing="read") from error
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for name in names:
        try:
            if not (name.startswith(".") or name in schema.NOT_RUNS or only_locked(folder / name)):
                rows.append(read_row(folder / name))
        except RecordError as error:
            problems.append(plain_text(str(error)))
    if not rows:
        raise RecordError(_no_runs(folder, names, problems))
    study = Study(folder, rows, problems)
    return study if condition is None else study.filtered(condition)


def _no_runs(folder: Path, names: Sequence[str], problems: Sequence[str]) -> str:
    if (folder / schema.RUN).exists():
        return f"{folder} is one run, not a study: give the folder that holds it, {folder.parent}"
    if studies := [name for name in names if any((folder / name).glob(f"*/{schema.RUN}"))]:
        return f"{folder} holds studies, not runs: give the folder of one of them ({', '.join(studies)})"
    return f"there are no readable runs in {folder}" + (f" (the first problem: {problems[0]})" if problems else "")
