"""``lrd train`` with device=cuda: a sweep in packs, recorded whole, and the demo with fewer updates."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from commands import LRD, run, run_folders

from lrd.records import open_study

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


def test_a_sweep_on_a_gpu(tmp_path: Path) -> None:
    options = ["task=adding", "cell=rnn,lstm", "task.gap=10", "seed=range(4)", "training.max_updates=60"]
    options += ["training.eval_every=20", "tracker=none", "study=s", f"runs_dir={tmp_path}", "device=cuda"]
    run([LRD, "train", "-m", *options], tmp_path)
    found = open_study(tmp_path / "s").sql("select cell, count(*) as runs from runs group by all order by all")
    assert found.fetchall() == [("lstm", 4), ("rnn", 4)]
    devices = {
        json.loads((path / "environment.json").read_text(encoding="utf-8"))["device"]
        for path in run_folders(tmp_path / "s").values()
    }
    assert devices == {"cuda"}
    run([LRD, "train", "-m", *options], tmp_path)  # nothing is left to do


def test_the_demo_on_a_gpu(tmp_path: Path) -> None:
    options = ["seed=range(2)", "training.max_updates=30", "training.eval_every=10", "tracker=none", "device=cuda"]
    run([LRD, "train", "experiment=demo", *options], tmp_path)
    study = open_study(tmp_path / "runs" / "demo")
    found = study.sql("select state, count(*), count(distinct seed) from runs group by all")
    assert found.fetchall() == [("finished", 2 * 19, 2)]
    run([LRD, "report", "runs/demo", "--no-pdf"], tmp_path)
    assert (tmp_path / "runs" / "demo" / "report" / "report.html").is_file()
