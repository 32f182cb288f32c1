"""What squeue says, line by line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lrd.sweeps.slurm_squeue import Seen, jobs_named, parse

TOKEN, OTHER = "0123456789ab", "ba9876543210"


def test_jobs_are_found_by_submission_and_place() -> None:
    text = f"12_0|{TOKEN}|RUNNING|None\n12_10|{TOKEN}|PENDING|JobArrayTaskLimit\n13|{OTHER}|COMPLETED|None\n"
    assert parse(text) == {
        (TOKEN, 0): Seen("12_0", "RUNNING", "None"),
        (TOKEN, 10): Seen("12_10", "PENDING", "JobArrayTaskLimit"),
        (OTHER, 0): Seen("13", "COMPLETED", "None"),
    }


@pytest.mark.parametrize(
    "line",
    ["", "12_0", "12_0|RUNNING", "12_0|(null)|RUNNING|None", f"12_[0-3]|{TOKEN}|PENDING|None", "slurm: error: no"],
)
def test_what_is_not_a_job_of_ours_is_passed_over(line: str) -> None:
    assert parse(f"{line}\n12_1|{TOKEN}|RUNNING|a|b\n") == {(TOKEN, 1): Seen("12_1", "RUNNING", "a|b")}


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL"])
def test_a_job_that_ended_is_neither_waiting_nor_at_work(state: str) -> None:
    assert Seen("12", state).ended
    assert not Seen("12", state).at_work


@pytest.mark.parametrize("state", ["PENDING", "REQUEUED", "REQUEUE_HOLD", "SUSPENDED", "CONFIGURING", "A_NEW_STATE"])
def test_a_job_that_waits_has_not_ended_nor_has_one_in_a_state_of_a_later_slurm(state: str) -> None:
    assert not Seen("12", state).ended
    assert not Seen("12", state).at_work


def squeue(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "squeue"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_a_cluster_that_does_not_answer_is_no_cluster_without_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue(tmp_path, monkeypatch, f"echo '12_0|{TOKEN}|RUNNING|None'")
    assert jobs_named("name") == {(TOKEN, 0): Seen("12_0", "RUNNING", "None")}
    squeue(tmp_path, monkeypatch, "echo 'Unable to contact slurm controller' >&2; exit 1")
    assert jobs_named("name") is None
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert jobs_named("name") is None

    def hangs(*arguments: object, **options: object) -> None:
        raise subprocess.TimeoutExpired("squeue", 60)

    monkeypatch.setattr(subprocess, "run", hangs)
    assert jobs_named("name") is None
