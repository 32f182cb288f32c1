from __future__ import annotations

import itertools
from collections import defaultdict
from fractions import Fraction

import pytest
import torch
from reber_strings import embedded, legal_along, nodes_along, split, strings

from lrd.tasks.reber_grammar import SYMBOLS, Grammar, grammar, memoryless

CPU = torch.device("cpu")


def states_along(rules: Grammar, string: str) -> list[int]:
    state, states = 0, [0]
    for symbol in string[1:]:
        state = int(rules.reached[state, SYMBOLS.index(symbol)])
        states.append(state)
    return states


def test_strings_of_the_literature_are_in_the_tests_grammar() -> None:
    for string in ("BTXSE", "BPVVE", "BTSSXXTVVE", "BPTVPXVVE", "BPVPSE"):
        assert len(nodes_along(string)) == len(string)
    for wrong in ("BTXE", "BTTE", "BPSE", "BTXS", "TXSE"):
        with pytest.raises(KeyError):
            nodes_along(wrong)
    assert dict(strings(6)) == {
        "BTXSE": Fraction(1, 8),
        "BPVVE": Fraction(1, 8),
        "BTSXSE": Fraction(1, 16),
        "BPTVVE": Fraction(1, 16),
        "BPVPSE": Fraction(1, 16),
    }


@pytest.mark.parametrize("repeats", [1, 2])
def test_the_automaton_walks_every_short_string_and_knows_what_is_legal(repeats: int) -> None:
    rules = grammar(repeats, 30, CPU)
    for string, _ in embedded(repeats, 12 + 4 * repeats):
        states = states_along(rules, string)
        assert "".join(SYMBOLS[int(rules.one_hot[state].argmax())] for state in states) == string
        legal = ["TP", "B"]
        for part in split(string[2:-2]):
            legal += [*legal_along(part), "B"]
        legal = [*legal[:-1], string[1], "E"]
        for state, expected in zip(states, legal, strict=False):
            assert {SYMBOLS[k] for k in rules.legal[state].nonzero()[:, 0].tolist()} == set(expected)
        assert states[-1] == len(rules.one_hot) - 2
        assert not rules.legal[states[-1]].any()
        assert not rules.one_hot[int(rules.following[states[-1], 0])].any()


@pytest.mark.parametrize(("repeats", "most"), [(1, 9), (1, 13), (2, 14), (2, 18)])
def test_choices_give_every_string_its_probability(repeats: int, most: int) -> None:
    """That of the grammar, given that the string is not longer; ``first`` is rounded to 2**-31."""
    rules = grammar(repeats, most - 1, CPU)
    known = list(embedded(repeats, most))
    total = sum(probability for _, probability in known)
    for string, probability in known:
        states, chosen = states_along(rules, string), 1.0
        for t, (state, to) in enumerate(itertools.pairwise(states)):
            one, other = rules.following[state].tolist()
            if one != other:
                first = int(rules.first[most - 1 - t, state]) / 2**31
                chosen *= first if to == one else 1 - first
        assert chosen == pytest.approx(float(probability / total), rel=1e-6)


@pytest.mark.parametrize(("repeats", "most"), [(1, 9), (1, 16), (2, 14), (2, 20)])
def test_memoryless_levels_by_listing_all_strings(repeats: int, most: int) -> None:
    pairs: dict[str, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    known = list(embedded(repeats, most))
    total, choices = sum(probability for _, probability in known), Fraction(0)
    for string, probability in known:
        share = probability / total / (len(string) - 1)
        for present, following in itertools.pairwise(string):
            pairs[present][following] += share
        legal = ["TP", *(legal for part in split(string[2:-2]) for legal in legal_along(part))]
        choices += share * sum(len(symbols) == 2 for symbols in legal)
    loss = sum(
        share * (1 - 2 * share / sum(row.values()) + sum((other / sum(row.values())) ** 2 for other in row.values()))
        for row in pairs.values()
        for share in row.values()
    )
    # Sums of some thousand numbers in float64, by transforms.
    assert memoryless(repeats, most - 1) == pytest.approx((float(loss / 7), float(choices / 2 / 7)), rel=1e-11)
