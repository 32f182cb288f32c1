"""What ``lrd doctor`` says of machine, storage, graphs and services, whatever machine it is."""

from __future__ import annotations

import builtins
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lrd.cells import RNN
from lrd.doctor import graphs, machine, pdf, slurm, storage, versions, wandb_login
from lrd.doctor.finding import Finding
from lrd.report import pdf as report_pdf
from lrd.sweeps import slurm_squeue

RUNS = Path("runs")


def only(findings: Any, name: str) -> Finding:
    (found,) = (each for each in findings if each.name == name)
    return found


# -- versions ----------------------------------------------------------------------------------------------------------


def test_versions_are_those_that_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {each.name: each for each in versions.findings(RUNS)}
    assert found["torch"].facts == {"version": found["torch"].value}
    assert found["torch"].value.split("+")[0] == torch.__version__.split("+")[0]
    assert found["python"].value.startswith(".".join(map(str, sys.version_info[:3])))
    assert {each.state for each in found.values()} <= {"ok", "note"}


def test_what_is_not_installed_fails_only_where_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise versions.PackageNotFoundError(name)

    monkeypatch.setattr(versions, "version", missing)
    found = {each.name: each for each in versions.findings(RUNS)}
    assert (found["duckdb"].state, found["duckdb"].way_out) == ("failed", "pip install duckdb")
    assert (found["weasyprint"].state, found["weasyprint"].way_out) == ("note", "pip install 'lrd[report]'")
    assert found["triton"].state == "note"
    assert found["triton"].facts == {"version": None}


# -- machine -----------------------------------------------------------------------------------------------------------


def test_the_machine_is_described() -> None:
    found = {each.name: each for each in machine.findings(RUNS)}
    assert list(found)[:3] == ["system", "cpu", "memory"]
    assert found["cpu"].facts["cores"] == len(os.sched_getaffinity(0))
    total, free = found["memory"].facts["total"], found["memory"].facts["free"]
    assert 0 < free <= total <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_memory_is_that_of_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "/proc/meminfo": "MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n",
        "/sys/fs/cgroup/memory.max": "1000000000",
        "/sys/fs/cgroup/memory.current": "900000000",
    }

    def read_text(path: Path, **how: Any) -> str:
        if str(path) not in texts:
            raise FileNotFoundError
        return texts[str(path)]

    monkeypatch.setattr(Path, "read_text", read_text)
    assert machine.memory() == (1000000000, 100000000)
    assert only([machine._memory()], "memory").state == "warning"
    texts["/sys/fs/cgroup/memory.max"] = "max\n"
    assert machine.memory() == (16384000000, 8192000000)
    del texts["/sys/fs/cgroup/memory.max"]
    assert machine.memory() == (16384000000, 8192000000)
    del texts["/proc/meminfo"]
    assert only([machine._memory()], "memory").state == "note"


