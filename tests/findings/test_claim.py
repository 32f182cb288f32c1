"""A claim is read whole, or refused in one line that names it and the way out."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from made_runs import claim

from lrd.findings import ClaimError, claims_from

GOOD = {"says": "It is so.", "measure": "share", "of": "cell = 'rnn'", "above": 0.5}


def test_a_claim_is_read_as_it_stands() -> None:
    made = claim(than="cell =\n 'lstm'", pair=["seed", "gap"], number="test_loss < 1", above="1e-3")
    assert (made.name, made.says, made.than, made.pair) == ("it", "It is so.", "cell = 'lstm'", ("seed", "gap"))
    assert (made.bounds, made.threshold, made.claimed) == ((1e-3, inf), 1e-3, "above 0.001")
    assert claim(below=2).bounds == (-inf, 2)
    assert claim(within=[-1, 2]).threshold == 2
    assert claim(of=True).of == "true"
    assert [each.name for each in claims_from({"b": GOOD, "a": GOOD})] == ["b", "a"]
    assert claims_from(None) == claims_from({}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"abov": 1}, "no key 'abov'; did you mean 'above'?"),
        ({"says": None}, "says is missing"),
        ({"says": " "}, "says: must be a text"),
        ({"of": None}, "of is missing"),
        ({"of": ["cell"]}, "of: must be a text, got ['cell']"),
        ({"measure": "medain"}, "did you mean 'median'?"),
        ({"above": None}, "needs one of above, below, within, for example above: 0; it has none"),
        ({"below": 1}, "it has above and below"),
        ({"above": "much"}, "above: must be a finite number, got 'much'"),
        ({"above": True}, "must be a finite number"),
        ({"above": inf}, "must be a finite number"),
        ({"above": None, "within": 3}, "within: must be two numbers, for example [-0.1, 0.1], got 3"),
        ({"above": None, "within": [2, 1]}, "the first number must be the smaller one"),
        ({"measure": "median"}, "number is missing: median of what, for example number: test_loss"),
        ({"table": "gates"}, "number is missing: what of the rows"),
        ({"rows": "lag = 0"}, "rows: chooses among the rows of a table; say which"),
        ({"number": "avg(slope)", "table": "gradient_fit", "at": "begin"}, "at: must be one of start, end, all"),
        ({"measure": "wall", "number": "test_loss"}, "number: wall is no number of each run"),
        ({"measure": "wall", "than": "true"}, "than: wall is of one group"),
        ({"measure": "solving_rate"}, "than is missing: solving_rate"),
        ({"measure": "trend", "number": "test_loss"}, "against is missing"),
        ({"against": "gap"}, "against: is for measure: trend"),
        ({"pair": ["seed"]}, "pair: goes with a second group"),
        ({"than": "true", "pair": "seed"}, "pair: must be a list of columns of runs"),
        ({"than": "true", "pair": ["a b"]}, "pair: must be a list of columns of runs"),
        ({"per": ["seed"]}, "per: there is a mean of the numbers of several runs for measure: median and mean alone"),
    ],
)
def test_a_mistake_is_one_line_with_the_way_out(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ClaimError) as caught:
        claims_from({"it": GOOD | change}, "demo.yaml: claims")
    assert str(caught.value).startswith("demo.yaml: claims.it: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tree", ["all is well", ["all"], 3])
def test_claims_are_a_mapping(tree: Any) -> None:
    with pytest.raises(ClaimError, match="must map the name of each claim to its statement"):
        claims_from(tree)
    with pytest.raises(ClaimError, match="must hold says, measure, of"):
        claims_from({"it": tree})


def test_every_wrong_claim_is_named() -> None:
    with pytest.raises(ClaimError) as caught:
        claims_from({"one": GOOD, "two": {**GOOD, "of": None}, "three": 3})
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["claims.two", "claims.three"]
