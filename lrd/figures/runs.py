"""The runs of a study as figures show them: which panel, which label, and over what they are pooled."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrd.figures.drawable_text import named
from lrd.figures.drawing import current_drawing
from lrd.figures.errors import NothingToDrawError
from lrd.figures.labels import by_study
from lrd.figures.manifest import drawn_from
from lrd.figures.swept_options import pooled
from lrd.figures.tables import Array, Table, plain


def runs_of(study: Any) -> Table:
    """Return the runs of a study in a fixed order, as columns [runs].

    ``panel`` is the task, with its convention where the study has the task in more than one; ``label`` the cell, with
    its study where several studies that are compared have it. Both are as figures can show them (``drawable_text``);
    CSV files have what the records say. The manifest names all of these runs, unless ``drawn_from`` says otherwise.

    Args:
        study: An open study, or several as one (``lrd.records``).

    Returns:
        run_id, panel, label, gap, seed, state, outcome (None while unfinished), ``layers`` and ``bidirectional`` of
        the network, and ``pooled``: the options in which runs differ that agree in panel, gap and label, in words.

    Raises:
        NothingToDrawError: The study holds no runs.
    """
    known = study.columns("select * from runs limit 0")
    label = "coalesce(cast(cell_label as varchar), cell)" if "cell_label" in known else "cell"
    rows: Table = study.columns(
        f"""
        select *, {label} as label,
            case when count(distinct convention) over (partition by task) > 1
                then task || ' (' || convention || ')' else task end as panel
        from runs order by panel, label, gap, seed, run_id
        """
    )
    if not len(rows["run_id"]):
        raise NothingToDrawError("the study holds no runs")
    runs = {name: rows[name] for name in ("run_id", "panel", "label", "gap", "seed", "state")}
    recorded = dict(runs)
    runs |= {name: _drawable(runs[name]) for name in ("panel", "label")}
    if len(study.names) > 1:
        shown = named(study.names)
        recorded["label"] = np.array(by_study(list(recorded["label"]), list(rows["study"]), study.names), dtype=object)
        studies, names = ([shown[name] for name in of] for of in (rows["study"], study.names))
        runs["label"] = np.array(by_study(list(runs["label"]), studies, names), dtype=object)
    for name in ("panel", "label"):
        current_drawing().remember_names(zip(runs[name], recorded[name], strict=True))
    runs["outcome"] = np.array([value if isinstance(value, str) else None for value in rows["outcome"]], dtype=object)
    runs["pooled"] = pooled(rows, list(zip(runs["panel"], runs["gap"], runs["label"], strict=True)))
    for name, least in (("layers", 1), ("bidirectional", 0)):  # older records have networks of one part
        option = plain(rows[f"cell_{name}"]) if f"cell_{name}" in rows else np.full(len(rows["run_id"]), np.nan)
        runs[name] = np.where(np.isnan(option), least, option).astype(np.int64)
    runs["bidirectional"] = runs["bidirectional"].astype(bool)
    drawn_from(runs)
    return runs


def _drawable(names: Array) -> Array:
    drawn = named(name for name in names if isinstance(name, str))
    return np.array([drawn.get(name, name) for name in names], dtype=object)