@pytest.mark.parametrize(
    ("driver", "build", "state", "says"),
    [
        (None, None, "note", "training runs on the CPU"),
        (None, "12.8", "note", "training runs on the CPU"),
        ("550.54.15", None, "warning", "this torch is one without CUDA"),
        ("550.54.15", "12.8", "warning", "torch for CUDA 12.8 finds no GPU"),
    ],
)
def test_a_gpu_that_torch_does_not_see_is_named(
    driver: str | None, build: str | None, state: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(machine, "gpu_driver", lambda: driver)
    monkeypatch.setattr("torch.version.cuda", build)
    found = only(machine._gpus(), "gpu")
    assert found.state == state
    assert says in found.value
    assert found.facts == {"driver": driver, "cuda": build}


def test_every_gpu_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(name="NVIDIA H100", major=9, minor=0)
    fake = {"is_available": lambda: True, "device_count": lambda: 2, "mem_get_info": lambda index: (40e9, 80e9)}
    for name, function in (fake | {"get_device_properties": lambda index: properties}).items():
        monkeypatch.setattr(f"torch.cuda.{name}", function)
    monkeypatch.setattr(machine, "gpu_driver", lambda: "550.54.15")
    found = list(machine._gpus())
    assert [each.name for each in found] == ["cuda:0", "cuda:1"]
    assert found[0].value.startswith("NVIDIA H100, compute capability 9.0, 40.0 of 80.0 GB free, driver 550.54.15")


# -- storage -----------------------------------------------------------------------------------------------------------


def test_a_folder_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    for folder, value in ((tmp_path, "can be written"), (tmp_path / "a" / "b", "can be made")):
        found = only(storage.findings(folder), "runs")
        assert found.state == "ok"
        assert found.value.endswith(value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder, says in (
        (tmp_path / "file", "Not a directory"),
        (tmp_path / "file" / "below", "Not a directory"),
        (tmp_path / ("n" * 256), "File name too long"),
        (Path("/proc/lrd"), ""),
    ):
        found = only(storage.findings(folder), "runs")
        assert found.state == "failed", folder
        assert f"cannot be written: {says}" in found.value
        assert "runs_dir=FOLDER" in found.way_out
        assert found.facts["writable"] is False


@pytest.mark.parametrize(("free", "state"), [(10e6, "failed"), (1e9, "warning"), (1e12, "ok")])
def test_a_full_disk_fails(free: float, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=int(free))
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    found = only(storage.findings(tmp_path), "disk")
    assert (found.state, found.facts["free"]) == (state, int(free))
    assert bool(found.way_out) == (state != "ok")


def test_caches_are_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    found = only(storage.findings(tmp_path), "cache")
    assert found.state == "note"
    assert found.value.endswith("Not a directory; each process compiles and checks kernels anew")
    monkeypatch.setattr(storage, "cache_folder", lambda: None)
    assert only(storage.findings(tmp_path), "cache").value.startswith("there is no home folder")


def test_no_home_folder_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    found = list(storage.findings(tmp_path / "runs"))
    assert not [each for each in found if str(tmp_path) in repr(each)]
    assert only(found, "cache").facts["folder"] == "~/.cache/lrd"


# -- CUDA graphs -------------------------------------------------------------------------------------------------------


def test_without_a_gpu_there_are_no_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert only(graphs.findings(RUNS), "graphs").state == "note"


@pytest.mark.parametrize(("off", "state"), [(0.0, "ok"), (1e-9, "ok"), (0.1, "failed")])
def test_replayed_updates_are_held_to_plain_ones(off: float, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, where the second pack takes the part of the one that is recorded."""

    class Second(graphs.Pack):
        def __init__(self, *given: Any, record: Any = None) -> None:
            super().__init__(*given, record=record)
            self.off = 0.0 if record is not None else off

        def step(self) -> None:
            super().step()
            self.theta += self.off

    monkeypatch.setattr(graphs, "Pack", Second)
    found = graphs.compared(RNN(hidden_size=4), torch.device("cpu"))
    assert (found.name, found.state) == ("rnn", state)
    assert ("the same bits" in found.value) == (off == 0)
    assert (found.facts["difference"] > 0.5) == (state == "failed")


def test_updates_that_are_not_recorded_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    class Talking(graphs.Pack):
        def step(self) -> None:
            super().step()
            logging.getLogger("lrd.training.recorded").warning("an update cannot be a CUDA graph and runs without: why")

    monkeypatch.setattr(graphs, "Pack", Talking)
    found = graphs.compared(RNN(hidden_size=4), torch.device("cpu"))
    assert (found.state, found.value) == ("warning", "an update cannot be a CUDA graph and runs without: why")


# -- services ----------------------------------------------------------------------------------------------------------


def test_wandb_without_a_key_is_a_note_unless_it_is_to_be_online(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [each.state for each in wandb_login.findings(RUNS)] == ["ok", "note"]
    monkeypatch.setenv("WANDB_MODE", "online")
    assert [each.state for each in wandb_login.findings(RUNS)] == ["ok", "warning"]
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    found = list(wandb_login.findings(RUNS))
    assert [each.state for each in found] == ["ok", "ok"]
    assert "k" * 40 not in repr(found)
    monkeypatch.setenv("WANDB_MODE", "onlin")
    found = list(wandb_login.findings(RUNS))
    assert found[0].state == "failed"
    assert found[0].value.startswith("WANDB_MODE: must be one of online, offline, disabled")


@pytest.mark.parametrize(
    ("sbatch", "status", "extra", "state", "says"),
    [
        (False, 0, "", "note", "no sbatch here"),
        (True, 1, "", "warning", "no answer"),
        (True, 0, "hydra/launcher=slurm needs submitit: pip install 'lrd[slurm]'", "note", "needs submitit"),
        (True, 0, "", "ok", "it answers"),
    ],
)
def test_slurm(sbatch: bool, status: int, extra: str, state: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if sbatch else None)
    done = subprocess.CompletedProcess([], status)
    monkeypatch.setattr(slurm_squeue.subprocess, "run", lambda *given, **how: done)
    monkeypatch.setattr(slurm, "missing", lambda *given: extra)
    (found,) = slurm.findings(RUNS)
    assert found.state == state
    assert says in found.value


def test_a_cluster_that_is_silent_or_gone_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (subprocess.TimeoutExpired("squeue", 1), FileNotFoundError()):

        def run(*given: Any, error: Exception = error, **how: Any) -> None:
            raise error

        monkeypatch.setattr(slurm_squeue.subprocess, "run", run)
        assert not slurm_squeue.answers(1)


def test_a_report_needs_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {"report": "", "pdf": ""}
    monkeypatch.setattr(pdf, "missing", lambda who, extra, but: lines["pdf" if "jinja2" in but else "report"])
    monkeypatch.setattr(report_pdf, "has_pango", lambda: True)
    assert [each.state for each in pdf.findings(RUNS)] == ["ok", "ok"]
    monkeypatch.setattr(report_pdf, "has_pango", lambda: False)
    without = only(pdf.findings(RUNS), "pdf")
    assert (without.state, without.facts["pango"]) == ("note", False)
    assert without.way_out.startswith("apt-get install libpango")
    lines |= {"report": "lrd report needs jinja2: pip install 'lrd[report]'"}
    assert only(pdf.findings(RUNS), "page").way_out == "pip install 'lrd[report]'"
    lines |= {"pdf": "a PDF needs weasyprint: pip install 'lrd[report]'"}
    assert only(pdf.findings(RUNS), "pdf").value == "a PDF needs weasyprint"


def test_pango_is_missing_where_weasyprint_cannot_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refusing(name: str, *given: Any, **how: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *given, **how)

    monkeypatch.setattr(builtins, "__import__", refusing)
    assert not report_pdf.has_pango()
