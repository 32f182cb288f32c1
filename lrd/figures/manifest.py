"""What a figure was drawn from, beside it as NAME.json: enough to draw it again years later, or to doubt it.

    figure          its name
    command         that drew it, in one spelling: studies and style files by their name, options that change nothing
                    (``--out``) left out; null where a program drew it
    studies, filter names of the studies drawn, and the SQL condition for their runs, or null
    style, width    name of the style, with the SHA-256 of its file if it has one; inches, null of a table alone
    runs            ids of the runs drawn, with the name of their study in front where there are several
    runs_of_study   how many runs the studies have that meet the filter
    left_out        a line for each folder or file that could not be read
    trained_with    versions and commit of lrd with which these runs were trained, and how many were (``lrd.records``)
    drawn_with      versions and commit of this lrd, and versions of Python, matplotlib and numpy
    csv             name and SHA-256 of the table of what is drawn
    script          name and SHA-256 of the script, where a user's own drew it

Nothing of the clock or the machine: the same records and command give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

import lrd
from lrd.figures.drawing import QueriedStudy, current_drawing
from lrd.records import git_commit, training_versions, without_home
from lrd.records.files import write_bytes

#: Columns of a CSV that say which runs a row is of, where the table of runs has them too.
KEYS = ("panel", "gap", "label", "kind", "setting")


def drawn_from(runs: Mapping[str, Any], rows: Mapping[str, Any] | None = None, keys: Sequence[str] = KEYS) -> None:
    """Say which runs the figures show that are drawn now, for their manifests.

    A figure shows those of the runs that agree with a row of its CSV.

    Args:
        runs: A table of runs.
        rows: Rows of another table, as ``join_runs`` returns them, to which the runs are limited; None for all runs.
        keys: Columns in which a run and a row of the CSV agree, as far as both have them.
    """
    if rows is not None:
        chosen = np.flatnonzero(np.bincount(rows["run"]))
        runs = {name: column[chosen] for name, column in runs.items()}
    drawing = current_drawing()
    drawing.runs, drawing.keys = dict(runs), tuple(keys)


def write(path: Path, csv: Path, table: Sequence[Mapping[str, object]], width: float | None) -> list[Path]:
    """Write the manifest of a figure or of a table alone.

    Args:
        path: The file to write.
        csv: The table of what is drawn, already written.
        table: The rows of that table.
        width: Width of the figure in inches; None of a table alone.

    Returns:
        The path, or nothing where no study is drawn.
    """
    drawing = current_drawing()
    study, options = drawing.study, drawing.options
    if study is None or study.study is None:
        return []
    if drawing.runs is None:  # a script that never asked for the table of runs
        drawing.runs = dict(study.study.columns("select run_id from runs"))
    runs = _shown(drawing.runs, drawing.keys, table)
    style: dict[str, Any] = {"name": options.style.name}
    if options.style.sha256 is not None:
        style["sha256"] = options.style.sha256
    content: dict[str, Any] = {
        "figure": path.stem,
        "command": shlex.join(options.command) or None,
        "studies": list(study.names),
        "filter": study.condition,
        "style": style,
        "width": width,
        "runs": runs,
        "runs_of_study": int(study.study.columns("select count(*) as runs from runs")["runs"][0]),
        "left_out": _left_out(study),
        "trained_with": training_versions(study.study, runs),
        "drawn_with": _versions(),
        "csv": {"name": csv.name, "sha256": _digest(csv)},
    }
    if drawing.script is not None:
        content["script"] = {"name": drawing.script.name, "sha256": _digest(drawing.script)}
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return [path]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _shown(runs: Mapping[str, Any], keys: Sequence[str], table: Sequence[Mapping[str, object]]) -> list[str]:
    keys = [key for key in keys if key in runs and key in table[0]]
    if not keys:
        return sorted(map(str, runs["run_id"]))
    there = {tuple(map(str, key)) for key in _tuples(table, keys)}
    columns = zip(*(runs[key] for key in keys), strict=True)
    of_runs = zip(runs["run_id"], columns, strict=True)
    return sorted(str(run_id) for run_id, key in of_runs if tuple(map(str, key)) in there)


def _tuples(table: Iterable[Mapping[str, object]], keys: Sequence[str]) -> set[tuple[object, ...]]:
    return {tuple(row[key] for key in keys) for row in table}


def _left_out(study: QueriedStudy) -> list[str]:
    """Return the problems of the study, without those of tables that this figure did not ask for."""
    queries = " ".join(study.queries)
    unasked = [f"{name}.parquet" for name in study.tables if name not in queries]
    lines = []
    for problem in study.problems:
        if not any(f"{os.sep}{file}" in problem for file in unasked):
            for name, folder in study.folders.items():
                inside = f"{name}/" if len(study.folders) > 1 else ""
                problem = problem.replace(f"{folder}{os.sep}", inside)
            lines.append(without_home(problem))
    return sorted(lines)


def _versions() -> dict[str, Any]:
    commit, dirty, _ = git_commit()
    versions = {"lrd": lrd.__version__, "commit": commit, "dirty": dirty, "python": platform.python_version()}
    return versions | {"matplotlib": matplotlib.__version__, "numpy": np.__version__}
