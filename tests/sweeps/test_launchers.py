"""Launchers: conf/ says what the code says, and each option of each is explained and checked."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
import yaml
from jobs import config

from lrd.paths import CONF
from lrd.spec import SpecError
from lrd.sweeps.launchers import LAUNCHERS, Local, Slurm, launcher_from_options

FOLDER = CONF / "hydra" / "launcher"


def defaults(kind: type[Any]) -> dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("kind", LAUNCHERS.values(), ids=LAUNCHERS)
def test_a_file_gives_the_defaults_of_its_kind_and_explains_each(kind: Any) -> None:
    text = (FOLDER / f"{kind.name}.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    assert values.pop("_target_") == "hydra_plugins.lrd_plugin.PackLauncher"
    assert values.pop("name") == kind.name
    expected = {name: list(v) if isinstance(v, tuple) else v for name, v in defaults(kind).items()}
    assert values == expected
    assert {name: type(v) for name, v in values.items()} == {name: type(v) for name, v in expected.items()}
    for name in expected:
        assert re.search(rf"^{name}: .*  # \w", text, re.MULTILINE), f"{name} is not explained"
    assert isinstance(launcher_from_options({"name": kind.name, **values}), kind)


def test_every_launcher_has_a_file_and_every_file_a_launcher() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(LAUNCHERS) == {Local.name, Slurm.name}


@pytest.mark.parametrize("kind", LAUNCHERS.values(), ids=LAUNCHERS)
def test_every_option_is_explained(kind: Any) -> None:
    assert all(len(field.metadata["help"]) > 3 for field in dataclasses.fields(kind))


@pytest.mark.parametrize(
    ("option", "value"),
    [("time", 0), ("gpus", 2), ("array", 0), ("memory", 0.0), ("setup", "module load x"), ("tme", 1)],
)
def test_a_wrong_option_is_named(option: str, value: object) -> None:
    with pytest.raises(SpecError, match=rf"^hydra\.launcher\.{option}: "):
        launcher_from_options({"name": "slurm", option: value})


def test_jobs_elsewhere_need_no_device_here() -> None:
    from lrd.sweeps.plan import jobs_from_configs

    with pytest.raises(SpecError, match=r"^device: "):
        jobs_from_configs([config(device="cuda:63")])
    assert len(jobs_from_configs([config(device="cuda:63")], here=Slurm.here)) == 1
