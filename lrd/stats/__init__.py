"""Records to numbers: shares solved, times to solve, spreads over seeds, slopes of gradient flow, with intervals.

Numpy and scipy only, arrays in and small frozen dataclasses out. One policy in every module:

* NaN (or None) is "not known": left out, and counted beside the result.
* -inf is a number (the log10 of a gradient that is exactly 0) and takes part in quantiles. So is inf (a loss that
  diverged, a horizon never reached, the time of a run that never solved its task). Fits of a line leave both out.
* Too few values for an interval give NaN bounds, never bounds of width zero.
* Nothing picks the best of several seeds. A run that failed or never ended stays in the denominator; among times to
  solve it is censored (``lrd.stats.censoring``).
"""

from lrd.gradients.rates import factor_per_step, horizon
from lrd.stats.censoring import Times, times_to_solve
from lrd.stats.critical_gap import CriticalGap, critical_gap
from lrd.stats.independent_shares import ShareDifference, share_difference
from lrd.stats.logrank import LogRank, logrank
from lrd.stats.means import Mean, mean_interval, student, welch
from lrd.stats.multiple import holm
from lrd.stats.paired import Paired, paired, worst_of
from lrd.stats.paired_shares import PairedShares, paired_shares
from lrd.stats.proportions import Share, SolveShare, share, solve_share
from lrd.stats.rates import RateRatio, rate_ratio
from lrd.stats.regimes import REGIMES, regimes, slope_interval
from lrd.stats.robust import RobustSlope, robust_slope
from lrd.stats.shifts import Shift, differences, shift
from lrd.stats.spread import Band, Interval, band, median, median_interval, quantile
from lrd.stats.survival import MedianTime, RestrictedMean, Survival, kaplan_meier, median_time, restricted_mean
from lrd.stats.trends import tau
from lrd.stats.walls import Wall, wall

__all__ = [
    "REGIMES",
    "Band",
    "CriticalGap",
    "Interval",
    "LogRank",
    "Mean",
    "MedianTime",
    "Paired",
    "PairedShares",
    "RateRatio",
    "RestrictedMean",
    "RobustSlope",
    "Share",
    "ShareDifference",
    "Shift",
    "SolveShare",
    "Survival",
    "Times",
    "Wall",
    "band",
    "critical_gap",
    "differences",
    "factor_per_step",
    "holm",
    "horizon",
    "kaplan_meier",
    "logrank",
    "mean_interval",
    "median",
    "median_interval",
    "median_time",
    "paired",
    "paired_shares",
    "quantile",
    "rate_ratio",
    "regimes",
    "restricted_mean",
    "robust_slope",
    "share",
    "share_difference",
    "shift",
    "slope_interval",
    "solve_share",
    "student",
    "tau",
    "times_to_solve",
    "wall",
    "welch",
    "worst_of",
]
