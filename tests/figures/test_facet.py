"""Panels that lose no label, and hold few."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lrd.figures.facet import MOST, facets, together

keys = st.tuples(st.sampled_from("ab"), st.integers(1, 5), st.sampled_from([f"bias {bias}" for bias in range(-3, 4)]))


@given(st.sets(keys, min_size=1))
def test_every_label_of_every_place_is_there_once(found: set[tuple[str, int, str]]) -> None:
    files = facets(found)
    panels = [facet for _, rows in files for row in rows for facet in row]
    shown = [(*panel.place, label) for panel in panels for label in panel.labels]
    assert sorted(shown) == sorted(found)
    assert all(len(panel.labels) <= MOST for panel in panels)
    assert len({panel.title for panel in panels}) == len(panels)
    assert len({suffix for suffix, _ in files}) == len(files)


def test_few_labels_share_a_panel() -> None:
    ((suffix, rows),) = facets([("copy", gap, label) for gap in (10, 30) for label in ("rnn", "lstm")])
    assert suffix == ""
    assert [[(facet.place, facet.labels) for facet in row] for row in rows] == [
        [(("copy", 10), ("lstm", "rnn")), (("copy", 30), ("lstm", "rnn"))]
    ]
    assert together(["lstm", "rnn"]) == [("", ["lstm", "rnn"])]
    assert together(["a", "b", "c", "d"]) == [(name, [name]) for name in "abcd"]
