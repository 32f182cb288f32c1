"""A configuration becomes a run with a name of its own, or lines that say what is wrong with it."""

from __future__ import annotations

import atexit
import copy
import dataclasses
import functools
import hashlib
import json
import math
import re
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import CELLS, Attentive
from lrd.probes import PROBES, Closing, TextUnits
from lrd.spec import OPTIMIZERS, Evaluation, RunSpec, SpecError, Training, job_from_config
from lrd.tasks import TASKS
from lrd.tasks.corpus import corpus

BASE: dict[str, Any] = {
    "task": {"name": "copy", "gap": 20},
    "cell": {"name": "lstm", "hidden_size": 8},
    "optimizer": {"name": "adam", "lr": 0.01},
    "training": {"max_updates": 50},
    "probe": {"gradient_flow": {}},
    "seed": 3,
}
NAMED = {"task": TASKS, "cell": CELLS, "optimizer": OPTIMIZERS}
_RNN = {"cell": {"name": "rnn"}}
#: What an option wants that BASE has not.
NEEDS: dict[str, Any] = {
    "gradient_flow": {"evaluation": {"gaps": [30]}},
    "omega": _RNN,
    "input_std": _RNN,
    "g": {"cell": {"name": "lstm1997"}},
    "h": {"cell": {"name": "lstm1997"}},
    "least_blanks": {"task": {"name": "variable_copy"}},
    "end_factor": {"optimizer": {"name": "adam", "schedule": "cosine"}},
    "step_size": {"optimizer": {"name": "adam", "schedule": "step"}},
    "step_factor": {"optimizer": {"name": "adam", "schedule": "step"}},
    "noise_decay": {"optimizer": {"name": "adam", "gradient_noise": 0.3}},
    "curriculum_from": {"training": {"max_updates": 50, "curriculum": "naive"}},
    "curriculum_share": {"training": {"max_updates": 50, "curriculum": "naive"}},
}


def with_(path: str, value: Any, base: dict[str, Any] = BASE) -> dict[str, Any]:
    """The configuration with one value set, e.g. ``cell.gain``."""
    config = copy.deepcopy(base)
    *groups, key = path.split(".")
    inner = config
    for group in groups:
        inner = inner.setdefault(group, {})
    inner[key] = value
    return config


def fitting(name: str, base: dict[str, Any] = BASE) -> dict[str, Any]:
    """The configuration with what an option needs to be on."""
    return with_("cell.layers", 2, base) if name == "dropout" else base | NEEDS.get(name, {})


def run(path: str | None = None, value: Any = None) -> RunSpec:
    return job_from_config(with_(path, value) if path else BASE).run


