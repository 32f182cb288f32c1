"""What a run took, against counting by hand; kept through interruptions, and through the end of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from helpers import run_spec

from lrd.cells import LSTM, PeepholeLSTM
from lrd.records import NullTracker, RunRecord, open_study
from lrd.spec import Place, RunSpec
from lrd.tasks import Delay
from lrd.training import train
from lrd.training.cost import Cost

SMALL = {"batch_size": 4, "eval_samples": 20, "test_samples": 30, "samples": 3, "eval_every": 10, "max_updates": 30}
EASY = Delay(gap=1, tokens=4, alphabet=2)


def test_an_account_by_hand() -> None:
    cost = Cost("packed", "A, 1 thread")
    assert cost.for_status()["pack_size"] is None
    cost.charge(2.0, update=10, runs=4)
    cost.charge(1.0, update=15, runs=1)
    assert cost.for_status() == {
        "seconds": 3.0,
        "kernel": "packed",
        "hardware": "A, 1 thread",
        "pack_size": (10 * 4 + 5 * 1) / 15,
        "resumed": 0,
    }


def test_going_on_elsewhere_names_both() -> None:
    before = Cost("packed", "A, 1 thread")
    before.charge(2.0, update=10, runs=4)
    cost = Cost("loop", "A, 1 thread")
    cost.resume(before.for_checkpoint(), update=10)
    cost.charge(1.0, update=30, runs=1)
    status = cost.for_status()
    assert (status["seconds"], status["kernel"], status["hardware"]) == (3.0, "packed + loop", "A, 1 thread")
    assert (status["pack_size"], status["resumed"]) == ((10 * 4 + 20 * 1) / 30, 1)


@pytest.mark.parametrize(("update", "kernel"), [(10, "not recorded + packed"), (0, "packed")])
def test_a_checkpoint_of_before_this_was_kept(update: int, kernel: str) -> None:
    cost = Cost("packed", "A")
    cost.resume({"seconds": 5.0}, update)
    cost.charge(1.0, update + 4, 2)
    status = cost.for_status()
    assert (status["seconds"], status["kernel"], status["pack_size"]) == (6.0, kernel, 2)


def go(specs: list[RunSpec], folder: Path, stop_at: int | None = None) -> None:
    calls = iter(range(10**6))
    place = Place(runs_dir=str(folder), study="s")
    stop = (lambda: next(calls) >= stop_at) if stop_at is not None else (lambda: False)
    train(specs, place, NullTracker(), torch.device("cpu"), should_stop=stop)


def test_training_records_it(tmp_path: Path) -> None:
    """Two runs for 13 updates, and on to 30; then another kernel, alone."""
    cell = PeepholeLSTM(hidden_size=3)
    pair = [run_spec(EASY, cell, seed, stop_when_solved=False, **SMALL) for seed in (0, 1)]
    alone = run_spec(EASY, LSTM(hidden_size=3), 2, stop_when_solved=False, h_detach=0.5, precision="float64", **SMALL)
    go(pair, tmp_path, stop_at=13)
    unfinished = open_study(tmp_path / "s").columns("select * from runs")
    assert unfinished["kernel"].tolist() == ["traced"] * 2
    assert unfinished["pack_size"].tolist() == [2, 2]
    go(pair, tmp_path)
    go([alone], tmp_path)
    columns = "kernel, pack_size, resumed, hardware, seconds"
    rows = open_study(tmp_path / "s").sql(f"select {columns} from runs order by seed").fetchall()
    assert [row[:3] for row in rows] == [("traced", 2, 1), ("traced", 2, 1), ("packed_lstm", 1, 0)]
    threads = torch.get_num_threads()
    assert all(hardware.endswith(f", {threads} thread{'s' * (threads > 1)}") for *_, hardware, _ in rows)
    assert all(seconds > 0 for *_, seconds in rows)


def test_records_of_before_have_none(tmp_path: Path) -> None:
    spec = run_spec(EASY, LSTM(hidden_size=3), **SMALL)
    go([spec], tmp_path)
    path = RunRecord(tmp_path, "s", spec.run_id).path / "status.json"
    old = {name: value for name, value in json.loads(path.read_text(encoding="utf-8")).items() if name != "kernel"}
    path.write_text(json.dumps(old))
    assert open_study(tmp_path / "s").sql("select kernel from runs").fetchall() == [(None,)]
