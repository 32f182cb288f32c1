"""Sheets of panels that lose none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lrd.figures.sheet import ACROSS, LINES, in_order, sheets

keys = st.tuples(
    st.sampled_from("ab"), st.integers(1, 9), st.sampled_from(["lstm", "rnn", "x"]), st.sampled_from("chz")
)


@given(st.sets(keys, min_size=1))
def test_sheets_show_every_panel_once(panels: set[tuple[str, int, str, str]]) -> None:
    found = sheets(panels)
    shown = [(*place, *track) for sheet in found for place, mine in sheet.lines for track in mine]
    assert len(shown) == len(panels)
    assert set(shown) == panels
    assert len({sheet.suffix for sheet in found}) == len(found)
    assert all(len(sheet.lines) <= LINES and sheet.across <= ACROSS for sheet in found)


def test_of_each_cell_h_comes_first() -> None:
    found = in_order([("rnn", "h"), ("lstm", "c"), ("lstm", "h"), ("gru", "h")])
    assert found == [("gru", "h"), ("lstm", "h"), ("lstm", "c"), ("rnn", "h")]