WRONG = [
    ("sede", 3, r"sede: there is no such option; did you mean 'seed'\?"),
    ("hypothesis", {}, r"hypothesis: there is no such option; did you mean 'hypotheses'\?"),
    ("modle.size", 3, r"modle: there is no such option"),
    (
        "cell.hiden_size",
        3,
        r"cell\.hiden_size: there is no such option; did you mean 'hidden_size'\?; cell has hidden_size",
    ),
    ("task.gapp", 3, r"task\.gapp: there is no such option; did you mean 'gap'\?; task has gap, convention"),
    ("training.lr", 3, r"training\.lr: there is no such option; training has batch_size"),
    ("tracker.modes", "x", r"tracker\.modes: there is no such option; did you mean 'mode'\?"),
    ("task.name", "coppy", rf"task\.name: must be one of {', '.join(TASKS)}, got 'coppy'; did you mean 'copy'\?"),
    ("cell.name", None, rf"cell\.name: must be one of {', '.join(CELLS)}, got None"),
    ("cell.name", ["rnn"], rf"cell\.name: must be one of {', '.join(CELLS)}, got \['rnn'\]"),
    ("task", "copy", rf"task: must be one of {', '.join(TASKS)}, got 'copy'"),
    ("training", None, r"training: must hold options, got None"),
    ("task.gap", 0, r"task\.gap: must be >= 1, got 0"),
    ("task.gap", 2.5, r"task\.gap: input should be a valid integer, got 2\.5"),
    ("task.gap", "long", r"task\.gap: input should be a valid integer, got 'long'"),
    ("task.gap", True, r"task\.gap: input should be a valid integer, got True"),
    ("task.gap", None, r"task\.gap: input should be a valid integer, got None"),
    ("task.convention", "bai", r"task\.convention: must be one of arjovsky2016, .*, got 'bai'"),
    ("cell.hidden_size", -3, r"cell\.hidden_size: must be >= 1, got -3"),
    ("cell.forget_bias", math.inf, r"cell\.forget_bias: must be a finite number, got inf"),
    ("cell.forget_bias", "big", r"cell\.forget_bias: input should be a valid number, got 'big'"),
    ("cell.init", "ortho", r"cell\.init: must be one of .*, got 'ortho'; did you mean 'orthogonal'\?"),
    ("cell.activation", "relu", r"cell\.activation: there is no such option"),  # an rnn has it, an lstm has not
    ("optimizer.lr", math.nan, r"optimizer\.lr: must be a number > 0, got nan"),
    ("optimizer.lr", math.inf, r"optimizer\.lr: must be a finite number > 0, got inf"),
    ("optimizer.lr", 0, r"optimizer\.lr: must be > 0, got 0"),
    ("optimizer.lr", False, r"optimizer\.lr: input should be a valid number, got False"),
    ("optimizer.beta1", 1.0, r"optimizer\.beta1: must be >= 0 and < 1, got 1\.0"),
    (
        "optimizer.clip",
        "norms",
        r"optimizer\.clip: must be one of none, norm, value, got 'norms'; did you mean 'norm'\?",
    ),
    ("training.stop_when_solved", 1, r"training\.stop_when_solved: input should be a valid boolean, got 1"),
    ("training.omega", 2.0, r"training\.omega: is for cell=rnn alone, got cell=lstm; set it to 0"),
    (
        "optimizer.end_factor",
        0.1,
        r"optimizer\.end_factor: is for schedule=linear or cosine alone, got schedule=constant; set it to 0\.0",
    ),
    ("optimizer.step_size", 9, r"optimizer\.step_size: is for schedule=step alone, got .*; set it to 1000"),
    ("optimizer.noise_decay", 1.0, r"optimizer\.noise_decay: needs gradient_noise > 0; set it to 0\.55"),
    ("optimizer.warmup", 50, r"optimizer\.warmup: must be < training\.max_updates, 50, got 50"),
    ("training.curriculum_from", 3, r"training\.curriculum_from: is for curriculum=naive, .*; set it to null"),
    (
        "training",
        {"curriculum": "mixed", "curriculum_share": 0.1},
        r"training\.curriculum_share: is for curriculum=naive, combined alone, got curriculum=mixed; set it to 0\.5",
    ),
    (
        "training",
        {"curriculum": "naive", "curriculum_from": 20},
        r"training\.curriculum_from: must be < task\.gap, 20, got 20",
    ),
    (
        "training",
        {"curriculum": "naive", "curriculum_from": 0},
        r"training\.curriculum_from: must be >= 1 for this task \(task\.gap must be >= 1, got 0\), got 0",
    ),
    (
        "training",
        {"curriculum": "naive", "gradient_norms": True},
        r"training\.curriculum: cannot be on together with gradient_norms; turn one of them off",
    ),
    (
        "training",
        {"norm_stabilizer": 1.0, "gradient_norms": True},
        r"training\.norm_stabilizer: cannot be on together with gradient_norms; turn one of them off",
    ),
    ("training.h_detach", 1.5, r"training\.h_detach: must be >= 0 and <= 1, got 1\.5"),
    ("training.truncate", 0, r"training\.truncate: must be >= 1, got 0"),
    (
        "probe.gradient_flow.answer",
        "lst",
        r"probe\.gradient_flow\.answer: must be first, last, all or a number, got 'lst'",
    ),
    (
        "probe.gradient_flow.answer",
        10,
        r"probe\.gradient_flow\.answer: must lie below the task's number of answers, 10, got 10",
    ),
    ("probe.nope.answer", 1, r"probe: must be one of gradient_flow, .*, got 'nope'"),
    ("probe", "gradient_flow", r"probe: must hold the options of probes by their names, got 'gradient_flow'"),
    (
        "probe.gradient_flow.answer",
        1.5,
        r"probe\.gradient_flow\.answer: input should be a valid string or a valid integer, got 1\.5",
    ),
    ("seed", -1, r"seed: must be >= 0 and < 2147483648, got -1"),
    ("seed", 1.0, r"seed: input should be a valid integer, got 1\.0"),
    ("study", "../x", r"study: must be a plain folder name, got '../x'"),
    ("study", "é" * 128, r"study: must have at most 255 bytes, as the name of a folder, got 256"),
    ("checkpoint_seconds", 0, r"checkpoint_seconds: must be > 0, got 0"),
    ("tracker.name", "wandbb", r"tracker\.name: must be one of wandb, none, got 'wandbb'; did you mean 'wandb'\?"),
]


