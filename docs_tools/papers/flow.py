"""What the answer's gradient did in a study, before and after training: a row a cell, gap and state variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from lrd.records import Study
from lrd.report.runs import natural, rows
from lrd.stats import REGIMES, factor_per_step, horizon, median, regimes

#: Of a network of several parts the last layer counts, forward, as it does for hypotheses.
_FITS = """
, ends as (select run_id, panel, label, gap, largest_lag, "update" as ended from named where state = 'finished'),
fits as (
    select * from gradient_fit where direction = 'forward' qualify layer = max(layer) over (partition by run_id)
)
select panel, label, gap, variable, largest_lag,
    case when fits.update = 0 then 'before' else 'after' end as moment, slope, slope_error, samples, points
from fits join ends using (run_id) where fits.update = 0 or fits.update = ended order by all
"""


def gradient_flow(study: Study) -> list[dict[str, Any]]:
    """Return what the gradient of an answer did over the quiet steps of the gap, as medians over finished runs.

    Returns:
        A dictionary a task, cell, gap and state variable, in the order in which one reads cells: ``lag``, the largest
        lag of its runs, and ``before`` and ``after`` training (``_moment``), None where nothing was measured. Empty
        where the probe gradient_flow measured no run.
    """
    found: dict[tuple[Any, ...], dict[str, list[tuple[Any, ...]]]] = {}
    lags: dict[tuple[Any, ...], list[int]] = {}
    for panel, label, gap, variable, lag, moment, *fit in rows(study, _FITS):
        key = (str(panel), str(label), gap, str(variable))
        found.setdefault(key, {}).setdefault(moment, []).append(tuple(fit))
        lags.setdefault(key, []).extend([] if lag is None else [lag])
    order = sorted(found, key=lambda key: (key[0], natural(key[1]), key[2] is None, key[2] or 0, key[3] != "h", key[3]))
    return [
        dict(zip(("task", "cell", "gap", "variable"), key, strict=True))
        | {"lag": max(lags[key], default=None)}
        | {moment: _moment(found[key].get(moment, [])) for moment in ("before", "after")}
        for key in order
    ]


def _moment(fits: Sequence[tuple[Any, ...]]) -> dict[str, Any] | None:
    """Return the median factor per step back, its horizon in steps, and how many runs are of each regime.

    A run without a fit, such as one that diverged, counts in none of these.
    """
    columns = np.array([[np.nan if value is None else value for value in fit] for fit in fits], dtype=np.float64)
    known = columns[~np.isnan(columns[:, 0])] if len(columns) else columns
    if not len(known):
        return None
    slope, error, samples, points = known.T
    counts = Counter(regimes(slope, error, samples, points))
    middle = float(median(slope))
    return {
        "factor": float(factor_per_step(middle)),
        "horizon": float(horizon(middle)),
        "regimes": {regime: counts[regime] for regime in REGIMES if counts[regime]},
    }
