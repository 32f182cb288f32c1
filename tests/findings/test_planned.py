"""What is wrong with a hypothesis is said before training, by the runs that are to be trained alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT
from helpers import run_spec
from made_runs import found, hypothesis, row

from lrd.cells import LSTM, RNN
from lrd.custom import load
from lrd.findings import HypothesisError, hypotheses_from
from lrd.findings.planned import check_statements
from lrd.records import RunRecord
from lrd.spec import RunSpec
from lrd.tasks import TASKS
from lrd.training.journal import task_facts

RUNS = [run_spec(TASKS["adding"](gap=gap), cell(hidden_size=3)) for gap in (5, 9) for cell in (RNN, LSTM)]


@pytest.mark.parametrize(
    "statement",
    [
        {"of": "cell = 'gru'"},  # a part of a study may be trained alone
        {"of": "cell_modules = 2"},
        {"of": "cell_label = 'rnn g=3'"},  # which no run here has
        {"number": "test_loss < eval_loss"},
        {"measure": "median", "number": "slope_h_start", "of": "true", "than": "false"},
        {"measure": "mean", "table": "lyapunov", "number": "max(exponent)", "rows": "mode = 'free'"},
        {"measure": "mean", "table": "metrics", "at": "all", "number": "min(eval_recall_accuracy)"},
        {"measure": "mean", "table": "generalisation", "number": "max(value)", "rows": "tested_gap = 50"},
        {"measure": "mean", "table": "generalisation_fit", "number": "max(slope)", "rows": "variable = 'c'"},
        {"measure": "mean", "table": "gradient_flow", "number": "avg(log10_mean)", "rows": "t < 5"},
    ],
)
def test_what_records_will_answer_is_let_through(statement: dict[str, Any]) -> None:
    check_statements([hypothesis(**statement)], RUNS)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ({"of": "sell = 'rnn'"}, "there is no column 'sell'; did you mean 'cell'?"),
        ({"of": "cell = 'rnn"}, "Parser Error"),
        ({"of": "true", "than": "gapp = 5"}, "there is no column 'gapp'; did you mean 'gap'?"),
        ({"number": "loss_of_test"}, "there is no column 'loss_of_test'"),
        ({"table": "lyapunof", "number": "max(exponent)"}, "table: must be one of closing"),
        ({"table": "lyapunov", "number": "max(exponnent)"}, "did you mean 'exponent'?"),
        ({"table": "gates", "number": "max(mean)", "rows": "gaet = 'forget'"}, "did you mean 'gate'?"),
        ({"number": "(select max(score) from retentoin) > 1"}, "retentoin"),
        ({"of": "true); copy runs to 'x.csv'; select (true"}, "Parser Error"),
        ({"of": "true", "than": "exists (from 'x.csv')"}, "there is no table 'x.csv'"),
        ({"number": "(select size from read_text('x.csv'))"}, "read_text() is no table of the study"),
        ({"measure": "trend", "number": "gap", "against": "getenv('HOME') > 'a'"}, "getenv()"),
        ({"table": "metrics", "number": "max(setseed(0.1))"}, "setseed()"),
        ({"table": "metrics", "number": "max(eval_loss)", "rows": "true or exists (from glob('*'))"}, "glob()"),
    ],
)
def test_what_they_will_not_answer_is_one_line(
    statement: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("a\n1\n")
    with pytest.raises(HypothesisError) as caught:
        check_statements([hypothesis(**statement)], RUNS)
    assert str(caught.value).startswith("hypotheses.it: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [(file.name, file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()] == [("x.csv", "a\n1\n")]


def test_each_wrong_hypothesis_has_a_line() -> None:
    of = {"says": "It is so.", "measure": "share", "above": 0}
    hypotheses = hypotheses_from({"a": {**of, "of": "x = 1"}, "b": {**of, "of": "true"}, "c": {**of, "of": "y = 1"}})
    with pytest.raises(HypothesisError) as caught:
        check_statements(hypotheses, RUNS)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["hypotheses.a", "hypotheses.c"]


CELL = """
from dataclasses import dataclass
from lrd.cells import RNN

@dataclass(frozen=True)
class Mine(RNN):
    name = "mine"
"""


def versions_of_a_cell(folder: Path) -> tuple[RunSpec, RunSpec]:
    """The same run of a researcher's cell before and after its file was changed; the first lies in the folder."""
    before, after = (load("cell", "mine.py:Mine", CELL + change) for change in ("", "# changed"))
    old, new = (run_spec(TASKS["adding"](gap=5), kind(hidden_size=3)) for kind in (before, after))
    record = RunRecord(folder.parent, folder.name, old.run_id)
    record.create({"spec": old.to_dict(), "task": task_facts(old.task), "parameters": 1})
    return old, new


def test_a_name_that_the_study_has_for_another_version_of_the_cell_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    old, new = versions_of_a_cell(folder)
    for same in ("cell_name = 'mine'", "gap = 5", "cell = 'rnn'", "cell_label = 'mine'"):
        check_statements([hypothesis(of=same)], [new], folder)
    check_statements([hypothesis(of="cell = 'mine'")], [old], folder)  # the version that lies there
    check_statements([hypothesis(of="cell = 'mine'")], [new], tmp_path / "elsewhere")
    with pytest.raises(HypothesisError) as caught:
        check_statements([hypothesis(of="gap = 5", than="cell in ('mine', 'rnn')")], [new], folder)
    names = ", ".join(sorted(f"'mine ({run.to_dict()['cell']['code'][:6]})'" for run in (old, new)))
    assert str(caught.value) == (
        f"hypotheses.it: than: cell in ('mine', 'rnn') means other runs beside those in {folder}; "
        f"'mine' is told apart here as {names} (cell_name and task_name are the names alone)"
    )


def test_a_name_that_is_told_apart_meets_no_run_and_the_reason_says_so() -> None:
    cells = [{"cell_path": "/home/anna/a.py:Mine", "cell_code": code} for code in ("a1b2c3d4", "f1b2c3d4")]
    finding = found([row(0, "mine", **more) for more in cells], of="cell = 'mine' and gap = 10")
    assert finding.reason == (
        "no run meets of: cell = 'mine' and gap = 10; 'mine' is told apart here as 'mine (a1b2c3)', 'mine (f1b2c3)' "
        "(cell_name and task_name are the names alone)"
    )


def test_a_table_of_ones_own_probe_is_known_where_the_runs_are_measured_by_it() -> None:
    probe = load("probe", f"{ROOT / 'docs/examples/my_probe.py'}:Dimension")()
    measured = [replace(RUNS[0], probes=(probe,))]
    of_table = {"measure": "mean", "table": "dimension", "number": "max(dimension)", "rows": "variable = 'h'"}
    check_statements([hypothesis(**of_table)], measured)
    with pytest.raises(HypothesisError, match="did you mean 'dimension'"):
        check_statements([hypothesis(**of_table | {"number": "max(dimensoin)"})], measured)
    with pytest.raises(HypothesisError, match="table: must be one of"):
        check_statements([hypothesis(**of_table)], RUNS)