@pytest.mark.parametrize(("path", "value", "line"), WRONG, ids=lambda v: str(v)[:30])
def test_a_wrong_option_is_one_line_with_its_name_and_the_rule(path: str, value: Any, line: str) -> None:
    with pytest.raises(SpecError) as error:
        job_from_config(with_(path, value))
    message = str(error.value)
    assert "\n" not in message
    assert re.match(line, message), message


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ({"name": "memory_capacity"}, "at gap 9 its output_size is 9 and not 10"),
        ({"name": "long_lag"}, "at gap 99 its input_size is 100 and not 101"),
        ({"name": "reber"}, "its sequences are no shorter at smaller gaps"),
        ({"name": "warp"}, "its sequences are no shorter at smaller gaps"),
        ({"name": "copy", "gap": 1}, r"task\.gap must be >= 1, got 0"),
    ],
    ids=lambda value: value.get("name") if isinstance(value, dict) else "",
)
def test_a_task_without_smaller_gaps_has_no_curriculum(task: dict[str, Any], why: str) -> None:
    said = rf"^training\.curriculum: needs smaller gaps, {task['name']} has none: {why}; use curriculum=none$"
    with pytest.raises(SpecError, match=said):
        job_from_config(BASE | {"task": task, "training": {"curriculum": "naive"}})


def test_h_detach_is_for_lstms_alone() -> None:
    with pytest.raises(SpecError, match=r"^training\.h_detach: is for cell=lstm alone, got cell=rnn; set it to 0$"):
        job_from_config(with_("training.h_detach", 0.5) | {"cell": {"name": "rnn"}})


@pytest.mark.parametrize(
    ("task", "convention", "least"),
    [
        ("adding", "arjovsky2016", 2),
        ("adding", "hochreiter1997", 22),
        ("adding", "pascanu2013", 10),
        ("delay", "voelker2019", 21),
    ],
)
def test_a_gap_too_short_for_its_convention(task: str, convention: str, least: int) -> None:
    options = {"name": task, "convention": convention}
    with pytest.raises(
        SpecError, match=rf"^task\.gap: must be >= {least} for convention {convention} .*got {least - 1}$"
    ):
        job_from_config(BASE | {"task": options | {"gap": least - 1}})
    assert job_from_config(BASE | {"task": options | {"gap": least}}).run.task.gap == least


def test_all_that_is_wrong_is_reported_at_once() -> None:
    config = with_("seed", "x", with_("training.foo", 1, with_("training.batch_size", 0, with_("cell.gain", -1))))
    config |= {"task": {"name": "copy", "gap": 0, "items": 0}, "sed": 1}
    with pytest.raises(SpecError) as error:
        job_from_config(config)
    keys = sorted(line.split(":")[0] for line in str(error.value).splitlines())
    assert keys == ["cell.gain", "sed", "seed", "task.gap", "task.items", "training.batch_size", "training.foo"]


