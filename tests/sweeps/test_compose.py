"""Composing fast gives what Hydra itself composes, and calls Hydra once for each combination of groups."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig

from lrd.paths import CONF
from lrd.sweeps.compose import OverrideError, apply_override, compose_jobs, plain


class Counting:
    """Hydra's own composition, which counts how often it is asked."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, overrides: list[str]) -> DictConfig:
        self.calls.append(overrides)
        return compose("config", overrides)

    @staticmethod
    def is_group(key: str) -> bool:
        return bool(GlobalHydra.instance().config_loader().get_group_options(key))


@pytest.fixture
def hydra() -> Iterator[Counting]:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        yield Counting()


def compose_one(hydra: Counting, *overrides: str) -> dict[str, Any]:
    return compose_jobs([overrides], hydra, hydra.is_group)[0]


JOBS = [
    [],
    ["task.gap=7"],
    ["task=adding", "task.gap=7"],
    ["task.gap=7", "task=delay"],  # a group swapped after the value of an option of it
    ["task=copy", "task=adding", "seed=1", "seed=2"],  # the last one counts
    ["cell=rnn", "optimizer=sgd", "training.truncate=5", "probe=none", "tracker=none"],
    ["+cell.hiden=3"],
    ["+new=3", "+cell.a.b=1"],
    ["++cell.hidden_size=3", "++cell.hiden=4"],
    ["+cell.label=lstm"],  # null counts as absent
    ["~task.gap"],
    ["~task.gap=20"],
    ["~seed", "++seed=4"],
    ["+task.lengths=[1,2,3]", "cell.label=[a,'b c']"],
    ["+task.more={a: 1, b: [x, {c: null}]}"],
    ["seed=${training.batch_size}", "cell.label=${task.name}-${seed}"],
    ["training.max_updates=${training.eval_every}", "training=default"],
    ["study='1'", "runs_dir=a/b c", "cell.label='x,y'", 'optimizer.clip="none"'],
    ["optimizer.lr=1e-4", "cell.gain=-.5", "optimizer.eps=nan", "training.stop_when_solved=off"],
    ["task.gap=null", "cell.label="],
    ["cell={hidden_size: 3}"],
    ["hydra.launcher.workers=2", "seed=3"],
]


@pytest.mark.slow_but(8)
@pytest.mark.parametrize("overrides", JOBS, ids=" ".join)
def test_composes_what_hydra_composes(hydra: Counting, overrides: list[str]) -> None:
    expected = plain(compose("config", overrides))
    # repr, for nan is not equal to itself and True is equal to 1
    assert repr(sorted(compose_one(hydra, *overrides).items())) == repr(sorted(expected.items()))


@pytest.mark.slow_but(3)
@pytest.mark.parametrize(
    ("override", "key"),
    [
        ("cell.hiden=3", "cell.hiden"),
        ("foo=3", "foo"),
        ("~cell.hiden", "cell.hiden"),
        ("~task.gap=21", "task.gap"),
        ("cell.hidden_size.x=3", "cell.hidden_size.x"),
        ("training.a.b=3", "training.a.b"),
        ("+cell.hidden_size=3", "cell.hidden_size"),
        ("+seed=3", "seed"),
    ],
)
def test_a_wrong_key_is_an_error_that_names_it_wherever_hydra_refuses_it(
    hydra: Counting, override: str, key: str
) -> None:
    with pytest.raises(HydraException):
        compose("config", [override])
    with pytest.raises(OverrideError, match=rf"^{key}: ") as caught:
        compose_one(hydra, override)
    assert caught.value.key == key


def test_hydra_composes_once_for_each_combination_of_groups(hydra: Counting) -> None:
    axes = [["task=copy", "task=adding"], ["cell=rnn"], ["task.gap=3", "task.gap=4"], [f"seed={n}" for n in range(10)]]
    jobs = list(product(*axes))
    configs = compose_jobs(jobs, hydra, hydra.is_group)
    assert hydra.calls == [["task=copy", "cell=rnn"], ["task=adding", "cell=rnn"]]
    assert [(c["task"]["name"], c["task"]["gap"], c["seed"]) for c in configs] == [
        (t.removeprefix("task="), int(gap[-1]), int(seed[-1])) for t, _, gap, seed in jobs
    ]


def test_hydra_is_asked_once_for_each_key_whether_it_chooses_a_file(hydra: Counting) -> None:
    asked: list[str] = []

    def is_group(key: str) -> bool:
        asked.append(key)
        return hydra.is_group(key)

    compose_jobs([[f"seed={n}", "cell=rnn", f"task.gap={n + 1}"] for n in range(5)], hydra, is_group)
    assert sorted(asked) == ["cell", "seed", "task.gap"]


def test_jobs_of_one_combination_share_no_values(hydra: Counting) -> None:
    first, second = compose_jobs([["seed=0"], ["seed=1"]], hydra, hydra.is_group)
    first["task"]["gap"] = -1
    assert second["task"]["gap"] == 20


def test_an_override_is_made_in_place() -> None:
    parser, config = OverridesParser.create(), {"a": {"b": 1}}
    for text in ("a.b=2", "+a.c=3", "++d.e.f=[4]", "~a.b=2"):
        apply_override(config, parser.parse_override(text))
    assert config == {"a": {"c": 3}, "d": {"e": {"f": [4]}}}
