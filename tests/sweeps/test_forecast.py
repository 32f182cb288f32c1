"""An estimate as a user reads it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jobs import job, pack

from lrd.sweeps.estimate import Estimate, Group
from lrd.sweeps.forecast import forecast


def group(number: int, runs: int, seconds: float, size: int, recorded: bool = False, **options: Any) -> Group:
    jobs = [job("/nowhere", seed=seed, **options) for seed in range(runs)]
    return Group(jobs[0].run, (pack(number, *jobs),), seconds, size, recorded)


ONE = group(0, 2, 30.0, 5_000_000)
WHOLE = Estimate(
    (ONE,), workers=2, seconds=1234, bytes=610_000_000, pack_bytes=5_000_000, shared_bytes=300_000_000, on_gpu=False,
    measured=0.6, load=0.1,
)  # fmt: skip


def lines(estimate: Estimate) -> list[str]:
    return forecast(estimate).splitlines()


def test_it_says_how_long_how_large_and_how_it_is_known() -> None:
    time, memory, source, blank, *table = lines(WHOLE)
    assert time == "about 21 min with 2 workers, at most: runs that are solved early end early"
    assert memory.startswith("about 610 MB of memory at the peak: 300 MB for lrd itself, 80 MB a worker and up to ")
    assert memory.endswith(" and up to 5 MB for the largest pack")
    assert source == "time from a calibration on this machine, of about 0.6 s"
    assert blank == ""
    assert table[2].split("  ")[0] == "adding"
    assert table[2].split() == ["adding", "4", "rnn", "3", "2", "1", "2", "12", "30", "s", "5", "MB"]


def test_a_busy_machine_is_named() -> None:
    assert lines(replace(WHOLE, load=1.5))[2].endswith("0.6 s; it is busy now, which makes training longer")


def test_one_worker_is_the_process_itself() -> None:
    time, memory, *_ = lines(replace(WHOLE, workers=1))
    assert "with one worker, at most" in time
    assert "300 MB for lrd itself and up to 5 MB" in memory


def test_a_gpu_is_named() -> None:
    assert lines(replace(WHOLE, on_gpu=True))[1].endswith("up to 5 MB on its GPU")


def test_records_are_named_where_they_tell_the_time() -> None:
    known = replace(ONE, recorded=True)
    assert lines(replace(WHOLE, groups=(known,), measured=0.0))[2] == "time from finished runs of the same kind"
    assert lines(replace(WHOLE, groups=(known, ONE)))[2].startswith(
        "time from finished runs of the same kind (1 of 2 kinds), else from a calibration on this machine"
    )


def test_groups_that_the_table_cannot_tell_apart_are_one_row_with_the_largest_pack() -> None:
    other = group(1, 5, 90.0, 4_000_000, optimizer_name="sgd")
    named = group(2, 1, 1.0, 1_000_000, cell_label="other")
    rows = lines(replace(WHOLE, groups=(ONE, other, named)))[6:]
    assert [row.split()[2] for row in rows] == ["other", "rnn"]
    assert rows[1].split()[4:] == ["7", "2", "2-5", "12", "90", "s", "5", "MB"]