def test_whole_numbers_do_for_real_ones_and_name_the_same_run() -> None:
    assert run("optimizer.lr", 1).run_id == run("optimizer.lr", 1.0).run_id
    assert isinstance(run("cell.forget_bias", 2).cell.forget_bias, float)


def test_run_id_names_cell_task_gap_and_seed() -> None:
    assert re.fullmatch(r"lstm-copy-T20-s3-[0-9a-f]{10}", run().run_id)


def shuffled(config: dict[str, Any]) -> dict[str, Any]:
    return {k: shuffled(v) if isinstance(v, dict) else v for k, v in reversed(config.items())}


def test_run_id_does_not_depend_on_the_order_of_keys_nor_on_spelt_out_defaults() -> None:
    assert job_from_config(shuffled(BASE)).run.run_id == run().run_id
    assert job_from_config(run().to_dict()).run.run_id == run().run_id


PLACES = [("study", "other"), ("device", "cpu"), ("tracker.name", "none"), ("runs_dir", "/x"), ("cell.label", "mine")]


@pytest.mark.parametrize(("path", "value"), PLACES)
def test_run_id_does_not_depend_on_where_and_how_it_is_shown(path: str, value: Any) -> None:
    assert run(path, value).run_id == run().run_id


def kinds() -> list[tuple[str, str, type]]:
    named = [(group, name, kind) for group, table in NAMED.items() for name, kind in table.items()]
    single = [("training", "", Training), ("evaluation", "", Evaluation)]
    return [*named, *single, *((f"probe.{name}", "", kind) for name, kind in PROBES.items())]


@functools.cache
def same_text() -> str:
    """A file with the text that is the default."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    path = Path(folder) / "text.txt"
    path.write_text(corpus(None).text, encoding="utf-8")
    return str(path)


#: Options that others bound.
BOUND = ("gap", "convention", "digest", "block_size", "output_bias")
BOUND += ("end_factor", "step_size", "step_factor", "noise_decay")
#: Values of options that are null.
FREE = {"forget_bias": 0.5, "input_bias": -1.0, "output_bias": -1.0}


def another(field: Any, value: Any) -> Any:
    """A value that the option may also have."""
    if "choices" in field.metadata:
        return next(choice for choice in field.metadata["choices"] if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return [*value, 40]
    if isinstance(value, float):
        return value / 2 + 0.001
    if field.name == "file":
        return same_text()
    numbers = {
        "chrono": 30,
        "input_std": 0.1,
        "memory": 5,
        "truncate": 7,
        "largest": 9,
        "ridge": 0.5,
        "distractors": 30,
        "curriculum_from": 3,
        "gradient_norms": True,
    }
    return ({"answer": "first", "label": "x", "units": "1.h.1"} | numbers | FREE)[field.name]


@pytest.mark.parametrize(("group", "name", "kind"), kinds(), ids=lambda v: str(v)[:20])
def test_every_option_names_another_run_and_another_pack_as_its_marks_say(group: str, name: str, kind: type) -> None:
    options = {"name": name} if name else {}
    base = BASE | ({"task": {"name": "text"}} if kind in (Closing, TextUnits) else {})
    base = with_(group, options | ({"gap": 44} if group == "task" else {}), base)
    for field in dataclasses.fields(kind):
        if field.name == "digest":
            continue  # is what the text makes it: see the tests of the task
        spec = job_from_config(fitting(field.name, base)).run
        mine = getattr(spec, group) if "." not in group else next(p for p in spec.probes if isinstance(p, kind))
        value = another(field, getattr(mine, field.name))
        other = job_from_config(with_(f"{group}.{field.name}", value, fitting(field.name, base))).run
        assert (other.run_id != spec.run_id) == field.metadata["identity"], field.name
        together = field.metadata["per_run"] and not field.metadata["switch"]  # which is off in ``spec``
        assert (other.pack_key == spec.pack_key) == together, field.name


def name_by_hand(spec: RunSpec, left_out: set[str]) -> str:
    """The hash of all that decides a run's results, but for options of these names."""
    tree = spec.to_dict()
    groups = (*NAMED, "training", "evaluation")
    identity = {g: {k: v for k, v in tree[g].items() if k not in left_out | {"label"}} for g in groups}
    identity = {group: options for group, options in identity.items() if options}
    identity |= {"probe": [{"name": name} | chosen for name, chosen in tree["probe"].items()], "seed": tree["seed"]}
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]


