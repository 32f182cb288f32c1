"""Labels of the parts of networks: names, order, panels, colours and legend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lrd.figures import PartLabel, in_order, join_runs, line_styles, whole_of
from lrd.figures.drawable_text import named
from lrd.figures.facet import MOST, facets, together
from lrd.figures.figure_files import _parts_apart
from lrd.figures.gradient_panel import title_of
from lrd.figures.label_legend import label_entries
from lrd.figures.labels import Label, base_of
from lrd.figures.line_style import KNOWN

FORWARD, BACKWARD = "forward", "backward"


def part(whole: str, layer: int = 1, direction: str = FORWARD, layers: int = 2, both: bool = False) -> PartLabel:
    return PartLabel(whole, layer, direction, (layers, both), deepest=3)


def parts(whole: str, layers: int, both: bool) -> list[PartLabel]:
    ways = (FORWARD, BACKWARD) if both else (FORWARD,)
    return [part(whole, layer, way, layers, both) for layer in range(1, layers + 1) for way in ways]


def test_names_say_what_a_network_has_several_of() -> None:
    assert parts("lstm", 2, both=False) == ["lstm, layer 1", "lstm, layer 2"]
    assert parts("lstm", 1, both=True) == ["lstm, forward", "lstm, backward"]
    assert part("lstm", 2, BACKWARD, both=True) == "lstm, layer 2, backward"
    assert part("lstm", 2, BACKWARD, both=True).part == "layer 2, backward"
    assert [one.is_last for one in parts("lstm", 2, both=True)] == [False, False, True, False]
    of_study = Label("lstm", "demo", 1)
    assert (whole_of(part(of_study)), base_of(part(of_study))) == (of_study, "lstm")
    assert (whole_of("lstm"), base_of("lstm")) == ("lstm", "lstm")


def test_layers_are_in_order_whatever_their_number() -> None:
    expected = [*parts("gru", 11, both=True), "lstm", *parts("lstm, 2 layers", 2, both=False)]
    assert in_order(expected[::-1]) == expected


def test_rows_are_labelled_by_their_part_where_a_network_has_several() -> None:
    runs = {name: np.array(["a", "b"], dtype=object) for name in ("run_id", "panel", "state", "outcome")}
    runs |= {"label": np.array(["lstm", "rnn"], dtype=object), "gap": np.array([5, 5]), "seed": np.array([0, 0])}
    rows: dict[str, Any] = {"run_id": np.array(["b", "a", "a"], dtype=object), "layer": np.array([1, 1, 2])}
    rows["direction"] = np.array([FORWARD] * 3, dtype=object)
    network = {"layers": np.array([2, 1]), "bidirectional": np.array([False, False])}
    assert join_runs(rows, runs | network)["label"].tolist() == ["rnn", "lstm, layer 1", "lstm, layer 2"]
    assert join_runs({"run_id": rows["run_id"]}, runs | network)["label"].tolist() == ["rnn", "lstm", "lstm"]
    single = {"layers": np.array([1, 1]), "bidirectional": np.array([False, False])}
    assert join_runs(rows, runs | single)["label"].tolist() == ["rnn", "lstm", "lstm"]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3, 4, 7])
def test_parts_of_a_network_share_panels_by_direction(layers: int, both: bool) -> None:
    labels = [*parts("gru", layers, both), *parts("lstm", layers, both)]
    blocks = together(in_order(labels))
    assert [label for _, block in blocks for label in in_order(block)] == [
        label for _, block in blocks for label in block
    ]
    assert sorted(label for _, block in blocks for label in block) == sorted(labels)
    assert all(len(block) <= MOST for _, block in blocks)
    if len(labels) > MOST:
        assert all(len({whole_of(label) for label in block}) == 1 for _, block in blocks)
    files = facets(("copy", 5, label) for label in labels)
    titles = [panel.title for _, rows in files for row in rows for panel in row]
    assert len(set(titles)) == len(blocks)


def test_colours_are_those_of_the_cell() -> None:
    """Shades of networks get darker, those of layers paler, and no two lines are drawn alike."""
    styles = line_styles(["lstm", "lstm, 2 layers", "lstm, 3 layers", "rnn"])
    assert styles["lstm"].colour.upper() == KNOWN["lstm"][0]
    shades = [np.sum(to_rgb(styles[name].colour)) for name in ("lstm", "lstm, 2 layers", "lstm, 3 layers")]
    assert shades == sorted(shades, reverse=True)
    assert len({styles[name].marker for name in styles}) == 4
    for name in ("lstm", "lstm, 3 layers"):
        of_parts = [styles[one] for one in parts(name, 3, both=True)]
        assert (of_parts[0].colour, of_parts[0].marker) == (styles[name].colour, styles[name].marker)
        assert len({(style.colour, style.core) for style in of_parts}) == len(of_parts)
        pale = [np.sum(to_rgb(style.colour)) for style in of_parts[::2]]
        assert pale == sorted(pale)
    with pytest.raises(KeyError):
        styles["gru"]


def test_a_study_without_networks_is_drawn_as_ever() -> None:
    styles = line_styles(["lstm", "rnn", "rnn g=2"])
    assert (styles["rnn"].colour, styles["rnn"].marker) == KNOWN["rnn"]
    entries = label_entries(["rnn", "lstm"], styles)
    assert [name for _, name in entries] == ["lstm", "rnn"]
    table: list[dict[str, object]] = [{"panel": "copy", "label": "rnn"}]
    assert _parts_apart(table) is table


def test_a_legend_names_networks_layers_and_what_reads_backward() -> None:
    labels = [*parts("lstm", 2, both=True), "rnn"]
    entries = label_entries(labels, line_styles(["lstm", "rnn"]))
    assert [name for _, name in entries] == ["lstm", "rnn", "layer 1", "layer 2", "backward"]
    one_layer = [PartLabel("lstm", 1, way, (1, True), 1) for way in (FORWARD, BACKWARD)]
    assert [name for _, name in label_entries(one_layer, line_styles(["lstm"]))] == ["lstm", "backward"]


def test_tables_have_columns_for_parts() -> None:
    table = [{"gap": 5, "label": part("lstm", 2), "t": 0}, {"gap": 5, "label": "rnn", "t": 1}]
    assert [list(row.items()) for row in _parts_apart(table)] == [
        [("gap", 5), ("label", "lstm"), ("layer", 2), ("direction", FORWARD), ("t", 0)],
        [("gap", 5), ("label", "rnn"), ("layer", 1), ("direction", FORWARD), ("t", 1)],
    ]


def test_what_tells_networks_apart_is_never_cut() -> None:
    name = "a cell with a very long name indeed"
    drawn = named([name, f"{name}, 2 layers, bidirectional"])
    assert drawn[f"{name}, 2 layers, bidirectional"] == f"{drawn[name]}, 2 layers, bidirectional"
    assert len(drawn[name]) <= 24


def test_a_part_stands_on_a_line_of_its_own_in_titles() -> None:
    assert title_of((part("lstm, 2 layers", 2), "c")) == "lstm, 2 layers\nlayer 2, ${c}_t$"
    assert title_of(("lstm", "h")) == "lstm, ${h}_t$"
