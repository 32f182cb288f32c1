"""The line that is advised for a value means that value, whatever it holds."""

from __future__ import annotations

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from lrd.sweeps.quoting import in_quotes, unreadable, with_quotes

PARSER = OverridesParser.create()
PRINTABLE = st.text(
    st.one_of(
        st.characters(categories=["L", "N", "P", "S", "Zs"]).filter(str.isprintable),
        st.sampled_from("\\\"'${}[]()~ ,=%&"),
    )
).filter(lambda text: text != "???")  # which means a missing value to OmegaConf, quoted or not


def values(word: str) -> list[object]:
    """What a shell and then Hydra make of a word."""
    (argument,) = shlex.split(word)
    override = PARSER.parse_override(argument)
    swept = list(override.sweep_iterator()) if override.is_sweep_override() else [override.value()]
    texts = [getattr(value, "text", value) for value in swept]
    return [OmegaConf.create({"value": text})["value"] for text in texts]


@given(PRINTABLE)
def test_a_quoted_value_is_the_value(value: str) -> None:
    assert values(in_quotes(f"cell.label={value}")) == [value]


@given(st.lists(PRINTABLE.filter(lambda text: "," not in text), min_size=2, max_size=4))
def test_quoted_values_of_a_sweep_are_the_values(several: list[str]) -> None:
    assert values(in_quotes(f"cell.label={','.join(several)}", sweeps=True)) == several


@given(PRINTABLE)
def test_what_is_advised_is_one_line_and_means_what_was_typed(value: str) -> None:
    text = f"study={value}"
    said = unreadable(text, [text], sweeps=False, takes_text=True)
    assert said.isprintable()
    assert values(said[said.rindex(in_quotes(text)) :]) == [value]


@pytest.mark.parametrize("value", ["a\nb", "a\x1b[0mé"])
def test_what_cannot_be_shown_in_a_line_is_not(value: str) -> None:
    assert unreadable(f"study={value}", [], sweeps=False, takes_text=True).isprintable()


def test_a_text_that_was_read_as_a_number_is_reported_as_it_was_typed() -> None:
    error = "study: input should be a valid string, got 100000.0\nseed: must be >= 0"
    said = with_quotes(error, ["study=1e5", "seed=-1"], sweeps=False)
    assert said == "study: input should be a valid string, got 100000.0; as a text, 'study=\"1e5\"'\nseed: must be >= 0"
    assert with_quotes(error, ["seed=-1"], sweeps=False) == error  # it stands in a file