def test_a_switch_that_is_off_is_in_no_hash_and_what_it_is_when_on_may_differ_in_a_pack() -> None:
    """Runs recorded before there was the option keep their names."""
    switches = {f.name: (group, f) for group, _, kind in kinds() for f in fields(kind) if f.metadata["switch"]}
    assert switches.keys() >= {"omega", "h_detach", "precision", "schedule", "gradient_noise", "curriculum"}
    for name, (group, option) in switches.items():
        others = {bool: (0, True), int: (0, 1), tuple: (0, [30], [40])}.get(type(option.default), (0, 0.25, 0.5))
        chosen = {"curriculum_from": (0, 3, 4), "curriculum_share": (0, 0.25, 0.75), "layers": (1, 2, 3)}
        chosen["gradient_norms"] = (None, True)  # False: see test_values_that_name_a_run_as_the_default_does
        values = (option.default, *option.metadata.get("choices", chosen.get(name, others))[1:3])
        needed = {"cell": {"layers": 2}} if name == "dropout" else NEEDS.get(name, {})
        off, *on = (job_from_config(with_(f"{group}.{name}", v, fitting(name))).run for v in values)
        are_off = switches.keys() - {key for options in needed.values() for key in options}
        assert off.run_id.endswith("-" + name_by_hand(off, are_off))
        assert all(run.run_id.endswith("-" + name_by_hand(run, are_off - {name})) for run in on)
        if len(on) > 1:
            assert (on[0].pack_key == on[1].pack_key) == option.metadata["per_run"]
        assert off.pack_key not in {run.pack_key for run in on}


def test_values_that_name_a_run_as_the_default_does() -> None:
    """A run has one name whether its norms are off or on by themselves; but a pack has them in all its runs or none."""
    named = {f.name: f.metadata["named_as_default"] for _, _, kind in kinds() for f in fields(kind)}
    assert {name: values[1:] for name, values in named.items() if len(values) > 1} == {"gradient_norms": (False,)}
    by_itself, off, on = (run("training.gradient_norms", value) for value in (None, False, True))
    assert by_itself.run_id == off.run_id != on.run_id
    assert len({one.pack_key for one in (by_itself, off, on)}) == 3


def test_a_run_of_one_layer_has_the_name_that_it_had_before_there_were_layers() -> None:
    """As commit c6141c5 of November 2026 named it."""
    config = BASE | {"cell": {"name": "rnn"}, "task": {"name": "adding"}, "optimizer": {"name": "adam"}, "training": {}}
    assert job_from_config(config).run.run_id == "rnn-adding-T100-s3-5fe38176be"
    assert job_from_config(with_("cell.layers", 1, config)).run.run_id == "rnn-adding-T100-s3-5fe38176be"
    assert job_from_config(with_("cell.layers", 2, config)).run.run_id != "rnn-adding-T100-s3-5fe38176be"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cell.layers": 0}, "cell.layers: must be >= 1, got 0"),
        ({"cell.dropout": 0.3}, "cell.dropout: acts between layers, got 0.3 with one; set cell.layers=2 or more"),
        ({"cell.dropout": 1.0, "cell.layers": 2}, "cell.dropout: must be >= 0 and < 1, got 1.0"),
        (
            {"task.name": "reber", "task.gap": 5, "cell.bidirectional": True},
            "cell.bidirectional: must be false for task=reber, whose answers are its next inputs",
        ),
        (
            {"cell.bidirectional": True, "training.truncate": 5},
            "training.truncate: must be null with cell.bidirectional=true, got 5",
        ),
        (
            {"cell.name": "rnn", "cell.layers": 2, "training.omega": 0.5},
            "training.omega: must be 0 with cell.layers > 1 or cell.bidirectional=true, got 0.5",
        ),
        (
            {"cell.layers": 2, "training.h_detach": 0.5, "training.gradient_norms": True},
            "training.gradient_norms: must be off with h_detach with cell.layers > 1 or cell.bidirectional=true",
        ),
    ],
)
def test_options_that_do_not_go_with_layers_are_refused(changes: dict[str, Any], said: str) -> None:
    config = BASE
    for path, value in changes.items():
        config = with_(path, value, config)
    with pytest.raises(SpecError) as error:
        job_from_config(config)
    assert str(error.value) == said


