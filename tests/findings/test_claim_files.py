"""Claims go to the folder of a study and come back; what is broken is named and nobody else minds."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrd.findings import CLAIMS, ClaimError, claims_from, read_claims, write_claims
from lrd.paths import CONF
from lrd.records import RecordError, RunRecord, open_study

TREE = {
    "far": {"says": "Größer: “ja”.", "measure": "share", "of": "cell = 'lstm'", "above": 0.5},
    "near": {"says": "No.", "measure": "median", "number": "test_loss", "of": "true", "within": [-1e-3, 2]},
}


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    assert read_claims(tmp_path) == []
    file = write_claims(tmp_path, TREE)
    assert file == tmp_path / CLAIMS
    assert read_claims(tmp_path) == read_claims(file) == claims_from(TREE)
    write_claims(tmp_path, {"far": TREE["far"]})
    assert len(read_claims(str(tmp_path))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [CLAIMS]  # and nothing half written


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="its folder is gone"):
        write_claims(tmp_path / "gone", TREE)
    with pytest.raises(ClaimError, match="there is no file of claims at"):
        read_claims(tmp_path / "gone" / CLAIMS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("claims: [", "is not YAML"),
        ("claims:\n  a: 1\n  a: 2\n", "the key 'a' stands twice"),
        ("says: something\n", "has no key claims: at its top"),
        ("", "has no key claims: at its top"),
        ("claims: much\n", "must map the name of each claim"),
        ("claims:\n  a:\n    says: It.\n", "claims.a: measure is missing"),
        ("claims: !!python/object:os.system {}\n", "is not YAML"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / CLAIMS).write_text(text)
    with pytest.raises(ClaimError) as caught:
        read_claims(tmp_path)
    assert words in str(caught.value)
    assert str(tmp_path / CLAIMS) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / CLAIMS).write_bytes(b"claims: \xff\xfe")
    with pytest.raises(ClaimError, match="cannot read"):
        read_claims(tmp_path)


def test_readers_of_records_do_not_mind_the_file(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "made", "a")
    record.create(
        {"spec": {"task": {"name": "copy", "gap": 3}, "cell": {"name": "rnn"}, "seed": 0}, "task": {}, "parameters": 1}
    )
    for text in ("claims: {}", "claims: ["):
        (tmp_path / "made" / CLAIMS).write_text(text)
        study = open_study(tmp_path / "made")
        assert study.problems == study.check() == []
        assert len(study.columns("from runs")["run_id"]) == 1


@pytest.mark.parametrize("file", sorted((CONF / "experiment").resolve().glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_of_experiments_has_claims_each_with_a_sentence_of_its_own(file: Path) -> None:
    claims = read_claims(file)
    assert len(claims) >= 3
    assert len({claim.says for claim in claims}) == len(claims)
