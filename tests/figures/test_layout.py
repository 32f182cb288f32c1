"""Line styles that stay, numbers as text, groups and pages that lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import inf, nan
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from lrd.figures import (
    PAGE_COLUMNS,
    PAGE_ROWS,
    FigureOptions,
    FigureScript,
    LineStyle,
    groups,
    layout,
    line_styles,
    pages,
    save_figure,
    shortfall,
)
from lrd.figures.gradient_panel import _rate, draw_panel, legend, limits_of, norm_of
from lrd.figures.line_style import FREE, KNOWN
from lrd.stats import band

names = st.lists(st.sampled_from(["rnn", "lstm", "gru", "a", "b", "c", "rnn g=2"]), min_size=1, unique=True)


@pytest.fixture(autouse=True)
def _close_figures() -> Iterator[None]:
    yield
    plt.close("all")


@given(names)
def test_labels_are_told_apart_by_colour_and_by_marker(labels: list[str]) -> None:
    styles = line_styles(labels)
    assert set(styles) == set(labels)
    assert len({style.colour for style in styles.values()}) == len(labels)
    assert len({style.marker for style in styles.values()}) == len(labels)
    assert line_styles(labels[::-1]) == styles


@given(names)
def test_a_known_cell_looks_the_same_in_every_study(labels: list[str]) -> None:
    styles = line_styles(labels)
    for label in set(labels) & set(KNOWN):
        assert styles[label] == line_styles([label])[label]


@pytest.mark.parametrize("kind", ["{name}", "bias {number}"])
def test_many_labels_differ_in_colour_or_marker(kind: str) -> None:
    labels = [kind.format(name=a + b, number=n) for n, (a, b) in enumerate(product("abcdefghij", repeat=2))][:60]
    styles = line_styles([*labels, "rnn", "lstm"])
    assert len(set(styles.values())) == 62


def test_labels_that_differ_by_a_number_run_from_dark_to_light() -> None:
    biases = [f"bias {bias}" for bias in (-2, -1, 0, 1, 2, 3, 5)]
    styles = line_styles(["chrono", "lstm", *biases[::-1]])
    assert list(styles) == [*biases, "chrono", "lstm"]
    light = [np.dot(to_rgb(styles[name].colour), (0.2126, 0.7152, 0.0722)) for name in biases]  # as eyes see it in grey
    assert (np.diff(light) > 0.03).all()
    assert len({styles[name].marker for name in [*biases, "chrono", "lstm"]}) == 9
    assert styles["lstm"] == LineStyle(*KNOWN["lstm"])
    assert styles["chrono"].colour == FREE[0][0]


def test_settings_stay_inside() -> None:
    before = mpl.rcParams["pdf.fonttype"], mpl.rcParams["font.size"]
    assert FigureScript(lambda study: mpl.rcParams["pdf.fonttype"])(None) == 42
    assert (mpl.rcParams["pdf.fonttype"], mpl.rcParams["font.size"]) == before


def test_csv_holds_the_numbers_drawn(tmp_path: Path) -> None:
    figure, _ = layout.grid(1, 1, 1.0)
    table: list[dict[str, object]] = [
        {"label": "rnn, g=2", "gap": 10, "value": 1 / 3, "low": nan, "high": inf},
        {"label": "lstm", "gap": np.int64(30), "value": np.float64(-inf), "low": None, "high": 1e-300},
    ]
    save_figure(figure, tmp_path / "deep" / "er", "name", table)
    assert (tmp_path / "deep" / "er" / "name.csv").read_bytes() == (
        b'label,gap,value,low,high\n"rnn, g=2",10,0.333333333,,inf\nlstm,30,-inf,,1e-300\n'
    )
    assert plt.get_fignums() == []


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 40)), min_size=1, max_size=60))
def test_pages_show_every_panel_once(panels: list[tuple[str, int]]) -> None:
    found = pages([task for task, _ in panels], [gap for _, gap in panels])
    shown = [(task, gap) for page in found for task, gaps in page.rows for gap in gaps]
    assert sorted(shown) == sorted(set(panels))
    assert all(panel in page for page in found for task, gaps in page.rows for panel in [(task, gaps[0])])
    assert len({page.suffix for page in found}) == len(found)
    assert all(len(page.rows) <= PAGE_ROWS and page.columns <= PAGE_COLUMNS for page in found)


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 3)), max_size=30))
def test_groups_are_the_rows_in_order(rows: list[tuple[str, int]]) -> None:
    table = {
        "name": np.array([name for name, _ in rows], dtype=object),
        "key": np.array([key for _, key in rows], dtype=int),
        "row": np.arange(len(rows)),
    }
    found = {key: group["row"].tolist() for key, group in groups(table, "name", "key")}
    assert list(found) == sorted(set(rows))
    assert found == {key: [i for i, row in enumerate(rows) if row == key] for key in set(rows)}


def test_shortfall_in_words() -> None:
    runs = {
        "state": np.array(["finished", "failed", "running", "interrupted", "finished"], dtype=object),
        "outcome": np.array(["solved", None, None, None, "diverged"], dtype=object),
    }
    assert shortfall(runs) == "1 diverged, 1 failed, 2 unfinished"
    assert shortfall({name: column[:1] for name, column in runs.items()}) == ""


@pytest.mark.parametrize(
    ("slope", "text"),
    [
        (0.0, "×1.0000 (∞)"),
        (-np.log10(0.912), "×0.912 (11)"),
        (-np.log10(0.9985), "×0.9985 (666)"),
        (-np.log10(1.12), "×1.120 (∞)"),
        (1.0, "×0.1000 (0.43)"),
        (nan, "no fit"),
    ],
)
def test_rates_for_the_eye(slope: float, text: str) -> None:
    assert _rate(slope) == text


def test_panel_limits_hold_the_answer_and_at_most_twenty_decades() -> None:
    steps = np.arange(400)
    dead = band([-1.0 * (399 - steps)])  # down to 1e-399
    alive = band([-1.0 - 0.001 * (399 - steps)])
    low, high = limits_of([(steps, dead), (steps, alive)], 399)
    assert -23 < low < -20
    assert 0 < high < 3
    low, high = limits_of([(steps, alive)], 399)
    assert low < -2
    assert high > 0
    assert limits_of([(steps, band([np.full(400, -inf)]))], 399) == (-1.0, 1.0)
    around = band([-1.0 * np.abs(steps - 200)])  # of a bidirectional network, with steps after the answer
    low, high = limits_of([(steps, around)], 200)
    assert -23 < low < -20
    assert 0 < high < 3
    after = band([np.where(steps < 200, -inf, -7.0)])
    assert limits_of([(steps, after)], 200) == limits_of([(steps[:201], band([after.median[:201]]))], 200)


def test_a_line_that_leaves_the_panel_says_where_it_gets_to() -> None:
    _, ((axes,),) = layout.grid(1, 1, 1.5)
    steps = np.arange(400)
    profiles = {
        ("rnn", "h", "end"): (steps, band([-1.0 * (399 - steps)])),
        ("rnn g=2", "h", "end"): (steps, band([0.2 * (399 - steps)])),
        ("lstm", "h", "end"): (steps, band([np.full(400, -inf)])),
    }
    slopes = dict.fromkeys(profiles, 0.0)
    styles = line_styles(label for label, *_ in profiles)
    draw_panel(axes, profiles, slopes, styles, 399, "panel")
    assert [text.get_text() for text in axes.texts] == ["to $10^{-399}$", "to $10^{80}$"]


@pytest.mark.parametrize("variable", ["c", "z", "slow_part"])
def test_a_state_variable_may_have_any_name(variable: str) -> None:
    figure, ((axes,),) = layout.grid(1, 1, 1.5)
    key = ("mine", variable, "end")
    styles = line_styles(["mine"])
    draw_panel(axes, {key: (np.arange(3), band([[-1.0, 0.0, 1.0]]))}, {key: 1.0}, styles, 2, "panel")
    layout.legend(figure, *legend({key}, styles))
    figure.canvas.draw()  # parses the mathematics of every text
    assert norm_of("h") == r"$\Vert\partial L/\partial {h}_t\Vert$"


@pytest.mark.parametrize(("width", "rows", "first"), [(7.0, 1, 1), (3.4, 2, 2), (2.5, 3, 1)])
def test_no_panel_is_left_alone_in_its_row(width: float, rows: int, first: int) -> None:
    found = []

    @FigureScript
    def draw(study: object, out: Path) -> list[Path]:
        found.append(layout.folded(2, 3, 1.4))
        return []

    draw(None, Path(), options=FigureOptions(width=width))
    ((figure, lines),) = found
    assert [len(line) for line in lines] == [3, 3]
    assert set(figure.axes) == {axes for line in lines for axes in line}
    for at, line in enumerate(lines):
        places = [axes.get_subplotspec() for axes in line]
        assert len(places[0].colspan) == first
        below = {1: [0, 0, 0], 2: [0, 1, 1], 3: [0, 1, 2]}[rows]
        assert [place.rowspan.start for place in places] == [at * rows + row for row in below]
