"""Runs as censored data: after how many updates each solved its task, or up to which update it had not.

Which run is censored where decides what a survival curve means, so it stands in one place:

* solved: an event at the first evaluation that met the criterion, which lies up to one ``eval_every`` after the fact.
* unsolved: censored at the updates that it did, which are all it was given.
* diverged: it will **never** solve its task. Censored where it diverged, it would count as a run that might yet have
  solved it like the others, and a cell that diverges often would seem better for it. It is a competing event: such a
  run stays at risk up to the updates that it would have been given (Fine & Gray 1999, Journal of the American
  Statistical Association 94, sec. 3, "censoring complete" data), so that 1 - S(t) is the share of all runs that solve
  their task by update t.
* failed, interrupted, running: censored at the updates done. What ended them is taken to say nothing of how soon they
  would have solved it: a full disk does not; running out of memory at long gaps may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrd.stats.proportions import OUTCOMES, UNFINISHED


@dataclass(frozen=True)
class Times:
    """The ``updates`` [runs] until a run was ``solved`` [runs], or until it was censored where it was not."""

    updates: NDArray[np.float64]
    solved: NDArray[np.bool_]


def times_to_solve(
    states: Sequence[str],
    outcomes: Sequence[str | None],
    updates: ArrayLike,
    solved_at: ArrayLike,
    horizons: ArrayLike,
) -> Times:
    """Return runs as censored data, from the columns of their records.

    As for shares, only a finished run can be solved, and one that diverged after it had met the criterion has diverged.

    Args:
        states: the column ``state`` [runs].
        outcomes: the column ``outcome`` [runs].
        updates: the column ``update`` [runs]. NaN is a run that never began: it is censored at 0, so that it counts
            among all runs and is never at risk.
        solved_at: the column ``solved_at`` [runs]. A solved run with NaN counts as solved at its last update.
        horizons: the column ``max_updates`` [runs]. A diverged run with NaN is censored at its last update.

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
