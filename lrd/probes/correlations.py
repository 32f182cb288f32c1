"""Correlations of units with a feature along windows, and what the best of many units reaches by chance."""

from __future__ import annotations

import numpy as np

_CONSTANT = 1e-9  # standard deviation of a unit, over its size, below which it is rounding


def correlations(values: np.ndarray, levels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the correlation of each unit with a feature, over all steps of all windows together.

    Row 0 is that; row r gives window w the feature of window w + r, the first ones following the last.

    Args:
        values: of the units, [steps, windows, units].
        levels: of the feature, [steps, windows].
        known: at which of the steps there is a level.

    Returns:
        [windows, units]; nan where a unit or the feature is constant.
    """
    steps, windows, units = values.shape
    weights = known.astype(np.float64)
    total = weights.sum()
    if total == 0:
        return np.full((windows, units), np.nan)
    # Centred, so that no variance is a small difference of large sums; of the feature exactly, for every shift.
    centred = values - values.mean((0, 1))
    feature = np.where(known, levels, 0.0)
    feature = (feature - feature.sum() / total) * weights
    spread = np.square(feature).sum() / total

    def shifted(of_window: np.ndarray, of_units: np.ndarray) -> np.ndarray:
        """Return the mean over steps of the product, summed over the windows, for every shift."""
        sums = (of_window.T @ of_units.reshape(steps, -1)).reshape(windows, windows, units) / total
        at = np.arange(windows)
        return np.stack([sums[(at + shift) % windows, at].sum(0) for shift in range(windows)])

    together, mean = shifted(feature, centred), shifted(weights, centred)
    variance = shifted(weights, np.square(centred)) - np.square(mean)
    varies = (variance > _CONSTANT**2 * np.square(values).mean((0, 1))) & (spread > 0)
    found: np.ndarray = np.full_like(mean, np.nan)
    np.divide(together, np.sqrt(variance * spread, where=varies, out=found.copy()), where=varies, out=found)
    return found


def ranks(found: np.ndarray) -> np.ndarray:
    """Return the place of each unit by the size of its correlation, 1 the largest; nan comes last."""
    order = np.argsort(-np.nan_to_num(np.abs(found), nan=-1.0), kind="stable")
    places = np.empty(len(found), dtype=np.int64)
    places[order] = np.arange(1, len(found) + 1)
    return places


def chance_of(selecting: np.ndarray, scoring: np.ndarray) -> float:
    """Return what the best unit scores by chance: where each window is given the feature of another one.

    Args:
        selecting: [shifts, units] correlations that the unit is picked by, for each shift (``correlations``).
        scoring: the same of other windows, which score it; as many shifts are taken as both have.

    Returns:
        The 95 % quantile over shifts, by nearest rank; a score has the sign that it had where the unit was picked.
    """
    rows = np.arange(1, min(len(selecting), len(scoring)))
    picked = np.nan_to_num(np.abs(selecting[rows]), nan=-1.0).argmax(1)
    scores = np.sort(np.sign(selecting[rows, picked]) * scoring[rows, picked])  # nan last
    return float(scores[int(np.ceil(0.95 * len(scores))) - 1])
