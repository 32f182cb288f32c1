"""conf/ says what the code says: every option of every kind, with the same value; every study says what it tests."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lrd.cells import CELLS, RNN, Cell
from lrd.figures.scripts import FIGURES
from lrd.findings import read_paper
from lrd.paths import CONF
from lrd.probes import PROBES, Probe
from lrd.records import RunRecord
from lrd.spec import OPTIMIZERS, Evaluation, Place, Seed, TrackerOptions, Training, job_from_config
from lrd.tasks import TASKS

EXPERIMENTS = (CONF / "experiment").resolve()
PAPERS = sorted((EXPERIMENTS / "papers").glob("*.yaml"))
STUDIES = [*sorted(EXPERIMENTS.glob("*.yaml")), *PAPERS]
NAMED: dict[str, dict[str, type[Any]]] = {"task": TASKS, "cell": CELLS, "optimizer": OPTIMIZERS}
#: Kinds under another name of the literature: options of theirs, chosen.
ALIASES: list[tuple[str, str, type[Any]]] = [("cell", "irnn", RNN), ("cell", "nprnn", RNN)]
FILES: list[tuple[str, str, type[Any]]] = [
    *((group, name, kind) for group, kinds in NAMED.items() for name, kind in kinds.items()),
    *ALIASES,
    ("training", "default", Training),
    ("evaluation", "default", Evaluation),
    *(("probe", name, kind) for name, kind in PROBES.items()),
    ("tracker", "wandb", TrackerOptions),
    ("tracker", "none", TrackerOptions),
]
#: Files that are there to say something else than the code's defaults, and what.
DIFFERENT: dict[tuple[str, str], dict[str, Any]] = {
    ("cell", "irnn"): {"label": "irnn", "activation": "relu", "init": "identity", "input_std": 0.001},
    ("cell", "nprnn"): {"label": "nprnn", "activation": "relu", "init": "positive"},
    ("optimizer", "rmsprop_urnn"): {"clip": "value"},  # as in the paper
    ("optimizer", "sgd"): {"lr": 0.01},  # needs a larger one than the adaptive ones
    ("tracker", "none"): {"name": "none", "mode": "disabled"},
}
#: The task of a probe that does not measure every one.
TASK_OF = {"closing": "text", "text_units": "text"}


def read(path: Path) -> dict[str, Any]:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def defaults(kind: type[Any], name: str | None = None) -> dict[str, Any]:
    values = {field.name: field.default for field in dataclasses.fields(kind)}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return values | ({} if name is None else {"name": name})


@pytest.mark.parametrize(("group", "name", "kind"), FILES, ids=lambda value: value if isinstance(value, str) else "")
def test_a_file_gives_the_defaults_of_its_kind(group: str, name: str, kind: type[Any]) -> None:
    expected = defaults(kind, kind.name if group in NAMED else None)
    different = DIFFERENT.get((group, name), {})
    assert all(expected[key] != value for key, value in different.items()), "no difference any more"
    values = read(CONF / group / f"{name}.yaml")
    assert values == expected | different
    assert {key: type(value) for key, value in values.items()} == {
        key: type(value) for key, value in (expected | different).items()
    }


def test_every_kind_has_a_file_and_every_file_a_kind() -> None:
    groups = {path.name for path in CONF.iterdir() if path.is_dir()} - {"hydra", "experiment"}
    assert {(path.parent.name, path.stem) for group in groups for path in (CONF / group).glob("*")} == {
        (group, name) for group, name, _ in FILES
    } | {("probe", "none"), ("cell", "custom"), ("task", "custom"), ("probe", "custom")}
    assert read(CONF / "probe" / "none.yaml") == {}


def test_a_custom_cell_task_or_probe_has_what_every_one_has() -> None:
    assert read(CONF / "cell" / "custom.yaml") == {"name": "custom", "path": "???", **defaults(Cell)}
    assert read(CONF / "task" / "custom.yaml") == {"name": "custom", "path": "???", "gap": None}
    assert read(CONF / "probe" / "custom.yaml") == {"path": "???", **dict.fromkeys(defaults(Probe))}


def test_the_top_level_gives_the_defaults_of_place_and_seed() -> None:
    values = read(CONF / "config.yaml")
    expected = defaults(Place) | defaults(Seed)
    assert {key: value for key, value in values.items() if key not in ("defaults", "hydra")} == expected
    groups = {key for entry in values["defaults"] if isinstance(entry, dict) for key in entry}
    assert {"task", "cell", "optimizer", "training", "evaluation", "probe", "tracker", "experiment"} <= groups


def test_every_default_is_a_run_that_is_allowed() -> None:
    def chosen(group: str, name: str) -> dict[str, Any]:
        values = read(CONF / group / f"{name}.yaml")
        return {group: {name: values} if group == "probe" else values}

    config: dict[str, Any] = {}
    for group, name, _ in FILES:
        config |= chosen(group, name)
    config["probe"] = {}
    seen = set()
    for group, name, _ in FILES:
        task = chosen("task", TASK_OF[name]) if name in TASK_OF else {}
        job = job_from_config(config | task | chosen(group, name))
        seen.add(RunRecord("runs", "s", job.run.run_id).path)
    assert len(seen) > 5


@pytest.mark.parametrize("kind", [kind for _, _, kind in FILES] + [Place, Seed], ids=lambda kind: kind.__name__)
def test_every_option_is_explained(kind: type[Any]) -> None:
    assert all(len(field.metadata["help"]) > 3 for field in dataclasses.fields(kind))


def test_there_is_a_study() -> None:
    assert "demo" in [path.stem for path in STUDIES]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_begins_with_its_command_and_says_what_it_tests(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# @package _global_"
    assert lines[1] == f"# lrd train experiment={path.relative_to(EXPERIMENTS).with_suffix('').as_posix()}"
    assert lines[2] == "#"
    comment = " ".join(
        line.removeprefix("#").strip() for line in lines[: next(i for i, s in enumerate(lines) if not s)]
    )
    hypothesis = comment.partition("Hypothesis: ")[2]
    assert lines[3].startswith("# Hypothesis: "), "what it tests comes first"
    assert len(hypothesis.split()) >= 10, "a study needs a comment `# Hypothesis: ...` that says what it tests"
    values = read(path)
    assert values["study"] == path.stem, "a study's records lie in the folder of its name"
    assert values["hydra"]["mode"] == "MULTIRUN", "a study sweeps by itself"


def test_studies_have_names_of_their_own() -> None:
    assert len({path.stem for path in STUDIES}) == len(STUDIES)
    files = {path for path in EXPERIMENTS.rglob("*") if path.is_file() and path.parent.name != "__pycache__"}
    assert {path for path in files if path.suffix == ".yaml"} == set(STUDIES), "a study lies in experiments/ or papers/"
    beside = {path for path in files if path.suffix == ".py" and path.with_suffix(".yaml") not in STUDIES}
    papers = {path.stem.split("_")[0] for path in PAPERS}
    named = "code beside a study has its name, or begins with its paper's, as in hochreiter1997_by_the_appendix.py"
    assert {path.stem.split("_")[0] for path in beside} <= papers, named
    assert {path.suffix for path in files} <= {".yaml", ".py"}


def test_studies_in_papers_re_run_a_published_result_and_others_do_not() -> None:
    for path in STUDIES:
        paper = read_paper(path)
        assert (paper is not None) == (path in PAPERS), path.name
        assert paper is None or paper.figure in FIGURES


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_what_a_study_found_names_where_it_was_seen(path: Path) -> None:
    """Counts differ by a run or two between processors and versions of torch."""
    comment = "\n".join(
        line[1:].strip() for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")
    )
    for paragraph in comment.split("\n\n"):
        if paragraph.startswith("Found"):
            assert re.match(r"Found \([^)]*cores[^)]*torch \d+\.\d+[^)]*20\d\d[^)]*\):", " ".join(paragraph.split()))


def test_a_count_is_stated_where_the_machine_is_named_alone() -> None:
    """What stands before ``Found`` is the question: it says what is tested, not how often it was seen.

    Files of published results have the counts of their papers.
    """
    for path in (path for path in STUDIES if path not in PAPERS):
        before = path.read_text(encoding="utf-8").partition("# Found")[0]
        assert not re.search(r"\b\d+ of \d+\b", before), path.name
