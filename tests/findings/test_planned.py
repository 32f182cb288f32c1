"""What is wrong with a claim is said before training, by the runs that are to be trained alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers import run_spec
from made_runs import claim

from lrd.cells import LSTM, RNN
from lrd.findings import ClaimError, claims_from
from lrd.findings.planned import check_statements
from lrd.tasks import TASKS

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
        {"measure": "mean", "table": "gradient_flow", "number": "avg(log10_mean)", "rows": "t < 5"},
    ],
)
def test_what_records_will_answer_is_let_through(statement: dict[str, Any]) -> None:
    check_statements([claim(**statement)], RUNS)


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
    with pytest.raises(ClaimError) as caught:
        check_statements([claim(**statement)], RUNS)
    assert str(caught.value).startswith("claims.it: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [(file.name, file.read_text(encoding="utf-8")) for file in tmp_path.iterdir()] == [("x.csv", "a\n1\n")]


def test_each_wrong_claim_has_a_line() -> None:
    of = {"says": "It is so.", "measure": "share", "above": 0}
    claims = claims_from({"a": {**of, "of": "x = 1"}, "b": {**of, "of": "true"}, "c": {**of, "of": "y = 1"}})
    with pytest.raises(ClaimError) as caught:
        check_statements(claims, RUNS)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["claims.a", "claims.c"]
