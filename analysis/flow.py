"""Gradient flow of the last answer that was looked at, in rows: shared by the figures of it."""

from __future__ import annotations

from typing import Any

import common
import numpy as np
from moments import LAST_ANSWER

#: Columns of a profile; of the several answers of one look, all but ``LAST_ANSWER`` are left out.
PROFILE = """
    variable, t, lag, log10_gmean,
    case when count(distinct answer) over (partition by looked.run_id, looked.update) > 1
        then 'last' else answer end as answer
"""
TOTAL = "part = 'total'"


def flow_of_every_look(study: Any) -> common.Table:
    """The profiles of all looks at all runs, as ``every_look`` gives them."""
    return every_look(study, "gradient_flow", PROFILE, TOTAL, LAST_ANSWER)


def every_look(study: Any, table: str, columns: str, where: str = "true", further: str = "") -> common.Table:
    """Rows of all looks at all runs, with ``ended``: the update at which a finished run ended, NaN for the others."""
    ends = "(select run_id, case when state = 'finished' then update end as ended from runs)"
    found: common.Table = study.columns(
        f"select looked.run_id, looked.update, {columns}, ended from {table} as looked join {ends} using (run_id)"
        f" where {where} {further} order by all"
    )
    return found | {"ended": common.plain(found["ended"])}


def panels_by_answer(rows: common.Table, runs: common.Table) -> common.Table:
    """The runs, with panels of their own for each answer if there are several: their losses are no seeds of one."""
    if len(set(rows["answer"])) < 2:
        return runs
    answer = dict(zip(rows["run_id"], rows["answer"], strict=True))
    pairs = zip(runs["panel"], runs["run_id"], strict=True)
    return runs | {"panel": np.array([f"{panel}, answer: {answer.get(run)}" for panel, run in pairs], dtype=object)}
