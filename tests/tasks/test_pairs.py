from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.tasks.pairs import closing_distances

BY_HAND = [
    ("f(x)", {3: 2}),
    ("()", {1: 1}),
    ("a (b [c] {d}) e", {7: 2, 11: 2, 12: 10}),
    ("a) b] c}", {}),  # nothing was opened
    ("(a] b)", {5: 5}),  # a lone ] closes nothing and leaves ( open
    ("in [0, 1) and (a, b)", {19: 5}),  # a half-open interval
    ("see (in [0, 1) there)", {13: 9}),
    ('say "no" and "yes"', {7: 3, 17: 4}),
    ("say 'no', don't", {7: 3}),
    ("it's the cells' way", {}),
    ('an "(" opens, a ")" closes', {5: 2, 18: 2}),  # what stands in quotes by itself has no partner
    ('d["k"] = "v"', {4: 2, 5: 4, 11: 2}),
    ('f("", 1)', {3: 1, 7: 6}),
    ("“He said ‘go’, didn’t he?”", {12: 3, 25: 25}),
    ("(a\nb)", {4: 4}),
    ("(a\n\nb)", {}),  # across a blank line nothing is paired
    ("(a\n  \nb)", {}),
    ('"', {}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "expected"), BY_HAND)
def test_by_hand(text: str, expected: dict[int, int]) -> None:
    distances = closing_distances(text)
    assert distances.shape == (len(text),)
    assert {place: int(d) for place, d in enumerate(distances) if d} == expected


nested = st.recursive(
    st.text("ab c", max_size=3),
    lambda inner: st.tuples(st.sampled_from(["()", "[]", "{}"]), inner, inner).map(
        lambda parts: parts[0][0] + parts[1] + parts[0][1] + parts[2]
    ),
)


@given(nested)
def test_well_nested_brackets_are_paired_as_by_a_parser(text: str) -> None:
    """Of well nested brackets the text between a pair has as many closing as opening ones, and at no place more."""
    distances = closing_distances(text)
    assert sum(d > 0 for d in distances) == sum(sign in ")]}" for sign in text)
    for place, distance in enumerate(distances):
        if distance:
            assert text[place - distance] + text[place] in ("()", "[]", "{}")
            between = text[place - distance + 1 : place]
            depths = [sum((s in "([{") - (s in ")]}") for s in between[:k]) for k in range(len(between) + 1)]
            assert min(depths) >= 0
            assert depths[-1] == 0


@given(st.text("()[]{}\"'“”‘’ a\n", max_size=40))
def test_whatever_the_text_pairs_fit_and_share_no_sign(text: str) -> None:
    partners = {"(": ")", "[": "]", "{": "}", "“": "”", "‘": "’", '"': '"', "'": "'"}
    ends = []
    for place, distance in enumerate(closing_distances(text)):
        if distance:
            assert partners[text[place - distance]] == text[place]
            assert "\n\n" not in text[place - distance : place]
            ends += [place - distance, place]
    assert len(ends) == len(set(ends))
