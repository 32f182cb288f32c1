"""Jobs that SLURM stops, near their time limit or for others, write checkpoints, are requeued and go on."""

from __future__ import annotations

from pathlib import Path

from commands import assert_equal_records
from slurm_commands import Watched, ask, begun, release, submissions, until, updates

from lrd.sweeps.slurm_squeue import Seen


def requeued(sweep: Watched) -> Seen | None:
    return next((job for job in sweep.jobs() if job.state == "PENDING"), None)


def assert_goes_on(sweep: Watched, rnns: Path) -> None:
    """From checkpoints, in the same job, to the same end."""
    until(lambda: begun(sweep))
    job = until(lambda: requeued(sweep)).id
    stopped = updates(sweep.study)
    assert {state for state, _ in stopped.values()} == {"interrupted"}
    assert all(0 < update < 200 for _, update in stopped.values())
    release(job)
    out, _ = sweep.end()
    assert "unfinished" not in out
    assert len(submissions(sweep.study)) == 1
    assert_equal_records(sweep.study, rnns)


def test_near_its_time_limit_a_job_writes_checkpoints_and_goes_on(tmp_path: Path, rnns: Path) -> None:
    # SLURM looks at time limits twice a minute: a job of a minute is told within its first half.
    limits = ["hydra.launcher.time=1", "hydra.launcher.signal_seconds=55"]
    with Watched(tmp_path, *limits, fault="slow:0.2") as sweep:
        assert_goes_on(sweep, rnns)


def test_a_preempted_job_goes_on(tmp_path: Path, rnns: Path) -> None:
    where = ["hydra.launcher.partition=low", "hydra.launcher.gpus=1"]
    with Watched(tmp_path, *where, fault="slow:0.2") as sweep:
        until(lambda: begun(sweep))
        ask("sbatch", "--partition=high", "--gpus-per-node=1", "--output=/dev/null", "--wrap=true")
        assert_goes_on(sweep, rnns)


def imports(sweep: Watched) -> bool:
    """Whether the job's Python is up, long before it can train."""
    lines = [path.read_bytes().split(b"\0") for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return any(
        line[1:4] == [b"-u", b"-m", b"submitit.core._submit"] and str(sweep.study).encode() in line[4] for line in lines
    )


def test_a_signal_while_a_job_imports_is_not_lost(tmp_path: Path, rnns: Path) -> None:
    with Watched(tmp_path) as sweep:
        until(lambda: imports(sweep))
        job = until(lambda: next((j for j in sweep.jobs() if j.at_work), None)).id
        ask("scancel", "--signal=USR2", job)
        until(lambda: requeued(sweep))
        release(job)
        sweep.end()
        assert_equal_records(sweep.study, rnns)


def test_a_job_that_may_not_be_requeued_says_so(tmp_path: Path) -> None:
    with Watched(tmp_path, "hydra.launcher.requeues=0", fault="slow:0.2") as sweep:
        job = until(lambda: begun(sweep)).id
        ask("scancel", "--signal=USR2", job)
        _, err = sweep.end(status=1)
    assert f"2 runs failed: SLURM job {job} stopped with checkpoints and was not requeued: " in err
    assert "(hydra.launcher.requeues)" in err
    assert len(submissions(sweep.study)) == 1
