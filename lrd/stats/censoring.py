"""Runs as censored data: after how many updates each solved its task, or how long it was watched in vain.

Who is censored where decides what a survival curve means, so it stands in one place:

* solved: an event at the first evaluation that met the criterion. It lies up to one ``eval_every`` after the fact.
* unsolved: censored at the updates it did, which are all it was given.
* diverged: **never** solves, so it is no run of which the rest is merely unknown. Censored where it diverged, it would
  count as one that might yet have solved like the others, and a cell that diverges often would look better for it. It
  is a competing event: such a run stays at risk up to the updates it would have been given (Fine & Gray 1999, JASA 94,
  sec. 3, "censoring complete" data), so that 1 - S(t) is the share of all runs that solve it by update t.
* failed, interrupted, running: censored at the updates done. What ended them is taken to say nothing of how soon they
  would have solved it: a full disk does not, a run out of memory at long gaps may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrd.stats.proportions import OUTCOMES, UNFINISHED


@dataclass(frozen=True)
class Times:
    """``updates`` [runs] until a run was ``solved`` [runs] or, where it was not, until it was censored."""

    updates: NDArray[np.float64]
    solved: NDArray[np.bool_]


def times_to_solve(
    states: Sequence[str],
    outcomes: Sequence[str | None],
    updates: ArrayLike,
    solved_at: ArrayLike,
    horizons: ArrayLike,
) -> Times:
    """Times from the columns ``state``, ``outcome``, ``update``, ``solved_at`` and ``max_updates`` of the records.

    NaN is "not there". A run without ``updates`` never began and is censored at 0: it counts among all runs and is
    never at risk. One that was solved nobody wrote when counts as solved at its last update; a diverged one without
    horizon is censored there. As for shares, only a finished run can be solved, and one that diverged after it had met
    the criterion has diverged.

    Raises:
        ValueError: the columns differ in length, a finished run has no known outcome, or a state is unknown.
    """
    done, event, horizon = (np.array(values, dtype=np.float64) for values in (updates, solved_at, horizons))
    if len({len(states), len(outcomes), done.size, event.size, horizon.size}) != 1:
        raise ValueError("one state, outcome, update, solved_at and horizon a run")
    for state, outcome in zip(states, outcomes, strict=True):
        known = outcome in OUTCOMES if state == "finished" else state in (*UNFINISHED, "failed")
        if not known:
            raise ValueError(f"a run of state {state!r} and outcome {outcome!r} cannot be counted")
    finished = np.array([state == "finished" for state in states], dtype=bool)
    solved, diverged = (finished & np.array([o == name for o in outcomes], bool) for name in ("solved", "diverged"))
    done = np.nan_to_num(done)
    times = np.where(solved & ~np.isnan(event), event, done)
    return Times(np.where(diverged, np.fmax(horizon, done), times), solved)
