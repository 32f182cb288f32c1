"""A hypothesis is read whole, or refused in one line that names it and the way out."""

from __future__ import annotations

import re
from math import inf
from typing import Any

import pytest
import yaml
from made_runs import hypothesis

from lrd.findings import HypothesisError, hypotheses_from
from lrd.findings import hypothesis as grammar

GOOD = {"says": "It is so.", "measure": "share", "of": "cell = 'rnn'", "above": 0.5}


def test_a_hypothesis_is_read_as_it_stands() -> None:
    made = hypothesis(than="cell =\n 'lstm'", pair=["seed", "gap"], number="test_loss < 1", above="1e-3")
    assert (made.name, made.says, made.than, made.pair) == ("it", "It is so.", "cell = 'lstm'", ("seed", "gap"))
    assert (made.bounds, made.threshold, made.stated) == ((1e-3, inf), 1e-3, "above 0.001")
    assert hypothesis(below=2).bounds == (-inf, 2)
    assert hypothesis(within=[-1, 2]).threshold == 2
    near = hypothesis(published=31390, within_factor=2)
    assert (near.bounds, near.threshold, near.published) == ((15695, 62780), 62780, 31390)
    assert near.stated == "within a factor of 2 of 31390"
    assert hypothesis(published=0.9).bounds == (0.5, inf)
    assert hypothesis(of=True).of == "true"
    assert [each.name for each in hypotheses_from({"b": GOOD, "a": GOOD})] == ["b", "a"]
    assert hypotheses_from(None) == hypotheses_from({}) == []


def test_the_examples_of_the_grammar_are_hypotheses() -> None:
    blocks = re.findall(r"\n\n((?:    .*\n)+)", grammar.__doc__ or "")
    one, other = (hypotheses_from(yaml.safe_load(block)["hypotheses"])[0] for block in blocks)
    assert (one.name, one.measure, one.stated) == ("lstm_over_rnn", "share", "above 0")
    assert (other.table, other.at, other.per, other.bounds) == ("retention", "end", ("task", "seed"), (0.6, 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"abov": 1}, "no key 'abov'; did you mean 'above'?"),
        ({"says": None}, "says is missing"),
        ({"says": " "}, "says: must be a text"),
        ({"of": None}, "of is missing"),
        ({"of": ["cell"]}, "of: must be a text, got ['cell']"),
        ({"measure": "medain"}, "did you mean 'median'?"),
        ({"above": None}, "needs one of above, below, within, within_factor, for example above: 0; it has none"),
        ({"below": 1}, "it has above and below"),
        ({"above": "much"}, "above: must be a finite number, got 'much'"),
        ({"above": True}, "must be a finite number"),
        ({"above": inf}, "must be a finite number"),
        ({"above": None, "within": 3}, "within: must be two numbers, for example [-0.1, 0.1], got 3"),
        ({"above": None, "within_factor": 2}, "within_factor: a number above 1, beside the number above 0"),
        ({"above": None, "within_factor": 2, "published": 0}, "within_factor: a number above 1"),
        ({"above": None, "within_factor": 1, "published": 3}, "within_factor: a number above 1"),
        ({"published": None}, "published: has no number; give the paper's, or leave the key out"),
        ({"published": "many"}, "published: must be a finite number, got 'many'"),
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
    with pytest.raises(HypothesisError) as caught:
        hypotheses_from({"it": GOOD | change}, "demo.yaml: hypotheses")
    assert str(caught.value).startswith("demo.yaml: hypotheses.it: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tree", ["all is well", ["all"], 3])
def test_hypotheses_are_a_mapping(tree: Any) -> None:
    with pytest.raises(HypothesisError, match="must map the name of each hypothesis to its statement"):
        hypotheses_from(tree)
    with pytest.raises(HypothesisError, match="must hold says, measure, of"):
        hypotheses_from({"it": tree})


def test_every_wrong_hypothesis_is_named() -> None:
    with pytest.raises(HypothesisError) as caught:
        hypotheses_from({"one": GOOD, "two": {**GOOD, "of": None}, "three": 3})
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["hypotheses.two", "hypotheses.three"]
