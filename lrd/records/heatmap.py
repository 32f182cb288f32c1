"""Pictures of gradient norms for wandb: a row an update (the first on top), a column a time step, colour the norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# matplotlib's viridis (van der Walt and Smith 2015, CC0) at 0, 0.1, ..., 1
VIRIDIS = (
    (68, 1, 84),
    (72, 36, 117),
    (65, 68, 135),
    (53, 95, 141),
    (42, 120, 142),
    (33, 145, 140),
    (34, 168, 132),
    (68, 191, 112),
    (122, 209, 81),
    (189, 223, 38),
    (253, 231, 37),
)
VANISHED = (200, 200, 200)  # a grey, which viridis never comes near
SMALLEST_HEIGHT, SMALLEST_WIDTH = 200, 400  # pixels


def heatmap(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, float, float]:
    """Draw log10 norms as pixels in viridis.

    -inf (a norm of exactly zero), nan and the steps that a shorter row lacks are grey; +inf is as bright as the largest
    finite value.

    Args:
        rows: log10 norms over time, one array an update.

    Returns:
        Colours ``[height, width, 3]`` (uint8), and the log10 norms of the darkest and of the brightest colour, which
        are nan where no value is finite.
    """
    import numpy as np

    norms = np.full((len(rows), max(map(len, rows))), -np.inf)
    for row, values in zip(norms, rows, strict=True):
        row[: len(values)] = values
    # The range of the colours.
    finite = norms[np.isfinite(norms)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
    seen = ~(np.isnan(norms) | np.isneginf(norms))
    position = np.ones_like(norms)
    if high > low:
        # halves first: the difference of two huge exponents must not overflow
        inside = np.clip(norms[seen], low, high)
        position[seen] = (inside / 2 - low / 2) / (high / 2 - low / 2)
    anchors = np.array(VIRIDIS, dtype=np.float64)
    places = np.linspace(0, 1, len(anchors))
    colours = np.stack([np.interp(position, places, anchors[:, channel]) for channel in range(3)], axis=-1)
    colours[~seen] = VANISHED
    pixels = np.rint(colours).astype(np.uint8)
    tall, wide = -(-SMALLEST_HEIGHT // pixels.shape[0]), -(-SMALLEST_WIDTH // max(1, pixels.shape[1]))
    return pixels.repeat(tall, axis=0).repeat(wide, axis=1), low, high
