"""Jobs that SLURM stops, near their time limit or for others, write checkpoints, are requeued and go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from commands import assert_equal_records
from slurm_commands import Watched, ask, begun, held, submissions, until, updates


def assert_requeued(sweep: Watched, least: int) -> None:
    """With checkpoints of all runs at this update or a later one."""
    until(lambda: any(held(job) for job in sweep.jobs()))
    stopped = updates(sweep.study)
    assert {state for state, _ in stopped.values()} <= {"interrupted"}
    assert all(least <= update < 200 for _, update in stopped.values())
    assert len(stopped) == 2 or least == 0


def assert_goes_on(sweep: Watched, rnns: Path) -> None:
    """In the same job, to the same end."""
    until(sweep.over)
    out, _ = sweep.end()
    assert "unfinished" not in out
    assert len(submissions(sweep.study)) == 1
    assert_equal_records(sweep.study, rnns)


def test_near_its_time_limit_a_job_is_requeued_and_goes_on(tmp_path: Path, rnns: Path) -> None:
    # SLURM checks time limits twice a minute, and half a minute ahead: the job gets its signal after 10 to 40 seconds.
    limits = ["hydra.launcher.time=1", "hydra.launcher.signal_seconds=20"]
    with Watched(tmp_path, *limits, fault="slow:0.25") as sweep:
        assert_requeued(sweep, least=0)  # on a busy machine it may not have begun by then
        assert_goes_on(sweep, rnns)


def test_a_preempted_job_writes_checkpoints_and_goes_on(tmp_path: Path, rnns: Path) -> None:
    where = ["hydra.launcher.partition=low", "hydra.launcher.gpus=1"]
    with Watched(tmp_path, *where, fault="slow:0.25") as sweep:
        until(lambda: begun(sweep, update=1))
        ask("sbatch", "--partition=high", "--gpus-per-node=1", "--output=/dev/null", "--wrap=true")
        assert_requeued(sweep, least=1)
        assert_goes_on(sweep, rnns)


def test_a_job_warned_of_its_time_limit_writes_checkpoints_and_goes_on(tmp_path: Path, rnns: Path) -> None:
    with Watched(tmp_path, fault="slow:0.25") as sweep:
        job = until(lambda: begun(sweep, update=1)).id
        ask("scancel", "--signal=USR2", job)
        assert_requeued(sweep, least=1)
        assert_goes_on(sweep, rnns)


def words(processes: Path) -> Iterator[list[bytes]]:
    """The command line of each process."""
    for path in processes.glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended just now
            yield path.read_bytes().split(b"\0")


def imports(sweep: Watched) -> bool:
    """Whether the job's Python is up, long before it can train."""
    start = [b"-P", b"-u", b"-m", b"submitit.core._submit"]
    return any(line[1:5] == start and str(sweep.study).encode() in line[5] for line in words(Path("/proc")))


def test_a_signal_while_a_job_imports_is_not_lost(tmp_path: Path, rnns: Path) -> None:
    with Watched(tmp_path) as sweep:
        until(lambda: imports(sweep))
        job = until(lambda: next((j for j in sweep.jobs() if j.at_work), None)).id
        ask("scancel", "--signal=USR2", job)
        assert_requeued(sweep, least=0)
        assert_goes_on(sweep, rnns)


def test_a_job_that_may_not_be_requeued_says_so(tmp_path: Path) -> None:
    with Watched(tmp_path, "hydra.launcher.requeues=0", fault="slow:0.25") as sweep:
        job = until(lambda: begun(sweep)).id
        ask("scancel", "--signal=USR2", job)
        _, err = sweep.end(status=1)
    assert f"2 runs failed: SLURM job {job} stopped with checkpoints and was not requeued: " in err
    assert "(hydra.launcher.requeues)" in err
    assert len(submissions(sweep.study)) == 1
