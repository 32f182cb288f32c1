"""Which options a study swept, and the words for it."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import MadeStudy

from lrd.figures import drawn_over, pooling, runs_of
from lrd.figures.swept_options import pooled, swept
from lrd.records import open_study

COLUMNS = {
    "cell_gain": np.array([1.0, 0.7, 1.0, 3.0]),
    "cell_activation": np.array(["tanh", "tanh", "relu", "relu"], dtype=object),
    "cell_chrono": np.ma.array([1, 50, 2, 2], mask=[True, False, False, False]),
    "cell_label": np.array(["a", "b", "c", "d"], dtype=object),
    "cell": np.array(["a", "b", "c", "d"], dtype=object),  # a name, no option
    "optimizer_lr": np.array([0.1, 0.1, 0.2, 0.2]),
    "test_loss": np.array([1.0, 2.0, 3.0, 4.0]),
}


def test_what_differs_within_a_group_is_swept() -> None:
    assert set(swept(COLUMNS, "xxyy")) == {"cell.gain", "cell.chrono"}  # not what tells the groups apart
    assert set(swept(COLUMNS, "xxxx")) == {"cell.gain", "cell.activation", "cell.chrono", "optimizer.lr"}
    assert swept(COLUMNS, "abcd") == {}


@pytest.mark.parametrize(
    ("same", "words"),
    [
        ("xxyy", ["cell.gain 0.7–1, cell.chrono 50, none"] * 2 + ["cell.gain 1–3"] * 2),
        (
            "xyyz",
            ["", *["cell.gain 0.7–1, cell.activation relu, tanh, cell.chrono 2–50, optimizer.lr 0.1–0.2"] * 2, ""],
        ),
    ],
)
def test_pooling_in_words(same: str, words: list[str]) -> None:
    assert pooled(COLUMNS, list(same)).tolist() == words


def test_values_that_name_a_run_alike_are_one_value() -> None:
    """Runs recorded before null was a value of gradient_norms have false."""
    norms = np.ma.array([True, False, False, True], mask=[True, False, True, False])  # null, false, null, true
    columns = {"training_gradient_norms": norms}
    assert swept(columns, "xxxy") == {}
    assert set(swept(columns, "xxxx")) == {"training.gradient_norms"}
    assert pooled(columns, list("xxyy")).tolist() == ["", ""] + ["training.gradient_norms True, none"] * 2


def test_figures_say_what_they_pool(study: MadeStudy) -> None:
    runs = runs_of(open_study(study.folder))
    assert pooling(runs) == " Pooled over cell.gain 0.8–1.6; cell.gain 2–2.5."
    lstm = {name: column[runs["label"] == "lstm"] for name, column in runs.items()}
    assert pooling(lstm) == ""
    assert (drawn_over(runs), drawn_over(lstm)) == ("runs", "seeds")


def test_where_files_lie_is_no_option_and_no_home_is_shown() -> None:
    paths = np.array(["/home/anna/a.py:A", "/home/bob/a.py:A"], dtype=object)
    columns = {"cell_path": paths, "task_file": paths, "cell_table": paths}
    (text,) = set(pooled(columns, ["same", "same"]))
    assert text == ""  # what differs in nothing but the home
    columns["cell_table"] = np.array(["/home/anna/a", "/home/anna/" + "b" * 300], dtype=object)
    (text,) = set(pooled(columns, ["same", "same"]))
    assert text.startswith("cell.table ~/a, ~/bbbb")
    assert len(text) < 50
