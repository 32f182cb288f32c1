"""Which text a run was trained on, and which windows fit it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from texts import written

from lrd.options import OptionError
from lrd.spec import SpecError, job_from_config
from lrd.tasks import Text
from lrd.tasks.corpus import corpus

SEEDS = torch.tensor([3, 2**40])


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("texts"))


def job(**options: object) -> dict[str, object]:
    return {"task": {"name": "text"} | options, "cell": {"name": "rnn"}, "optimizer": {"name": "adam"}}


def test_the_id_of_a_run_tells_texts_apart_but_not_places(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
    here, there = (written(tmp_path / folder) for folder in "ab")
    other = written(tmp_path / "c", seed=1)
    ids = [job_from_config(job(file=path)).run.run_id for path in (here, there, other, None)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_record_says_which_text_and_refuses_another(tmp_path: Path) -> None:
    path = written(tmp_path)
    spec = job_from_config(job(file=path)).run
    kept = json.loads(json.dumps(spec.to_dict()))
    assert kept["task"]["digest"] == corpus(path).digest
    again = job_from_config(kept).run
    assert (again, again.run_id) == (spec, spec.run_id)
    written(tmp_path, words=1600, seed=1)
    with pytest.raises(SpecError, match=r"task\.digest: the text here has the digest .* it is another text"):
        job_from_config(kept)


@pytest.mark.parametrize(("option", "value"), [("gap", 10**9), ("least", 10**9), ("digest", "0"), ("file", "/nowhere")])
def test_options_that_do_not_fit_the_text_are_named(option: str, value: object) -> None:
    with pytest.raises(OptionError) as caught:
        Text(**{option: value})
    assert caught.value.key == option


def test_the_longest_window_is_the_shortest_part_with_its_last_character_as_target(path: str) -> None:
    shortest = min(map(len, corpus(path).parts))
    assert Text(gap=shortest - 1, file=path).batch(SEEDS, "probe", 0, 2).targets.shape == (shortest - 1, 2, 2)
    with pytest.raises(OptionError, match=f"must be < {shortest}, the length"):
        Text(gap=shortest, file=path)


def test_a_window_changes_with_its_length_alone(path: str) -> None:
    task = Text(gap=22, file=path)
    longer = dataclasses.replace(task, gap=40)
    assert (longer.digest, longer.symbols, longer.sequence_length) == (task.digest, task.symbols, 40)
