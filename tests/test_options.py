"""Options state their bounds, and say in one line what is wrong with a value."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.options import OptionError, check_options, nearest, option, wrong_options


@dataclass(frozen=True)
class Oven:
    heat: float = option(200.0, "degrees", gt=0, le=300)
    trays: int = option(1, "how many", ge=1, lt=4)
    mode: str = option("fan", "how", choices=("fan", "grill"))
    offset: float | None = option(None, "of the thermometer", per_run=True, identity=False)

    def __post_init__(self) -> None:
        check_options(self)


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"heat": 0.0}, "heat", "must be > 0 and <= 300, got 0.0"),
        ({"heat": 300.5}, "heat", "must be > 0 and <= 300, got 300.5"),
        ({"heat": math.nan}, "heat", "must be a number > 0 and <= 300, got nan"),
        ({"heat": -math.inf}, "heat", "must be a finite number > 0 and <= 300, got -inf"),
        ({"trays": 0}, "trays", "must be >= 1 and < 4, got 0"),
        ({"trays": 4}, "trays", "must be >= 1 and < 4, got 4"),
        ({"mode": "gril"}, "mode", "must be one of fan, grill, got 'gril'; did you mean 'grill'?"),
        ({"offset": math.nan}, "offset", "must be a number, got nan"),
        ({"offset": math.inf}, "offset", "must be a finite number, got inf"),
    ],
)
def test_what_is_wrong_and_what_is_allowed(options: dict[str, object], key: str, message: str) -> None:
    with pytest.raises(OptionError) as error:
        Oven(**options)
    assert (error.value.key, error.value.message) == (key, message)


@given(
    st.floats(0, 300, exclude_min=True),
    st.integers(1, 3),
    st.sampled_from(["fan", "grill"]),
    st.none() | st.floats(-9, 9),
)
def test_all_that_keeps_the_bounds_passes(heat: float, trays: int, mode: str, offset: float | None) -> None:
    assert Oven(heat, trays, mode, offset).heat == heat


def test_all_wrong_options_are_found() -> None:
    found = wrong_options(Oven, {"heat": -1.0, "trays": 9, "mode": "fan", "unknown": 3})
    assert [error.key for error in found] == ["heat", "trays"]


def test_nearest_name() -> None:
    assert nearest("hiden_sise", ["hidden_size", "gain"]) == "; did you mean 'hidden_size'?"
    assert nearest("zzz", ["hidden_size", "gain"]) == ""


def test_marks() -> None:
    fields = Oven.__dataclass_fields__
    assert [fields[name].metadata["per_run"] for name in fields] == [False, False, False, True]
    assert [fields[name].metadata["identity"] for name in fields] == [True, True, True, False]
    assert fields["heat"].metadata["help"] == "degrees"
