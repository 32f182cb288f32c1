"""What theory says of a gradient's way back, for the runs of a study where a probe took it: lines against lag."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrd.figures.start_and_end import rows_at
from lrd.figures.tables import Table, groups, join_runs, pivot
from lrd.stats import Band, band, median

Key = tuple[Any, ...]  # panel, gap, label, variable
Lines = dict[str, tuple[np.ndarray, Band]]  # name: lags, log10 of what is left after so many steps back

#: Of the Jacobian of the whole state; there is a bound for the cell whose state is h alone.
_JACOBIAN = "block = 'whole' and quantity in ('sigma', 'bound', 'bound_slopes') and \"index\" = 1"
_PROBED = {
    "jacobian": ("'h' as variable, quantity as curve, lag, log10_q50 as value", _JACOBIAN),
    "gates": (
        "variable, unnest(['gates', 'gates_q95']) as curve, lag, unnest([mean, q95]) as value",
        "quantity = 'to_answer' and variable <> ''",
    ),
}


def theory(study: Any, runs: Table) -> dict[Key, Lines]:
    """The lines of each (panel, gap, label, variable) at the end of training; those whose table is there.

    ``bound``, ``bound_slopes``, ``sigma``: Pascanu's bounds, and the largest singular value that they bound, of a cell
    that has them; ``gates``: what the gates that keep a state variable would hand back if nothing but they acted, the
    geometric mean over samples and units, and ``gates_q95``: the 95 % quantile over them.
    """
    found: dict[Key, Lines] = {}
    keys = ("panel", "gap", "label", "variable")
    for table, (columns, where) in _PROBED.items():
        if table in study.tables:
            rows = join_runs(rows_at(study, table, columns, where), runs)
            for (moment, *key, curve), group in groups(rows, "moment", *keys, "curve"):
                if moment == "end":
                    found.setdefault(tuple(key), {})[curve] = _over_runs(group)
    for lines in found.values():
        if "sigma" in lines and "bound" not in lines:  # a state of several variables: no gradient of one is bounded
            del lines["sigma"]
    return {key: lines for key, lines in found.items() if lines}


def slope_lines(slopes: dict[str, float], lags: np.ndarray, norms: dict[str, np.ndarray]) -> tuple[np.ndarray, Band]:
    """The straight lines of the fitted slopes [log10 a step of t] of some runs, from lag 0 to the largest.

    Records keep no intercept: a line runs through the middle of its run's log10 ``norms``, as many above as below it.
    """
    ends = np.array([0, lags[-1]])
    lines = []
    for run, slope in slopes.items():
        heights = norms[run] + slope * lags
        lines.append(median(heights[np.isfinite(heights)]) - slope * ends)
    return ends, band(np.stack(lines))


def _over_runs(rows: Table) -> tuple[np.ndarray, Band]:
    """Lags from 0, where all products are empty, and the band over runs."""
    lags, values = pivot(rows, "run_id", "lag", "value")
    if lags[0] > 0:
        lags, values = np.r_[0, lags], np.c_[np.zeros(len(values)), values]
    return lags, band(values)
