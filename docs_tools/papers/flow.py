"""What the answer's gradient did in a study, before and after training, by cell, gap and state variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lrd.figures.swept_options import pooled, spelled, swept
from lrd.records import Study
from lrd.report.runs import natural, rows, with_named
from lrd.stats import REGIMES, factor_per_step, horizon, median, regimes

MOST = 4  # rows of one cell and gap, at most: of more settings than that the runs are pooled

#: Of a network of several parts the last layer counts, forward, as it does for hypotheses.
_FITS = """
, ends as (
    select run_id, panel, label, gap, largest_lag, "update" as ended from named where state = 'finished'
),
fits as (
    select * from gradient_fit where direction = 'forward' qualify layer = max(layer) over (partition by run_id)
)
select run_id, panel, label, gap, variable, largest_lag,
    case when fits.update = 0 then 'before' else 'after' end as moment, slope, slope_error, samples, points
from fits join ends using (run_id) where fits.update = 0 or fits.update = ended order by all
"""


def gradient_flow(study: Study) -> list[dict[str, Any]]:
    """Return what the gradient of an answer did over the quiet steps of the gap, as medians over finished runs.

    Returns:
        A dictionary for each task, cell, gap, further options in which runs differ, and state variable, in the order
        in which figures have cells: ``lag``, the largest lag of its runs, and ``before`` and ``after`` training
        (``_moment``), None where there is no fit. Empty where the probe gradient_flow measured no run.
    """
    options = _options(study)
    found: dict[tuple[Any, ...], dict[str, list[tuple[Any, ...]]]] = {}
    lags: dict[tuple[Any, ...], list[int]] = {}
    for run_id, panel, label, gap, variable, lag, moment, *fit in rows(study, _FITS):
        key = (str(panel), str(label), gap, options[run_id], str(variable))
        found.setdefault(key, {}).setdefault(moment, []).append(tuple(fit))
        lags.setdefault(key, []).extend([] if lag is None else [lag])
    made = [
        dict(zip(("task", "cell", "gap", "options", "variable"), key, strict=True))
        | {"lag": max(lags[key], default=None)}
        | {moment: _moment(found[key].get(moment, [])) for moment in ("before", "after")}
        for key in sorted(found, key=_place)
    ]
    return [row for row in made if row["before"] or row["after"]]  # dL/dh of the LSTM of 1997 is cut off: no line


def _place(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what to sort rows by: task, cell, gap, options, and dL/dh before others."""
    panel, label, gap, options, variable = key
    return panel, natural(label), gap is None, gap or 0, natural(options), variable != "h", variable


def _options(study: Study) -> dict[str, str]:
    """Return for each run in which options it differs from others of its task, cell and gap, besides its seed.

    Where there are more than ``MOST`` settings, all runs are taken together: the words are then those of the figures,
    from the least value to the greatest.
    """
    columns = dict(study.columns(with_named(study) + "from named order by run_id"))
    same = list(zip(columns["panel"], columns["label"], columns["gap"], strict=True))
    options, together = swept(columns, same), pooled(columns, same)
    found: dict[str, str] = {}
    for key in dict.fromkeys(same):
        places = [place for place, other in enumerate(same) if other == key]
        differ = [name for name, column in options.items() if len({spelled(column[place]) for place in places}) > 1]
        settings = [_setting(options, differ, place) for place in places]
        if len(set(settings)) > MOST:
            settings = [str(together[places[0]])] * len(places)
        found |= {columns["run_id"][place]: words for place, words in zip(places, settings, strict=True)}
    return found


def _setting(options: Mapping[str, Sequence[Any]], names: Sequence[str], place: int) -> str:
    """Return some options of a run in words, without those that are not set: ``gain 3, chrono 100``."""
    values = {name.partition(".")[2]: spelled(options[name][place]) for name in names}
    return ", ".join(f"{name} {value}" for name, value in values.items() if value != "none")


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
