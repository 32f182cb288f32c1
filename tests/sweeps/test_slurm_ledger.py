"""Which runs were sent in which jobs, whatever happened to the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrd.records import RecordError
from lrd.sweeps.slurm_ledger import Ledger


def read(study: Path) -> Ledger:
    ledger = Ledger(study)
    ledger.read()
    return ledger


def test_what_was_written_is_read(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.intend("aa", [["r1", "r2"], ["r3"]])
    ledger.submitted("aa", "12")
    ledger.intend("bb", [["r1"]])  # and its command was killed before it heard from SLURM
    for known in (ledger, read(tmp_path)):
        assert known.carried == {("aa", 0): ("r1", "r2"), ("aa", 1): ("r3",), ("bb", 0): ("r1",)}
        assert known.ids == {"aa": "12"}


def test_a_study_without_jobs_has_none(tmp_path: Path) -> None:
    assert read(tmp_path / "study").carried == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", range(1, 30))
def test_a_last_line_cut_off_says_nothing_and_spoils_nothing(tmp_path: Path, size: int) -> None:
    ledger = Ledger(tmp_path)
    ledger.intend("aa", [["r1"]])
    whole = ledger.path.read_bytes()
    ledger.intend("bb", [["r2"]])
    assert len(ledger.path.read_bytes()) > len(whole) + size
    ledger.path.write_bytes(ledger.path.read_bytes()[: len(whole) + size])
    assert read(tmp_path).carried == {("aa", 0): ("r1",)}
    read(tmp_path).intend("cc", [["r3"]])
    assert read(tmp_path).carried == {("aa", 0): ("r1",), ("cc", 0): ("r3",)}


@pytest.mark.parametrize("line", ["[]", "3", "{}", '{"token": "bb", "runs": 3}', '{"runs": [["r"]]}', "\ufffd\x00"])
def test_a_damaged_line_is_passed_over(tmp_path: Path, line: str) -> None:
    ledger = Ledger(tmp_path)
    ledger.intend("aa", [["r1"]])
    with ledger.path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    assert read(tmp_path).carried == {("aa", 0): ("r1",)}


def test_a_ledger_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "submitted.jsonl").mkdir()
    with pytest.raises(RecordError, match=r"cannot write .*submitted\.jsonl: a folder stands in the place"):
        Ledger(tmp_path).intend("aa", [["r1"]])


def test_jobs_of_different_folders_have_different_names_that_slurm_takes(tmp_path: Path) -> None:
    studies = [tmp_path / "a" / "gap wall|x", tmp_path / "b" / "gap wall|x", tmp_path / ("long" * 40)]
    names = [Ledger(study).name for study in studies]
    assert len(set(names)) == 3
    assert names[0].startswith("lrd-gap_wall_x-")
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-.") and len(name) < 60 for name in names)
