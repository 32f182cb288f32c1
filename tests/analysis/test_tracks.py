"""Sheets of panels that lose none."""

from __future__ import annotations

import tracks
from hypothesis import given
from hypothesis import strategies as st

keys = st.tuples(
    st.sampled_from("ab"), st.integers(1, 9), st.sampled_from(["lstm", "rnn", "x"]), st.sampled_from("chz")
)


@given(st.sets(keys, min_size=1))
def test_sheets_show_every_panel_once(panels: set[tuple[str, int, str, str]]) -> None:
    sheets = tracks.sheets(panels)
    shown = [(*place, *track) for sheet in sheets for place, mine in sheet.lines for track in mine]
    assert len(shown) == len(panels)
    assert set(shown) == panels
    assert len({sheet.suffix for sheet in sheets}) == len(sheets)
    assert all(len(sheet.lines) <= tracks.LINES and sheet.across <= tracks.ACROSS for sheet in sheets)


def test_of_each_cell_h_comes_first() -> None:
    found = tracks.in_order([("rnn", "h"), ("lstm", "c"), ("lstm", "h"), ("gru", "h")])
    assert found == [("gru", "h"), ("lstm", "h"), ("lstm", "c"), ("rnn", "h")]
