"""A hypothesis of a study: a sentence, and the same as a statement that is held against the study's records.

Hypotheses stand under ``hypotheses:`` in the study's file: names, each with a statement. A statement names a group of
runs (or two groups), a number to be estimated from them, and the side on which that number is said to lie. ``lrd
hypotheses runs/demo`` estimates the number from the records, with a confidence interval, and gives a verdict: the
hypothesis holds where the whole interval lies on the stated side, fails where the whole interval lies on the other
side, and is undecided otherwise.

Example 1: two groups of runs, compared by the share that solved their task. It holds where the share among the runs of
``of`` minus the share among those of ``than`` is surely above 0.

    hypotheses:
      lstm_over_rnn:
        says: At gaps of 50 and more the LSTM solves the task more often than the RNN.
        measure: share
        of: cell = 'lstm' and gap >= 50
        than: cell = 'rnn' and gap >= 50
        above: 0

Example 2: one group, and a number from the table of a probe. For each LSTM, the accuracies of reading the items from
the cell state at the answer (``lag = 0``), as measured after training, are averaged to one number. Runs of one task and
seed begin with the same weights, so they make one unit. The median over units is said to lie from 0.6 to 1.

    hypotheses:
      lstm_keeps_items:
        says: After training most items can be read from the LSTM's cell state at the answer.
        measure: median
        table: retention
        rows: variable = 'c' and lag = 0
        at: end
        number: avg(score)
        of: cell = 'lstm'
        per: [task, seed]
        within: [0.6, 1]

Every statement has these keys:

* ``says``: the sentence, in words.
* ``measure``: what is estimated, one of ``MEASURES``.
* ``of``: which runs, an SQL condition over the columns of the table ``runs`` (``lrd.records.schema`` lists them).
* ``above``, ``below``, ``within`` or ``within_factor``, exactly one of them: the stated side. ``above`` and ``below``
  take a number, ``within`` two numbers that both belong to the side. ``within_factor: 2`` means from half of
  ``published`` to twice ``published``.

It may have these:

* ``than``: the runs of a second group, none of which is in the first. The estimate is then first minus second; for
  ``solving_rate`` and ``critical_gap`` it is first over second.
* ``number``: the number of one run, for the measures share, median, mean and trend. It is an SQL expression over the
  columns of ``runs``, such as ``test_loss``; a condition counts as 1 or 0. Default, for share alone: ``solved``.
* ``table``: a table of a probe, or ``metrics``, to take the number from. ``number`` is then an aggregate over the rows
  of one run, such as ``avg(slope)``.
* ``rows``: which rows of that table, an SQL condition. Default: all.
* ``at``: which measurements, ``start`` (before training), ``end`` (after it) or ``all``. Default: ``end``.
* ``against``: for trend, the number of one run that ``number`` is said to grow with, an expression over ``runs``.
* ``per``: for median and mean, columns that make a unit, such as ``[task, seed]``. Runs that agree in them count once,
  with the mean of their numbers.
* ``published``: the number that the paper gives, where the study re-runs a published result; above 0 where
  ``within_factor`` goes with it.
* ``pair``: columns by which runs of both groups are paired, such as ``[seed, cell_gain]``; ``[]``: they are not paired.
  Default: by seed, else by task, convention, gap and seed, if both groups have the same values, each once; else not.

A number that is not known, of a run that failed or goes on, is never left out: the interval covers every value that it
may take, or there is no interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: What can be estimated, and what that is.
MEASURES = {
    "share": "share of runs that solved it, or whose number is not 0",
    "median": "median over runs of a number",
    "mean": "mean over runs of a number",
    "trend": "median over seeds of Kendall's tau between two numbers of the runs of a seed",
    "mean_updates": "mean updates to solve, restricted to the updates that all runs were given",
    "median_updates": "updates after which half of the runs have solved it",
    "solving_rate": "how many times as often as those of the other group the runs still unsolved solve it",
    "critical_gap": "gap at which half of the runs solve it, from a logistic curve",
    "wall": "largest gap that half of the runs or more solve",
}
DIRECTIONS = ("above", "below", "within", "within_factor")
MOMENTS = ("start", "end", "all")


class HypothesisError(ValueError):
    """A hypothesis that states nothing that could be checked; the message is one line, with the way out."""


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis: its name and the keys of its statement, which go together.

    Whether the records have the columns that it names is known when it is checked. Empty texts and tuples are keys
    that the statement does not have; ``pair`` is ``None`` where it is not given and ``()`` where it is ``[]``.
    """

    name: str
    says: str
    measure: str
    of: str
    direction: str  # of DIRECTIONS
    bounds: tuple[float, float]  # of the stated side; -inf or inf where it is open
    than: str = ""
    number: str = ""
    table: str = ""
    rows: str = ""
    at: str = "end"  # of MOMENTS
    against: str = ""
    per: tuple[str, ...] = ()
    pair: tuple[str, ...] | None = None
    published: float | None = None

    @property
    def threshold(self) -> float:
        """Return the number that the estimate is held against; of two, the upper one."""
        low, high = self.bounds
        return high if math.isfinite(high) else low

    @property
    def stated(self) -> str:
        """Return the stated side in words, such as ``above 0.5``."""
        low, high = self.bounds
        if self.direction == "within_factor" and self.published:
            return f"within a factor of {high / self.published:g} of {self.published:.10g}"
        return f"within {low:g} and {high:g}" if self.direction == "within" else f"{self.direction} {self.threshold:g}"
