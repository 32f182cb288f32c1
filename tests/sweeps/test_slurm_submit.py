"""From packs to arrays, and from SLURM's refusals to options; no SLURM is asked."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import job, pack

from lrd.sweeps import slurm_entry
from lrd.sweeps.launchers import Slurm
from lrd.sweeps.plan import PlannedPack
from lrd.sweeps.slurm_submit import RefusedError, _parameters, _refusal, arrays, check

JOB = job()


@given(packs=st.integers(0, 60), size=st.integers(1, 20), per_job=st.integers(1, 7))
def test_arrays_hold_every_pack_once_in_its_order(packs: int, size: int, per_job: int) -> None:
    planned = [pack(number, JOB) for number in range(packs)]
    parts = arrays(planned, Slurm(max_array_size=size, packs_per_job=per_job))
    flat: list[PlannedPack] = [one for jobs in parts for some in jobs for one in some]
    assert flat == planned
    assert all(1 <= len(jobs) <= size and all(1 <= len(some) <= per_job for some in jobs) for jobs in parts)
    assert len(parts) == math.ceil(math.ceil(packs / per_job) / size)  # as few as can be


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", "partition"),
        ("Batch job submission failed: Invalid account or account/partition combination specified", "account"),
        ("Batch job submission failed: Invalid qos specification", "qos"),
        ("sbatch: error: noise\nallocation failure: Invalid feature specification", "constraint"),
        ("Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)", "time"),
        ("Batch job submission failed: Invalid job array specification", "max_array_size"),
    ],
)
def test_a_refusal_names_the_option_and_its_value(said: str, named: str) -> None:
    options = Slurm(partition="p", account="a", qos="q", constraint="c")
    text = str(_refusal(said, options))
    assert text.startswith(f"hydra.launcher.{named}: SLURM refuses the jobs: ")
    assert text.endswith(f" (got {named}={getattr(options, named)}); change it")
    assert "\n" not in text


@pytest.mark.parametrize("said", ["", "Unable to contact slurm controller (connect failure)"])
def test_a_refusal_that_is_about_no_option_blames_none(said: str) -> None:
    assert str(_refusal(said, Slurm())).startswith("hydra/launcher=slurm: SLURM refuses the jobs: ")


def test_without_sbatch_the_message_shows_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefusedError, match=r"^hydra/launcher=slurm: there is no sbatch here; .*hydra/launcher=local$"):
        check(Slurm())


def test_a_job_imports_what_this_process_would_and_nothing_from_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["", str(tmp_path / "my modules"), *sys.path])
    (tmp_path / "my modules").mkdir()
    (tmp_path / "my modules" / "mine.py").touch()
    (tmp_path / "random.py").write_text("raise SystemExit('of the current folder')")
    lines = _parameters(Slurm(setup=("export PYTHONPATH=/modules",)), "name", "token", None)["setup"]
    python = [sys.executable, "-I", "-S", slurm_entry.__file__, "-u", "-c"]
    script = "\n".join([*lines, '"$@"'])
    done = subprocess.run(
        ["bash", "-c", script, "sh", *python, "import random, mine, sys; print(*sys.path, sep=chr(10))"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, wanted = done.stdout.splitlines(), list(dict.fromkeys(sys.path[1:]))
    assert found[: len(wanted)] == wanted
    assert "/modules" in found