@pytest.mark.parametrize(("probe", "option"), [("lyapunov", "exponents"), ("jacobian", "values")])
def test_a_state_too_large_for_matrices_of_it_is_refused(probe: str, option: str) -> None:
    cell: dict[str, Any] = {"name": "attentive", "hidden_size": 64}
    config = BASE | {"task": {"name": "adding", "gap": 100}, "cell": cell, "probe": {probe: {}}}
    said = rf"probe\.{probe}\.{option}: are of matrices of the whole state, \d+ numbers .* a smaller cell\.memory"
    with pytest.raises(SpecError, match=said):
        job_from_config(config)
    assert job_from_config(config | {"cell": cell | {"memory": 5}}).run.cell == Attentive(hidden_size=64, memory=5)


def test_a_further_probe_is_another_run_whatever_their_order() -> None:
    both = [{"gradient_flow": {}, "parameter_gradient": {}}, {"parameter_gradient": {}, "gradient_flow": {}}]
    specs = [run("probe", chosen) for chosen in both]
    assert specs[0] == specs[1]
    assert len({specs[0].run_id, run().run_id, run("probe", {}).run_id, run("probe", None).run_id}) == 3


def test_a_cell_is_made_for_the_length_of_the_tasks_sequences() -> None:
    """What it is made into is what the run's configuration says, so that a record gives the same run again."""
    spec = job_from_config(BASE | {"cell": {"name": "attentive"}}).run
    assert spec.cell.memory == spec.task.sequence_length - 1
    again = job_from_config(BASE | {"cell": spec.to_dict()["cell"]}).run
    assert (again, again.run_id) == (spec, spec.run_id)


def test_seed_names_another_run_in_the_same_pack() -> None:
    assert run("seed", 4).run_id != run().run_id
    assert run("seed", 4).pack_key == run().pack_key


@pytest.mark.parametrize("group", NAMED)
def test_another_kind_is_another_run_and_another_pack(group: str) -> None:
    specs = [job_from_config(BASE | {group: {"name": name}}).run for name in NAMED[group]]
    assert len({spec.run_id for spec in specs}) == len({spec.pack_key for spec in specs}) == len(specs)


@settings(max_examples=50)
@given(st.data())
def test_a_run_comes_back_from_its_dictionary_and_from_json(data: st.DataObject) -> None:
    config = {}
    for group, table in NAMED.items():
        name = data.draw(st.sampled_from(sorted(table)))
        fields = [f for f in dataclasses.fields(table[name]) if f.name not in BOUND]
        chosen = data.draw(st.lists(st.sampled_from(fields), unique_by=lambda f: f.name)) if fields else []
        config[group] = {"name": name} | {f.name: another(f, f.default) for f in chosen}
    if "dropout" in config["cell"]:
        config["cell"]["layers"] = 2
    if TASKS[config["task"]["name"]]().predicts_inputs:
        config["cell"].pop("bidirectional", None)
    spec = job_from_config(config | {"seed": data.draw(st.integers(0, 2**31 - 1))}).run
    again = job_from_config(json.loads(json.dumps(spec.to_dict()))).run
    assert again == spec
    assert (again.run_id, again.pack_key) == (spec.run_id, spec.pack_key)


def test_a_spec_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        run().seed = 4
    with pytest.raises(dataclasses.FrozenInstanceError):
        run().cell.gain = 2.0
