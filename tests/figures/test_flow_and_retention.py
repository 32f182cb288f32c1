"""What one cell at one task and gap is said to do, at the borders between the words."""

from __future__ import annotations

from math import e

import numpy as np

from lrd.figures.flow_and_retention import FlowAndRetention
from lrd.figures.start_and_end import Profile
from lrd.stats import band


def column(slope: float, scores: dict[str, float], chance: float = 0.1) -> FlowAndRetention:
    """One cell whose answer stands at step 20."""
    steps = np.array([0, 20])

    def flat(value: float) -> Profile:
        return steps, band(np.full((3, 2), value))

    keys = [(variable, "end") for variable in scores]
    return FlowAndRetention(
        ("copy", 20),
        "cell",
        20,
        {key: flat(0.0) for key in keys},
        {("h", "end"): 9.0} | {(min(scores), "end"): slope},  # of the memory: c where there is one
        {key: flat(scores[key[0]]) for key in keys},
        {key: flat(chance) for key in keys},
    )


def test_what_one_sees_has_the_right_name() -> None:
    border = np.log10(e) / 20  # 1/e is left over the gap
    regimes = {
        1.01 * border: "vanishes",
        0.99 * border: "arrives",
        -0.99 * border: "arrives",
        -1.01 * border: "explodes",
    }
    for slope, regime in regimes.items():
        assert column(slope, {"h": 0.5}).regime == regime
        assert column(slope, {"h": 0.5, "c": 0.5}).regime == regime
    assert column(float("nan"), {"h": 0.5}).regime == "has no slope"
    fates = {0.1: "lost", 0.18: "lost", 0.2: "fading", 0.9: "fading", 0.92: "retained", 1.0: "retained"}
    for value, fate in fates.items():  # chance is 0.1: 0.19 and 0.91 are the borders
        assert column(0.0, {"h": value}).fate == fate
        assert column(0.0, {"h": 0.1, "c": value}).fate == fate  # the variable that holds most counts
        assert column(0.0, {"h": value, "c": 0.1}).fate == fate
    assert column(0.0, {"h": float("nan")}).fate == "not readable"


def test_c_is_the_memory_where_a_cell_has_it() -> None:
    for variables, memory in ((("h", "c"), "c"), (("a", "c"), "c"), (("h", "b"), "b"), (("h",), "h")):
        assert column(0.0, dict.fromkeys(variables, 0.5)).memory == memory
