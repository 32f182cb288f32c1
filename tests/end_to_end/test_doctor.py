"""``lrd doctor`` as a user runs it: text, ``--json``, exit statuses, and a kernel made wrong on purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import LRD, ROOT, TINY, run, run_folders

from lrd.doctor import SECTIONS, STATES
from lrd.kernels import KERNELS

PAGE = (ROOT / "docs" / "guide" / "doctor.md").read_text(encoding="utf-8")
ONE_RUN = ["task=adding", "task.gap=4", "cell=rnn", "cell.hidden_size=4", "tracker=none", *TINY]
#: Python runs a module of this name at its start: every process then has kernels that are wrong.
SPOIL = """
import dataclasses
from lrd.kernels import KERNELS
from wrong_kernels import {change}

def spoilt(scan):
    return lambda *given, **options: {change}(scan, *given, **options)

for name, kernel in list(KERNELS.items()):
    if kernel.checked and "cpu" in kernel.devices:
        KERNELS[name] = dataclasses.replace(kernel, devices=())
KERNELS["packed"] = dataclasses.replace(KERNELS["packed"], checked=True, scan=spoilt(KERNELS["packed"].scan))
"""


def document(folder: Path, *options: str, status: int = 0, **variables: str) -> dict[str, Any]:
    """What ``lrd doctor --json`` prints in a folder: one document and nothing else."""
    return json.loads(run([LRD, "doctor", "--json", *options], folder, status, **variables).stdout)


def failed(found: dict[str, Any]) -> list[str]:
    return [f"{each['section']} {each['name']}" for each in found["findings"] if each["state"] == "failed"]


def test_a_machine_on_which_the_tests_run_is_fine(tmp_path: Path) -> None:
    text = run([LRD, "doctor"], tmp_path).stdout
    lines = text.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[-1].startswith("all that this machine needs works")
    for section in SECTIONS:
        assert any(line == section or line.startswith(f"{section}: ") for line in lines)
    for name in KERNELS:
        assert f" {name} " in text
    assert {path.name for path in tmp_path.iterdir()} <= {".cache", ".config"}  # of the user, whose home it is
    found = document(tmp_path)
    assert found["works"] is True
    assert failed(found) == []
    # The text says the same.
    for each in found["findings"]:
        if each["section"] != "kernels" and each["name"] not in ("memory", "disk"):  # whose numbers vary
            assert "".join(each["value"].split()) in "".join(text.split()), each


def test_every_key_of_the_document_is_documented(tmp_path: Path) -> None:
    found = document(tmp_path)
    assert list(found) == ["schema", "works", "findings"]
    assert {each["section"] for each in found["findings"]} == set(SECTIONS)
    assert {each["state"] for each in found["findings"]} <= set(STATES)
    names = [(each["section"], each["name"]) for each in found["findings"]]
    assert len(set(names)) == len(names)
    for each in found["findings"]:
        assert list(each) == ["section", "name", "state", "value", "way_out", "facts"]
        (row,) = (line for line in PAGE.splitlines() if line.startswith(f"| `{each['section']}` |"))
        for key in each["facts"]:
            assert f"`{key}`" in row, (each["section"], key)
    for word in (*found, "section", "name", "state", "value", "way_out", "facts", *STATES):
        assert f"`{word}`" in PAGE


def test_a_folder_that_cannot_be_written_fails(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    found = document(tmp_path, "--runs", "runs/below", status=1)
    assert found["works"] is False
    assert failed(found) == ["storage runs"]
    text = run([LRD, "doctor"], tmp_path, status=1).stdout
    assert text.splitlines()[-1] == "1 failed: storage runs"


def test_a_wrong_option_is_one_of_argparse(tmp_path: Path) -> None:
    assert "unrecognized arguments: --jsn" in run([LRD, "doctor", "--jsn"], tmp_path, status=2).stderr


def test_a_package_that_is_missing_is_named_and_the_rest_is_said(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so.12: cannot open shared object file')")
    found = document(tmp_path, status=1, PYTHONPATH=str(tmp_path))
    said = {each["section"]: each["value"] for each in found["findings"] if each["state"] == "failed"}
    assert said["kernels"] == "could not be examined: ImportError: libcudart.so.12: cannot open shared object file"
    assert {"versions", "wandb", "slurm"} & set(said) == set()


@pytest.mark.parametrize("change", ["off_forward", "off_backward", "off_norms"])
def test_a_wrong_kernel_is_named_and_training_does_not_use_it(change: str, tmp_path: Path) -> None:
    run([LRD, "train", "study=right", *ONE_RUN], tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(SPOIL.format(change=change))
    spoilt = {"PYTHONPATH": f"{site}:{ROOT / 'tests'}", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    # Doctor names it.
    found = document(tmp_path, status=1, **spoilt)
    assert failed(found) == ["kernels packed on cpu"]
    (wrong,) = (each for each in found["findings"] if each["name"] == "packed on cpu")
    assert f"wrong for rnn activation=tanh: {change.removeprefix('off_')}: " in wrong["value"]
    (chosen,) = (each for each in found["findings"] if each["name"] == "rnn on cpu")
    assert chosen["facts"]["kernel"] == "traced"
    # Training does not use it, in this process or in workers; the command says so once, and the records say what ran.
    for options in ([], ["-m", "seed=1,2", "pack_size=1"]):
        done = run([LRD, "train", *options, "study=wrong", *ONE_RUN, "hydra.launcher.workers=2"], tmp_path, **spoilt)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "the kernel packed is not used" in line]
        assert len(said) == 1
        assert f"on cpu in float32: {change.removeprefix('off_')}: " in said[0]
    kernels = [
        json.loads((folder / "status.json").read_text())["kernel"]
        for folder in run_folders(tmp_path / "runs" / "wrong").values()
    ]
    assert kernels == ["traced"] * 3
