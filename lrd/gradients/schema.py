"""The columns of the three tables of gradient norms with their SQL types, all but ``update``, which the record adds."""

from __future__ import annotations

#: The quantiles over samples of log10 norms, by column.
QUANTILES = {"log10_q05": 0.05, "log10_q25": 0.25, "log10_q50": 0.5, "log10_q75": 0.75, "log10_q95": 0.95}
#: Statistics over samples (``lrd.gradients.summary.over_samples``).
OVER_SAMPLES = dict.fromkeys(("log10_mean", "log10_gmean", *QUANTILES, "zero_share"), "DOUBLE")

#: Of which part of a network a row is (``lrd.cells.Part``); in front of the columns of each table of this module.
PART_COLUMNS = {"layer": "BIGINT", "direction": "VARCHAR"}
#: A row a (variable, part, answer, step): the gradient flow of an answer (``lrd.gradients.flow``).
GRADIENT_FLOW = {
    "variable": "VARCHAR",
    "part": "VARCHAR",
    "answer": "VARCHAR",
    "t": "BIGINT",
    "lag": "BIGINT",
    **OVER_SAMPLES,
}
#: A row a variable: the line fitted to its gradient flow (``lrd.gradients.summary.Fit``).
GRADIENT_FIT = {
    "variable": "VARCHAR",
    "slope": "DOUBLE",
    "horizon": "DOUBLE",
    "points": "BIGINT",
    "slope_error": "DOUBLE",
    "samples": "BIGINT",
    "fallen_e": "DOUBLE",
    "fallen_milli": "DOUBLE",
}
#: A row a (variable, step): the training gradient norms of some updates (``lrd.gradients.norm_sums``).
GRADIENT_NORMS = {
    "variable": "VARCHAR",
    "t": "BIGINT",
    "updates": "BIGINT",
    **dict.fromkeys(("log10_mean", "log10_gmean", "log10_std", "log10_min", "log10_max", "zero_share"), "DOUBLE"),
}
