"""Hypotheses go to the folder of a study and come back; what is broken is named and nobody else minds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lrd.findings import (
    HYPOTHESES,
    HypothesisError,
    hypotheses_from,
    read_hypotheses,
    write_hypotheses,
)
from lrd.paths import CONF
from lrd.records import RecordError, RunRecord, open_study

TREE = {
    "far": {"says": "Größer: “ja”.", "measure": "share", "of": "cell = 'lstm'", "above": 0.5},
    "near": {"says": "No.", "measure": "median", "number": "test_loss", "of": "true", "within": [-1e-3, 2]},
}


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    assert read_hypotheses(tmp_path) == []
    file = write_hypotheses(tmp_path, TREE)
    assert file == tmp_path / HYPOTHESES
    assert read_hypotheses(tmp_path) == read_hypotheses(file) == hypotheses_from(TREE)
    write_hypotheses(tmp_path, {"far": TREE["far"]})
    assert len(read_hypotheses(str(tmp_path))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [HYPOTHESES]  # and nothing half written


@pytest.mark.parametrize("key", ["hypotheses", "claims"])
def test_the_former_names_of_file_and_key_are_read(key: str, tmp_path: Path) -> None:
    former = tmp_path / "claims.yaml"
    former.write_text(yaml.safe_dump({key: TREE}))
    assert read_hypotheses(tmp_path) == read_hypotheses(former) == hypotheses_from(TREE)
    former.write_text(f"{key}: {{bad: 1}}")
    with pytest.raises(HypothesisError, match=f"{key}.bad: must hold says"):
        read_hypotheses(tmp_path)
    write_hypotheses(tmp_path, {"far": TREE["far"]})
    assert [path.name for path in tmp_path.iterdir()] == [HYPOTHESES]
    former.write_text(f"{key}: {{bad: 1}}")
    assert len(read_hypotheses(tmp_path)) == 1


def test_both_keys_in_one_file_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "both.yaml"
    file.write_text(yaml.safe_dump({"hypotheses": TREE, "claims": TREE}))
    with pytest.raises(HypothesisError) as caught:
        read_hypotheses(file)
    assert str(caught.value) == f"{file} has hypotheses: and claims:, its former name; keep hypotheses: alone"


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="its folder is gone"):
        write_hypotheses(tmp_path / "gone", TREE)
    with pytest.raises(HypothesisError, match="there is no file of hypotheses at"):
        read_hypotheses(tmp_path / "gone" / HYPOTHESES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hypotheses: [", "is not YAML"),
        ("hypotheses:\n  a: 1\n  a: 2\n", "the key 'a' stands twice"),
        ("says: something\n", "has no key hypotheses: at its top"),
        ("", "has no key hypotheses: at its top"),
        ("hypotheses: much\n", "must map the name of each hypothesis"),
        ("hypotheses:\n  a:\n    says: It.\n", "hypotheses.a: measure is missing"),
        ("hypotheses: !!python/object:os.system {}\n", "is not YAML"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / HYPOTHESES).write_text(text)
    with pytest.raises(HypothesisError) as caught:
        read_hypotheses(tmp_path)
    assert words in str(caught.value)
    assert str(tmp_path / HYPOTHESES) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / HYPOTHESES).write_bytes(b"hypotheses: \xff\xfe")
    with pytest.raises(HypothesisError, match="cannot read"):
        read_hypotheses(tmp_path)


def test_readers_of_records_do_not_mind_the_file(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "made", "a")
    record.create(
        {"spec": {"task": {"name": "copy", "gap": 3}, "cell": {"name": "rnn"}, "seed": 0}, "task": {}, "parameters": 1}
    )
    for text in ("hypotheses: {}", "hypotheses: ["):
        (tmp_path / "made" / HYPOTHESES).write_text(text)
        study = open_study(tmp_path / "made")
        assert study.problems == study.check() == []
        assert len(study.columns("from runs")["run_id"]) == 1


EXPERIMENTS = (CONF / "experiment").resolve()


@pytest.mark.parametrize(
    ("file", "least"),
    [(file, 3) for file in sorted(EXPERIMENTS.glob("*.yaml"))]
    + [(file, 1) for file in sorted((EXPERIMENTS / "papers").glob("*.yaml"))],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_every_study_of_experiments_has_hypotheses_each_with_a_sentence_of_its_own(file: Path, least: int) -> None:
    hypotheses = read_hypotheses(file)
    assert len(hypotheses) >= least
    assert len({hypothesis.says for hypothesis in hypotheses}) == len(hypotheses)
