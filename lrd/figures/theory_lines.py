"""Lines of theory against lag: how much of a gradient a bound or the gates let through on the backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from lrd.figures.labels import PartLabel
from lrd.figures.start_and_end import rows_at
from lrd.figures.tables import Table, groups, join_runs, pivot
from lrd.stats import Band, band, median

Key = tuple[Any, ...]  # panel, gap, label, variable
Lines = dict[str, tuple[np.ndarray, Band]]  # name: lags, log10 of what is left after so many steps back

#: Of the Jacobian of the whole state; there is a bound for the cell whose state is h alone.
_JACOBIAN = "block = 'whole' and quantity in ('sigma', 'bound', 'bound_slopes') and \"index\" = 1"
_PROBED = {
    "jacobian": ("layer, direction, 'h' as variable, quantity as curve, lag, log10_q50 as value", _JACOBIAN),
    "gates": (
        "layer, direction, variable, unnest(['gates', 'gates_q95']) as curve, lag, unnest([mean, q95]) as value",
        "quantity = 'to_answer' and variable <> ''",
    ),
}


def theory(study: Any, runs: Table) -> dict[Key, Lines]:
    """Return the lines of theory of each (panel, gap, label, variable) at the end of training.

    Of networks of several parts they are those of the last layer, forward.

    Returns:
        By name, the lines whose probe measured the runs. ``bound``, ``bound_slopes`` and ``sigma``: the bounds of
        Pascanu, Mikolov & Bengio (2013), and the largest singular value that they bound, of a cell that has them.
        ``gates``: what of a gradient would be left if nothing but the gates acted that keep a state variable, as
        geometric mean over samples and units; ``gates_q95``: the 95 % quantile over samples and units.
    """
    found: dict[Key, Lines] = {}
    keys = ("panel", "gap", "label", "variable")
    for table, (columns, where) in _PROBED.items():
        if table in study.tables:
            rows = join_runs(rows_at(study, table, columns, where), runs)
            for (moment, *key, curve), group in groups(rows, "moment", *keys, "curve"):
                # Below the last layer the gradient arrives at every step, from above too: no theory of one layer.
                if moment == "end" and (not isinstance(key[2], PartLabel) or key[2].is_last):
                    found.setdefault(tuple(key), {})[curve] = _over_runs(group)
    for lines in found.values():
        if "sigma" in lines and "bound" not in lines:  # a state of several variables: no gradient of one is bounded
            del lines["sigma"]
    return {key: lines for key, lines in found.items() if lines}


def slope_lines(slopes: dict[str, float], lags: np.ndarray, norms: dict[str, np.ndarray]) -> tuple[np.ndarray, Band]:
    """Return the straight lines of fitted slopes, from lag 0 to the largest lag, as a band over runs.

    Records keep no intercept: a line runs at the height at which as many norms of its run lie above as below it.

    Args:
        slopes: For each run its slope, in powers of ten for each step of t.
        lags: The lags of the norms.
        norms: For each run log10 of its norms [lags].

    Returns:
        The two ends of the lines, as lags, and the band there.
    """
    ends = np.array([0, lags[-1]])
    lines = []
    for run, slope in slopes.items():
        heights = norms[run] + slope * lags
        lines.append(median(heights[np.isfinite(heights)]) - slope * ends)
    return ends, band(np.stack(lines))


def _over_runs(rows: Table) -> tuple[np.ndarray, Band]:
    """Return lags from 0, at which nothing is lost, and the band over runs."""
    lags, values = pivot(rows, "run_id", "lag", "value")
    if lags[0] > 0:
        lags, values = np.r_[0, lags], np.c_[np.zeros(len(values)), values]
    return lags, band(values)
