"""Tables that are not what was written: whatever befell them, no number of theirs is read."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from made import make_record

from lrd.records import RunRecord, open_study, schema
from lrd.records.checksums import damaged_tables, kept_sums, sums_of

FLIPS = 12
TABLES = (schema.METRICS, schema.GRADIENT_FLOW, schema.GRADIENT_FIT)


def flip(path: Path, chance: random.Random) -> None:
    """One bit anywhere in a file."""
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[RunRecord, RunRecord]:
    return make_record(tmp_path, "a"), make_record(tmp_path, "b")


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("file", TABLES)
def test_a_flipped_bit_of_a_finished_run_is_named_wherever_it_is(pair: tuple[RunRecord, RunRecord], file: str) -> None:
    victim, other = pair
    whole = (victim.path / file).read_bytes()
    for seed in range(FLIPS):
        (victim.path / file).write_bytes(whole)
        flip(victim.path / file, random.Random(seed))
        study = open_study(victim.path.parent)
        table = file.removesuffix(".parquet")
        assert study.columns(f"select distinct run_id from {table}")["run_id"].tolist() == [other.run_id]
        assert study.problems == [f"cannot read {victim.path / file}: it is damaged or cut off; left out"]


@pytest.mark.parametrize("file", TABLES)
def test_a_table_that_is_gone_is_named(pair: tuple[RunRecord, RunRecord], file: str) -> None:
    victim, _ = pair
    (victim.path / file).unlink()
    assert open_study(victim.path.parent).check() == [f"cannot read {victim.path / file}: it is gone; left out"]
    assert len(damaged_tables(victim.path)) == 1


def test_a_run_that_is_finished_anew_has_new_sums(pair: tuple[RunRecord, RunRecord]) -> None:
    record, _ = pair
    assert kept_sums(record.path) == sums_of(record.path)
    record.metrics({"update": [0, 10, 20], "eval_loss": [3.0, 2.0, 1.0]})
    assert kept_sums(record.path) != sums_of(record.path)
    record.finish({"outcome": "solved", "update": 20})
    assert kept_sums(record.path) == sums_of(record.path)
    assert open_study(record.path.parent).check() == []


@pytest.mark.slow
@pytest.mark.parametrize("file", TABLES)
def test_what_cannot_be_read_of_a_run_without_sums_is_left_out_and_raises_nothing(tmp_path: Path, file: str) -> None:
    """A bit in the middle may go unnoticed there; where it is noticed, the file is named and the query answered."""
    victim, other = (make_record(tmp_path, name, finished=False) for name in "ab")
    whole = (victim.path / file).read_bytes()
    named = 0
    for seed in range(4 * FLIPS):
        (victim.path / file).write_bytes(whole)
        flip(victim.path / file, random.Random(seed))
        study = open_study(victim.path.parent)
        found = set(study.columns(f"from {file.removesuffix('.parquet')}")["run_id"])
        assert other.run_id in found
        assert (victim.run_id in found) == (study.problems == [])
        named += len(study.problems)
    assert named > 0


def test_a_measurement_taken_afterwards_is_kept_with_its_checksum(pair: tuple[RunRecord, RunRecord]) -> None:
    record, _ = pair
    types = {"t": "BIGINT", "x": "DOUBLE"}
    for update in (20, 0):
        record.merge_measurement("mine", update, {"t": np.arange(2), "x": np.array([update, np.nan])}, types)
        assert kept_sums(record.path) == sums_of(record.path)
    record.merge_measurement("mine", 20, {"t": np.arange(1), "x": np.array([0.5])}, types)
    assert kept_sums(record.path) == sums_of(record.path)
    study = open_study(record.path.parent)
    assert study.sql('select run_id, "update", t, x::varchar from mine').fetchall() == [
        ("a", 0, 0, "0.0"), ("a", 0, 1, "nan"), ("a", 20, 0, "0.5")
    ]  # fmt: skip
    assert study.check() == []
    flip(record.path / "mine.parquet", random.Random(0))
    assert open_study(record.path.parent).check() == [
        f"cannot read {record.path / 'mine.parquet'}: it is damaged or cut off; left out"
    ]
