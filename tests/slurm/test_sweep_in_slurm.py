"""A sweep in SLURM jobs: the same records, the same resume, the same words about failures as of local workers."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import LRD, assert_equal_records, run, run_folders
from slurm_commands import STUDY, Watched, ask, begun, live, submissions, train, until, updates

from lrd.sweeps.launchers import Slurm
from lrd.sweeps.slurm_ledger import Ledger
from lrd.sweeps.slurm_submit import RefusedError, check


def test_a_sweep_leaves_the_records_of_local_workers_bit_for_bit(tmp_path: Path, untouched: Path) -> None:
    both = ["cell=rnn,lstm", "hydra.launcher.array=2"]
    done = train(tmp_path, *both)
    assert_equal_records(tmp_path / STUDY, untouched)
    assert done.stdout.startswith("4 runs: 0 finished before, 4 to train in 2 packs\n")
    assert done.stderr.splitlines()[-1].startswith("0 running, 0 solved, 4 unsolved | ")
    (jobs,) = submissions(tmp_path / STUDY)
    assert sorted(run for runs in jobs for run in runs) == sorted(run_folders(untouched))
    again = train(tmp_path, *both)
    assert again.stdout.startswith("4 runs: 4 finished before, 0 to train in 0 packs\n")
    assert len(submissions(tmp_path / STUDY)) == 1


def test_a_job_that_raises_says_why_and_the_same_command_goes_on(tmp_path: Path, rnns: Path) -> None:
    done = train(tmp_path, "hydra.launcher.retries=0", status=1, fault="raise")
    line = done.stderr.splitlines()[-1]
    assert line.startswith("lrd: 2 runs failed: ValueError: the fault of this test (see runs/scratch/rnn-")
    text = Path(tmp_path, line.partition("(see ")[2].rstrip(")")).read_text(encoding="utf-8")
    assert text.startswith("Traceback")
    assert "\n-- in SLURM job " in text
    assert "2 failed" in done.stderr.splitlines()[-2]
    assert run([LRD, "status", str(STUDY)], tmp_path).stdout.count("the fault of this test") == 2
    train(tmp_path)
    assert_equal_records(tmp_path / STUDY, rnns)


def test_a_job_that_dies_hard_is_noticed_and_tried_again(tmp_path: Path, rnns: Path) -> None:
    train(tmp_path, fault="exit")
    (error, *_) = sorted((tmp_path / STUDY).glob("rnn-*/error.txt"))
    assert " died: srun: error: localhost: task 0: Exited with exit code 9\n" in error.read_text(encoding="utf-8")
    assert error.read_text(encoding="utf-8").endswith("-- tried again\n")
    assert len(submissions(tmp_path / STUDY)) == 2
    assert_equal_records(tmp_path / STUDY, rnns)


def test_a_pack_that_wants_more_memory_is_split(tmp_path: Path, rnns: Path) -> None:
    train(tmp_path, "hydra.launcher.retries=0", "hydra.launcher.packs_per_job=2", fault="memory")
    assert [[len(runs) for runs in jobs] for jobs in submissions(tmp_path / STUDY)] == [[2], [2]]  # in one pack; in two
    assert_equal_records(tmp_path / STUDY, rnns)


def test_what_is_cancelled_writes_checkpoints_and_is_left_alone(tmp_path: Path) -> None:
    with Watched(tmp_path, fault="slow:0.2") as sweep:
        job = until(lambda: begun(sweep)).id
        ask("scancel", job)
        _, err = sweep.end(status=1)
    assert f"lrd: 2 runs failed: SLURM job {job} was cancelled; the same command again goes on (see " in err
    assert len(submissions(sweep.study)) == 1
    assert {state for state, _ in updates(sweep.study).values()} == {"failed"}
    assert len(list(sweep.study.glob("*/checkpoint.pt"))) == 2


def test_an_interrupted_command_leaves_its_jobs_and_the_next_watches_them(tmp_path: Path, untouched: Path) -> None:
    in_two = ["cell=rnn,lstm", "hydra.launcher.max_array_size=1"]
    with Watched(tmp_path, *in_two) as sweep:
        until(lambda: len(sweep.jobs()) == 2 and any(job.at_work for job in sweep.jobs()))
        first, second = sorted(sweep.jobs(), key=lambda job: int(job.id))
        assert (first.at_work, second.state, second.reason) == (True, "PENDING", "Dependency")
        sweep.interrupt()
        _, err = sweep.end(status=130)
        assert live(sweep.ledger)
        advice = f"watch them: lrd status runs/scratch, squeue --name={sweep.ledger.name}; cancel them: scancel "
        assert any(line.startswith(advice) and second.id in line for line in err.splitlines())
        assert err.splitlines()[-1].endswith("the same command again watches the jobs on and submits none twice")
        train(tmp_path, *in_two)
    assert [len(jobs) for jobs in submissions(sweep.study)] == [1, 1]
    assert_equal_records(sweep.study, untouched)


def test_what_slurm_refuses_is_one_line_that_names_the_option(tmp_path: Path) -> None:
    done = train(tmp_path, "hydra.launcher.partition=nope", status=2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("lrd: hydra.launcher.partition: SLURM refuses the jobs: ")
    assert line.endswith(" (got partition=nope); change it")
    assert list(tmp_path.iterdir()) == []
    assert live(Ledger(tmp_path / STUDY)) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (Slurm(constraint="nope"), "constraint"),
        (Slurm(time=100_000), "time"),
        (Slurm(memory=1e6), "memory, cpus, gpus or constraint"),
        (Slurm(qos="nope", time=100_000), "time"),
    ],
)
def test_each_option_that_slurm_refuses_is_named(options: Slurm, named: str) -> None:
    with pytest.raises(RefusedError, match=rf"^hydra\.launcher\.{named}: SLURM refuses the jobs: "):
        check(options)
