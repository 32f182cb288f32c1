"""Records to numbers: shares solved, spreads over seeds, slopes of gradient flow, each with its interval.

Numpy and scipy only, arrays in and small frozen dataclasses out. One policy for what is missing, in every module:

* NaN (or None) is "not measured": left out, and counted beside the result.
* -inf is a measurement (the log10 of a gradient that is exactly 0): it takes part in quantiles. +inf likewise (a
  loss that diverged, a horizon never reached).
* Too few values for an interval give NaN bounds, never bounds of width zero.
* Nothing picks the best of several seeds, and a run that failed or never ended stays in the denominator.
"""

from lrd.stats.fits import factor_per_step, horizon
from lrd.stats.proportions import Share, SolveShare, share, solve_share
from lrd.stats.regimes import REGIMES, regimes, slope_interval
from lrd.stats.spread import Band, Interval, band, median, median_bootstrap, median_interval, quantile
from lrd.stats.walls import Wall, wall

__all__ = [
    "REGIMES",
    "Band",
    "Interval",
    "Share",
    "SolveShare",
    "Wall",
    "band",
    "factor_per_step",
    "horizon",
    "median",
    "median_bootstrap",
    "median_interval",
    "quantile",
    "regimes",
    "share",
    "slope_interval",
    "solve_share",
    "wall",
]
