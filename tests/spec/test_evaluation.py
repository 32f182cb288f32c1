"""Options of tests at other gaps: which gaps a run can be tested at, and what the run is there."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from helpers import run_spec

from lrd.cells import LSTM, Attentive, Cell, Parameters
from lrd.probes import GradientFlow
from lrd.spec import Evaluation, RunSpec, SpecError, job_from_config
from lrd.spec.evaluation import cell_at
from lrd.tasks import Adding, Copy

BASE: dict[str, Any] = {
    "task": {"name": "copy", "gap": 20},
    "cell": {"name": "lstm", "hidden_size": 8},
    "optimizer": {"name": "adam"},
    "probe": {"gradient_flow": {}},
}


def run(evaluation: Any = None, **groups: Any) -> RunSpec:
    return job_from_config(BASE | groups | ({} if evaluation is None else {"evaluation": evaluation})).run


def test_a_run_that_is_not_tested_elsewhere_keeps_the_name_that_it_had_before_there_was_the_option() -> None:
    """The name is of a run of before: ``tests/custom/test_run_ids.py`` has more of them."""
    old = {"task": {"name": "copy"}, "cell": {"name": "lstm"}, "training": {}}
    for evaluation in (None, {}, {"gaps": []}, {"gaps": [], "gradient_flow": False}):
        assert run(evaluation, **old).run_id == "lstm-copy-T20-s0-565fa2995b"
    assert run({"gaps": [5]}, **old).run_id != "lstm-copy-T20-s0-565fa2995b"
    assert run(BASE.get("evaluation")).tested == ()


def test_a_record_of_before_the_option_describes_the_same_run() -> None:
    spec = run()
    of_before = {name: options for name, options in spec.to_dict().items() if name != "evaluation"}
    assert job_from_config(of_before).run == spec


def test_one_set_of_gaps_is_one_run() -> None:
    first, second = run({"gaps": [50, 5, 50]}), run({"gaps": [5, 50]})
    assert first == second
    assert first.run_id == second.run_id
    assert hash(first) == hash(second)
    assert first.evaluation == Evaluation((5, 50))
    assert run({"gaps": [5, 51]}).run_id != first.run_id
    assert run({"gaps": [5, 50], "gradient_flow": True}).run_id != first.run_id


def test_a_run_comes_back_from_its_record_and_from_another_process() -> None:
    spec = run({"gaps": [5, 50], "gradient_flow": True}, cell={"name": "attentive"})
    again = job_from_config(json.loads(json.dumps(spec.to_dict()))).run
    assert again == spec == pickle.loads(pickle.dumps(spec))
    assert (again.run_id, again.pack_key) == (spec.run_id, spec.pack_key)


def test_it_is_tested_at_these_gaps_and_at_its_own() -> None:
    spec = run({"gaps": [50, 5]})
    assert [there.task.gap for there in spec.tested] == [5, 20, 50]
    assert all(there == replace(spec, task=Copy(gap=there.task.gap), evaluation=Evaluation()) for there in spec.tested)


def test_a_cell_that_keeps_all_of_a_sequence_keeps_all_of_a_longer_one() -> None:
    short, long = Copy(gap=20), Copy(gap=200)
    of_all = Attentive(hidden_size=4).for_length(short.sequence_length)
    assert cell_at(of_all, short, long) == Attentive(hidden_size=4).for_length(long.sequence_length)
    assert cell_at(of_all, short, Copy(gap=5)) == Attentive(hidden_size=4, memory=24)
    few = Attentive(hidden_size=4, memory=7)
    assert cell_at(few, short, long) == few
    chrono = LSTM(hidden_size=4, chrono=20)  # null by default, and not of the length
    assert cell_at(chrono, short, long) is chrono


WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (5, {}, "evaluation.gaps: must be a list, in brackets, got 5"),
    (None, {}, "evaluation.gaps: must be a list, in brackets, got None"),
    (["a"], {}, "evaluation.gaps: input should be a valid integer, got 'a'"),
    ([5, 0], {}, "evaluation.gaps: holds 0, but task.gap must be >= 1, got 0"),
    (
        [21, 5],
        {"task": {"name": "delay", "gap": 30, "convention": "voelker2019"}},
        "evaluation.gaps: holds 5, but task.gap must be >= 21 for convention voelker2019 (10 periods a window), got 5",
    ),
    (
        [5],
        {"task": {"name": "memory_capacity", "gap": 10}},
        "evaluation.gaps: holds 5, but task=memory_capacity has 5 outputs there and 10 at gap 10, where it is trained; "
        "leave it out",
    ),
    (
        [50],
        {"task": {"name": "long_lag", "gap": 100}},
        "evaluation.gaps: holds 50, but task=long_lag has 51 inputs there and 101 at gap 100, where it is trained; "
        "leave it out",
    ),
]


@pytest.mark.parametrize(("gaps", "groups", "said"), WRONG)
def test_a_gap_at_which_the_network_cannot_be_tested_is_named_in_one_line(
    gaps: Any, groups: dict[str, Any], said: str
) -> None:
    with pytest.raises(SpecError) as error:
        run({"gaps": gaps}, **groups)
    assert str(error.value) == said


def test_gradient_flow_at_no_gap_is_refused() -> None:
    with pytest.raises(SpecError, match=r"^evaluation\.gradient_flow: .* there are none$"):
        run({"gradient_flow": True})


def test_an_answer_that_a_shorter_sequence_lacks_is_named() -> None:
    groups = {"task": {"name": "text", "gap": 30}, "probe": {"gradient_flow": {"answer": 25}}}
    said = r"^evaluation\.gradient_flow: cannot be measured at gap 10: probe\.gradient_flow\.answer .*25"
    with pytest.raises(SpecError, match=said):
        run({"gaps": [10, 60], "gradient_flow": True}, **groups)
    assert run({"gaps": [10, 60]}, **groups).evaluation.gaps == (10, 60)


@dataclass(frozen=True)
class Placed(LSTM):
    """A cell with a parameter for each step."""

    steps: int | None = None

    def for_length(self, length: int) -> Cell:
        return self if self.steps is not None else replace(self, steps=length)

    def parameters(self, input_size: int, generator: torch.Generator) -> Parameters:
        return super().parameters(input_size, generator) | {"places": torch.zeros(self.steps or 1)}


def test_a_cell_whose_parameters_depend_on_the_length_is_refused() -> None:
    task = Adding(gap=10)
    cell = Placed(hidden_size=3).for_length(task.sequence_length)
    Evaluation((10,)).check(task, cell, [])
    with pytest.raises(ValueError, match="holds 12, but cell=lstm has parameters of other shapes for sequences of 12"):
        Evaluation((10, 12)).check(task, cell, [])


def test_runs_that_are_tested_otherwise_share_no_pack() -> None:
    keys = [run(evaluation).pack_key for evaluation in (None, {"gaps": [5]}, {"gaps": [6]})]
    assert len(set(keys)) == 3
    assert run({"gaps": [5]}, seed=4).pack_key == keys[1]


def test_its_own_probe_measures_the_gradient_flow_there() -> None:
    from lrd.spec import flow_probe

    spec = run_spec(Copy(gap=5), LSTM(hidden_size=3), samples=7)
    assert flow_probe(spec.probes).samples == 7
    assert flow_probe(()) == GradientFlow()
