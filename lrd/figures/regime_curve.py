"""The numbers of one curve of the figure ``regimes``."""

from __future__ import annotations

import numpy as np

from lrd.figures.tables import Array, Table
from lrd.figures.through_training import moments_of
from lrd.stats import REGIMES, Band, band, factor_per_step, median, regimes

#: Horizons in the records, and how many times as long as to 1/e the fall to each takes if the factor per step back is
#: the same at every step.
HORIZONS = {"fallen_e": 1.0, "fallen_milli": np.log(1000)}
#: Columns of gradient_fit that a curve needs.
COLUMNS = ("slope", "slope_error", "samples", "points", "horizon", *HORIZONS)


class RegimeCurve:
    """Slopes, regimes and horizons of the runs of one cell and state variable at one task and gap, through training.

    Attributes:
        updates: [moments] the updates of the curve.
        bands: Bands over runs at each update: of ``factor``, per step back; of the horizons ``fallen_e`` and
            ``fallen_milli`` as measured; and of the same as the slope has them, with ``_of_slope``.
        runs: For each regime [moments] how many runs are of it.
        steps: [moments] the median over runs of how many steps a slope is fitted to.
    """

    def __init__(self, rows: Table) -> None:
        moments = moments_of(rows)
        self.updates = moments.updates
        slope, error, samples, points, horizon, *fallen = (moments.laid_out(rows[name]) for name in COLUMNS)
        with np.errstate(divide="ignore"):  # no points, no slope
            found = regimes(slope, error, samples, points)
        self.runs = {regime: (found == regime).sum(axis=1) for regime in REGIMES}
        self.steps = median(points, axis=1)
        self.bands: dict[str, Band] = {"factor": band(factor_per_step(slope).T)}
        for (name, times), values in zip(HORIZONS.items(), fallen, strict=True):
            self.bands |= {name: band(values.T), f"{name}_of_slope": band(times * horizon.T)}

    @property
    def decided(self) -> Array:
        """Return at each update whether more than half of the runs are of one regime other than "undecided"."""
        most = np.max([self.runs[regime] for regime in REGIMES if regime != "undecided"], axis=0)
        return np.asarray(most * 2 > self.bands["factor"].count)
