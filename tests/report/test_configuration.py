"""Options in the table where they belong, with the values and runs that the records have."""

from __future__ import annotations

from pathlib import Path

from reported import study_of

from lrd.records import RunRecord, open_study
from lrd.report.configuration import configuration


def test_what_all_share_what_was_swept_and_what_goes_with_task_or_cell() -> None:
    rows = [
        {"seed": seed, "task": task, "task_gap": gap, "cell": cell, "optimizer_lr": 0.01 if task == "copy" else 0.003}
        | {"cell_gain": 1.0, "cell_bias": 5 if cell == "lstm" else None, "test_loss": seed, "task_name": task}
        for seed in range(3)
        for task, gap in (("copy", 10), ("copy", 40), ("adding", 10))
        for cell in ("rnn", "lstm")
    ]
    found = configuration(study_of(*rows))
    assert found.common.rows == (("cell.gain", "1"),)
    assert found.swept.rows == (
        ("task.gap", "10", "12", "all", "all"),
        ("task.gap", "40", "6", "copy", "all"),
        ("seed", "0, 1, 2", "6 each", "all", "all"),
    )
    assert found.apart.rows == (
        ("cell.bias", "5", "9", "all", "lstm"),
        ("optimizer.lr", "0.003", "6", "adding", "all"),
        ("optimizer.lr", "0.01", "12", "copy", "all"),
    )


def test_many_values_are_one_row_with_their_range() -> None:
    study = study_of(*({"seed": seed, "cell_init": f"i{seed:02}"} for seed in range(100)))
    assert configuration(study).swept.rows == (
        ("cell.init", "i00, i01, i02, ... (100 values)", "100", "copy", "rnn"),
        ("seed", "0 to 99 (100 values)", "100", "copy", "rnn"),
    )


def test_no_row_says_more_than_is_so() -> None:
    """A rate for the RNN on copy and the LSTM on adding is none of the LSTM on copy."""
    one = [("copy", "rnn", 0.1), ("adding", "lstm", 0.1), ("copy", "lstm", 0.2), ("adding", "rnn", 0.2)]
    rows = [{"task": task, "cell": cell, "optimizer_lr": lr} for task, cell, lr in one]
    assert configuration(study_of(*rows)).apart.rows == (
        ("optimizer.lr", "0.1", "1", "adding", "lstm"),
        ("optimizer.lr", "0.1", "1", "copy", "rnn"),
        ("optimizer.lr", "0.2", "1", "copy", "lstm"),
        ("optimizer.lr", "0.2", "1", "adding", "rnn"),
    )


def test_an_option_that_some_runs_lack_and_one_that_none_has() -> None:
    study = study_of({"training_truncate": None, "cell_clip": None}, {"training_truncate": 5, "cell_clip": None})
    found = configuration(study)
    assert found.swept.rows == (("training.truncate", "none, 5", "1 each", "copy", "rnn"),)
    assert found.common.rows == (("seed", "0"), ("cell.clip", "none"))[::-1]


def test_options_have_the_names_of_the_command_line(tmp_path: Path) -> None:
    probe = {"gradient_flow": {"per_decade": 3}}
    spec = {"task": {"name": "copy", "gap": 3}, "cell": {"name": "rnn", "hidden_size": 8}, "probe": probe, "seed": 0}
    RunRecord(tmp_path, "s", "run").create({"spec": spec, "task": {}, "parameters": 1})
    assert configuration(open_study(tmp_path / "s")).common.rows == (
        ("task.gap", "3"),
        ("cell.hidden_size", "8"),
        ("probe.gradient_flow.per_decade", "3"),
        ("seed", "0"),
    )
