"""Labels in natural order, and those that belong together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.figures import in_order
from lrd.figures.labels import family


def test_numbers_count_as_numbers() -> None:
    expected = ["bias -10", "bias -2", "bias −1", "bias 0", "bias 0.5", "bias 2", "bias 10", "chrono"]
    assert in_order(expected[::-1] + expected) == expected
    assert in_order(["lr 0.01", "lr 1e-3", "lr 2e-4"]) == ["lr 2e-4", "lr 1e-3", "lr 0.01"]


def test_a_hyphen_is_no_minus() -> None:
    assert in_order(["rnn-2", "rnn-10", "rnn-1"]) == ["rnn-1", "rnn-2", "rnn-10"]


@given(st.lists(st.integers(-1000, 1000), unique=True))
def test_order_is_that_of_the_numbers(numbers: list[int]) -> None:
    found = in_order(f"x {number} y" for number in numbers)
    assert found == [f"x {number} y" for number in sorted(numbers)]


@given(st.lists(st.text(alphabet="ab1-. e", max_size=8)))
def test_any_label_has_its_place(names: list[str]) -> None:
    found = in_order(names)
    assert set(found) == set(names)
    assert in_order(found[::-1]) == found


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["bias 2", "bias -1", "chrono", "bias 0"], ["bias -1", "bias 0", "bias 2"]),
        (["rnn", "lstm", "rnn g=2", "rnn g=3"], []),  # two are no sequence
        (["a 1", "a 2", "b 1", "b 2", "b 3"], ["b 1", "b 2", "b 3"]),
        (["2 layers, 8 units", "2 layers, 16 units", "2 layers, 4 units", "1 layers, 8 units"],)
        + (["2 layers, 4 units", "2 layers, 8 units", "2 layers, 16 units"],),
        ([], []),
    ],
)
def test_families_differ_by_one_number(names: list[str], expected: list[str]) -> None:
    assert family(names) == expected
