"""What a record holds is described: every file, key, table and column that a run really writes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from commands import LRD, once, run
from helpers import OF_TEXTS

from lrd.probes import PROBES
from lrd.records import open_study, schema
from lrd.records.schema import documents, probe_tables, tables

OPTIONS = ("task", "cell", "optimizer", "training", "evaluation", "probe")
FEW = ("training.max_updates=3", "cell.hidden_size=3", "tracker=none", "task.gap=8", "study=s")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs in which every probe measured, with every option that adds a column."""

    def train(folder: Path) -> None:
        most = f"probe=[{','.join(name for name in PROBES if name not in OF_TEXTS)}]"
        sizes = ("probe.retention.samples=16", "probe.retention.test_samples=16", "training.gradient_norms=true")
        sizes = (*sizes, "evaluation.gaps=[5,12]", "evaluation.gradient_flow=true")
        run([LRD, "train", "task=copy", "cell=rnn", "training.omega=0.1", most, *sizes, *FEW], folder)
        run([LRD, "train", "task=copy", "cell=lstm", most, *sizes, *FEW], folder)
        parts = ("optimizer.schedule=cosine", "training.norm_stabilizer=0.1", "training.curriculum=naive")
        run([LRD, "train", "task=text", f"probe=[{','.join(OF_TEXTS)}]", *parts, *FEW], folder)

    return once(tmp_path_factory, "described", train) / "runs" / "s"


def described(name: str, names: Iterable[str]) -> bool:
    """Whether a name or pattern describes it; a pattern may be several, with commas."""
    return any(fnmatchcase(name, part) for pattern in names for part in pattern.split(", "))


def keys(value: dict[str, Any], known: Iterable[str], prefix: str = "") -> Iterator[str]:
    """Dotted names of the keys of a JSON object, as deep as what is known of it."""
    for key, item in value.items():
        deeper = any(name.startswith(f"{prefix}{key}.") for name in known)
        if isinstance(item, dict) and deeper:
            yield from keys(item, known, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.mark.slow
def test_every_column_that_runs_write_is_described(study: Path) -> None:
    found = open_study(study)
    every = {name: {column: kind for column, kind, _ in columns} for name, _, columns in schema.schema_tables()}
    assert {"runs", *found.tables} == set(every)
    for name in found.tables:
        relation = found.sql(f"from {name}")
        assert relation.columns[0] == "run_id"
        for column, kind in list(zip(relation.columns, map(str, relation.types), strict=True))[1:]:
            assert described(column, every[name]), f"{name}.{column}"
            assert every[name].get(column, kind) == kind, f"{name}.{column}"
    for column in found.runs.columns:
        option = column.startswith(tuple(f"{group}_" for group in OPTIONS)) and "<group>_<option>" in every["runs"]
        assert option or described(column, every["runs"]), column


@pytest.mark.slow
def test_every_key_that_runs_write_is_described_by_its_name(study: Path) -> None:
    for name, _, entries in schema.schema_files():
        known = [key for key, _, _ in entries if key != "*"]
        for file in study.glob(f"*/{name}"):
            for key in keys(json.loads(file.read_text()), known):
                assert described(key, known), f"{name}: {key}"


@pytest.mark.slow
def test_every_file_that_runs_write_is_described(study: Path) -> None:
    for path in study.glob("*/*"):
        assert described(path.name, [*documents.JSON_FILES, *documents.OTHER_FILES]), path.name


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_a_probe_has_the_columns_that_are_described(probe: Any) -> None:
    every = tables.STUDY_TABLES | probe_tables.PROBE_TABLES
    for name, columns in probe.tables().items():
        kinds = schema.types_of(every[name][1])
        assert {"update": schema.INTEGER, **columns} == kinds


def test_every_further_table_is_of_a_probe() -> None:
    assert set(probe_tables.PROBE_TABLES) == (set(PROBES) | {"text_activations"}) - {"gradient_flow"}


def test_descriptions_for_the_docs_are_whole() -> None:
    for name, description, columns in schema.schema_tables() + schema.schema_files():
        assert description.endswith("."), name
        assert len({column for column, _, _ in columns}) == len(columns)
        for column, kind, meaning in columns:
            assert kind, f"{name}.{column}"
            assert meaning, f"{name}.{column}"
            assert "\n" not in meaning, f"{name}.{column}"


def test_dotted_names_become_nested_types() -> None:
    column = schema.Column
    found = schema.declared_by(
        {"a": column("X", ""), "b.c": column("Y", ""), "b.*": column("Z", ""), "d_*": column("W", "")}
    )
    assert found == {"a": "X", "b": {"c": "Y", "*": "Z"}}
