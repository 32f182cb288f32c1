"""Gradient flow as a picture: its colours, and what has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from lrd.records import heatmap as heatmap_module
from lrd.records.heatmap import VANISHED, VIRIDIS, heatmap


def test_viridis_is_viridis() -> None:
    colormaps = pytest.importorskip("matplotlib").colormaps
    published = np.rint(colormaps["viridis"](np.linspace(0, 1, 256))[:, :3] * 255)
    pixels, low, high = heatmap([np.linspace(-30.0, 2.0, 256)])
    assert (low, high) == (-30, 2)
    across = pixels[0, :: pixels.shape[1] // 256].astype(float)
    # straight lines between eleven of its colours
    assert np.abs(across - published).max() < 16
    assert np.abs(across - published).mean() < 2


@pytest.mark.parametrize(
    ("rows", "limits", "expected"),
    [
        ([[-1.0, -np.inf, np.nan], [1.0, np.inf]], (-1, 1), [[0, None, None], [-1, -1, None]]),
        ([[-np.inf, -np.inf]], (np.nan, np.nan), [[None, None]]),
        ([[2.0, 2.0]], (2, 2), [[-1, -1]]),
        ([[-1.7e308, 1.7e308]], (-1.7e308, 1.7e308), [[0, -1]]),
        ([[-5000.0, 0.0, 5000.0]], (-5000, 5000), [[0, 5, -1]]),
    ],
)
def test_heatmap_colours(rows: Any, limits: tuple[float, float], expected: list[list[int | None]]) -> None:
    pixels, *found = heatmap([np.array(row) for row in rows])
    np.testing.assert_array_equal(found, limits)
    height, width = len(expected), len(expected[0])
    assert pixels.dtype == np.uint8
    assert pixels.shape[0] >= heatmap_module.SMALLEST_HEIGHT
    assert pixels.shape[1] >= heatmap_module.SMALLEST_WIDTH
    small = pixels[:: pixels.shape[0] // height, :: pixels.shape[1] // width]
    colours: Mapping[int | None, Any] = {None: VANISHED, **{index: VIRIDIS[index] for index in (0, 5, -1)}}
    assert small.tolist() == [[list(colours[place]) for place in row] for row in expected]


def test_many_updates_make_a_tall_picture_and_never_a_shrunk_one() -> None:
    pixels, *_ = heatmap([np.zeros(1000)] * 300)
    assert pixels.shape == (300, 1000, 3)
