"""The training loop: what is recorded, when runs stop, and that interruption leaves no trace."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import run_spec

from lrd.cells import LSTM, RNN
from lrd.records import RunRecord
from lrd.records.tracker import NullTracker, Tracker
from lrd.shapes import Tensor
from lrd.spec import Place, RunSpec
from lrd.tasks import Adding, Copy, Delay
from lrd.training import Ending, Pack, train

SMALL = {"batch_size": 4, "eval_samples": 20, "test_samples": 30, "samples": 3, "eval_every": 10}
EASY = Delay(gap=1, tokens=4, alphabet=2)


def go(
    specs: list[RunSpec], folder: Path, stop_at: int | None = None, tracker: Tracker | None = None, **how: Any
) -> Ending:
    """Train; ``stop_at``: as if Ctrl-C came when so many updates are done."""
    calls = iter(range(10**6))
    should_stop = (lambda: next(calls) >= stop_at) if stop_at is not None else (lambda: False)
    place = Place(runs_dir=str(folder), study="s", **how)
    return train(specs, place, tracker or NullTracker(), torch.device("cpu"), should_stop=should_stop)


def record(spec: RunSpec, folder: Path) -> RunRecord:
    return RunRecord(folder, "s", spec.run_id)


def contents(spec: RunSpec, folder: Path) -> dict[str, Any]:
    """All that a run recorded, without its wall time."""
    of = record(spec, folder)
    summary = {name: value for name, value in of.read_summary().items() if name != "seconds"}
    fits = of.read_table("gradient_fit")
    return {"summary": summary, "metrics": of.read_metrics(), "flow": of.read_table("gradient_flow"), "fits": fits}


def assert_same(a: Any, b: Any) -> None:
    """Equal to the last bit, with nan the same as nan."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        for name in a:
            assert_same(a[name], b[name])
    else:
        np.testing.assert_array_equal(a, b)


def final_theta(spec: RunSpec, folder: Path) -> Tensor:
    return record(spec, folder).load_checkpoint()["pack"]["theta"]


def test_a_finished_record(tmp_path: Path) -> None:
    spec = run_spec(Copy(gap=3, items=2, symbols=2), LSTM(hidden_size=4), max_updates=25, **SMALL)
    assert go([spec], tmp_path) == Ending(interrupted=False, update=25)
    got = contents(spec, tmp_path)
    summary = got["summary"]
    metrics = {"loss", "recall_loss", "recall_accuracy", "sequence_accuracy"}
    fits = {f"{what}_{v}_{when}" for what in ("slope", "horizon") for v in "hc" for when in ("start", "end")}
    outcome = {"outcome", "update", "solved_at", "diverged_at", "seen_share", "seen_counted"}
    assert set(summary) == outcome | fits | {f"{s}_{m}" for s in ("eval", "test") for m in metrics}
    assert (summary["outcome"], summary["update"], summary["diverged_at"]) == ("unsolved", 25, None)
    assert got["metrics"]["update"].tolist() == [0, 10, 20, 25]
    assert set(got["metrics"]) == {"update", "train_loss", "grad_norm", "grad_norm_clipped"} | {
        f"eval_{m}" for m in metrics
    }
    assert sorted(set(got["flow"]["update"])) == [0, 1, 2, 5, 10, 20, 25]
    assert got["fits"]["update"].tolist() == [u for u in (0, 1, 2, 5, 10, 20, 25) for _ in "hc"]
    total = (got["flow"]["part"] == "total") & (got["flow"]["variable"] == "c") & (got["flow"]["update"] == 25)
    assert got["flow"]["t"][total].tolist() == list(range(spec.task.sequence_length))
    assert record(spec, tmp_path).read_status()["state"] == "finished"
    assert summary["seen_share"] == pytest.approx(1 - 0.75 ** (25 * spec.training.batch_size))
    assert summary["seen_counted"] is None
    assert record(spec, tmp_path).read_run()["task"]["log10_sequences"] == pytest.approx(math.log10(4))
    assert (
        json.loads((record(spec, tmp_path).path / "run.json").read_text(encoding="utf-8"))["parameters"]
        == 4 * 4 * (4 + 4 + 1) + 15
    )


def test_final_parameters_are_those_of_the_pack(tmp_path: Path) -> None:
    spec = run_spec(EASY, RNN(hidden_size=3), max_updates=17, stop_when_solved=False, **SMALL)
    go([spec], tmp_path)
    pack = Pack([spec], torch.device("cpu"))
    for _ in range(17):
        pack.step()
    assert torch.equal(final_theta(spec, tmp_path), pack.theta[0].detach())
    tested = pack.evaluate("test", 30)
    summary = record(spec, tmp_path).read_summary()
    assert {name: summary[f"test_{name}"] for name in tested} == {name: float(v[0]) for name, v in tested.items()}


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("stop_at", [0, 1, 10, 13, 29])
@pytest.mark.parametrize("cell", [RNN(hidden_size=4), LSTM(hidden_size=3)])
def test_interruption_leaves_no_trace(cell: RNN | LSTM, stop_at: int, tmp_path: Path) -> None:
    options = {"max_updates": 30, **SMALL}
    specs = [
        run_spec(Adding(gap=24, convention="pascanu2013"), cell, s, lr=lr, **options) for s, lr in ((1, 0.01), (2, 0.1))
    ]
    go(specs, tmp_path / "whole")
    cut = tmp_path / "cut"
    assert go(specs, cut, stop_at) == Ending(interrupted=True, update=stop_at)
    for spec in specs:
        assert record(spec, cut).read_status()["state"] == "interrupted"
        assert not record(spec, cut).finished
    assert go(specs, cut) == Ending(interrupted=False, update=30)
    for spec in specs:
        assert_same(contents(spec, cut), contents(spec, tmp_path / "whole"))
        assert torch.equal(final_theta(spec, cut), final_theta(spec, tmp_path / "whole"))


@pytest.mark.parametrize("curriculum", ["naive", "mixed", "combined"])
@pytest.mark.parametrize(("schedule", "stop_at"), [("linear", 2), ("cosine", 13), ("step", 29)])
def test_interruption_in_the_middle_of_schedule_and_curriculum_leaves_no_trace(
    schedule: str, stop_at: int, curriculum: str, tmp_path: Path
) -> None:
    """A warm-up of 5 updates; a gap that grows over the first 15."""
    more = {"step": {"step_size": 4}}.get(schedule, {"end_factor": 0.2})
    noisy = {"gradient_noise": 0.01, "norm_stabilizer": 0.1}
    how = {"optimizer": "adamw", "schedule": schedule, "warmup": 5, "curriculum": curriculum, **more, **noisy}
    task = Copy(gap=7, items=2, symbols=2)
    specs = [run_spec(task, LSTM(hidden_size=3), s, lr=0.01 * s, max_updates=30, **how, **SMALL) for s in (1, 2)]
    go(specs, tmp_path / "whole")
    cut = tmp_path / "cut"
    assert go(specs, cut, stop_at) == Ending(interrupted=True, update=stop_at)
    assert go(specs, cut) == Ending(interrupted=False, update=30)
    for spec in specs:
        assert_same(contents(spec, cut), contents(spec, tmp_path / "whole"))
        assert torch.equal(final_theta(spec, cut), final_theta(spec, tmp_path / "whole"))
        assert {"lr", "train_gap", "norm_stabilizer"} < set(contents(spec, cut)["metrics"])


@pytest.mark.slow
def test_interrupted_again_and_again_with_checkpoints_all_the_time(tmp_path: Path) -> None:
    specs = [
        run_spec(EASY, LSTM(hidden_size=3), seed, max_updates=21, stop_when_solved=False, **SMALL) for seed in (0, 1)
    ]
    go(specs, tmp_path / "whole")
    while go(specs, tmp_path / "cut", stop_at=4, checkpoint_seconds=1e-9).interrupted:
        pass
    for spec in specs:
        assert_same(contents(spec, tmp_path / "cut"), contents(spec, tmp_path / "whole"))


@pytest.mark.slow
def test_a_run_recorded_alone_is_the_run_recorded_in_a_pack(tmp_path: Path) -> None:
    """Also where companions leave the pack early, solved or diverged."""
    rates = (0.05, 0.0003, 1e38, 0.02)
    cell = RNN(hidden_size=6, activation="relu")
    options = {"max_updates": 200, "clip": "none", "solved_evals": 2, "eval_every": 5} | {
        k: v for k, v in SMALL.items() if k != "eval_every"
    }
    specs = [run_spec(EASY, cell, seed, "sgd", lr=lr, momentum=0.9, **options) for seed, lr in enumerate(rates)]
    go(specs, tmp_path / "pack")
    outcomes = []
    for spec in specs:
        go([spec], tmp_path / "alone")
        assert_same(contents(spec, tmp_path / "alone"), contents(spec, tmp_path / "pack"))
        outcomes.append(contents(spec, tmp_path / "pack")["summary"])
    assert [o["outcome"] for o in outcomes] == ["solved", "unsolved", "diverged", "solved"]
    diverged = outcomes[2]
    assert 1 <= diverged["diverged_at"] <= diverged["update"] == 5 * math.ceil(diverged["diverged_at"] / 5)
    assert final_theta(specs[2], tmp_path / "pack").isfinite().all()
    assert diverged["solved_at"] is None
    assert outcomes[0]["update"] < 200


def test_solved_is_so_many_evaluations_in_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Met at 10, missed at 20, met at 30, 40, 50: solved since 30, and over at 50."""
    met = iter([False, True, False, True, True, True, True, True])
    monkeypatch.setattr(Delay, "solved", lambda self, metrics: torch.tensor([next(met)]))
    spec = run_spec(EASY, RNN(hidden_size=2), max_updates=70, solved_evals=3, **SMALL)
    go([spec], tmp_path)
    summary = record(spec, tmp_path).read_summary()
    assert (summary["outcome"], summary["solved_at"], summary["update"]) == ("solved", 30, 50)


def test_without_stopping_a_solved_run_goes_on_to_its_last_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Delay, "solved", lambda self, metrics: torch.tensor([True]))
    spec = run_spec(EASY, RNN(hidden_size=2), max_updates=50, solved_evals=2, stop_when_solved=False, **SMALL)
    go([spec], tmp_path)
    summary = record(spec, tmp_path).read_summary()
    assert (summary["outcome"], summary["solved_at"], summary["update"]) == ("solved", 0, 50)


def test_runs_at_different_updates_start_anew_together(tmp_path: Path) -> None:
    a, b = (
        run_spec(EASY, RNN(hidden_size=2), seed, max_updates=20, stop_when_solved=False, **SMALL) for seed in (0, 1)
    )
    go([a], tmp_path / "cut", stop_at=3)
    go([b], tmp_path / "cut", stop_at=7)
    go([a, b], tmp_path / "cut")
    go([a, b], tmp_path / "whole")
    for spec in (a, b):
        assert_same(contents(spec, tmp_path / "cut"), contents(spec, tmp_path / "whole"))


def test_there_need_not_be_a_probe(tmp_path: Path) -> None:
    spec = replace(run_spec(EASY, RNN(hidden_size=2), max_updates=10, **SMALL), probes=())
    go([spec], tmp_path)
    got = contents(spec, tmp_path)
    assert got["flow"] == got["fits"] == {}
    assert not any(name.startswith("slope") for name in got["summary"])


def test_a_damaged_checkpoint_starts_the_run_anew_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spec = run_spec(EASY, RNN(hidden_size=3), max_updates=20, **SMALL)
    go([spec], tmp_path / "whole")
    go([spec], tmp_path / "cut", stop_at=12)
    checkpoint = record(spec, tmp_path / "cut").path / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    assert go([spec], tmp_path / "cut") == Ending(interrupted=False, update=20)
    assert "checkpoint.pt" in caplog.text
    assert_same(contents(spec, tmp_path / "cut"), contents(spec, tmp_path / "whole"))


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("ends", ["solved", "unsolved", "diverged"])
def test_a_run_cut_off_between_its_last_checkpoint_and_its_summary_ends_where_it_was(
    ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"max_updates": 25, "solved_evals": 2, **SMALL}
    if ends == "diverged":
        options |= {"lr": 1e38, "clip": "none"}
    if ends == "solved":
        monkeypatch.setattr(Delay, "solved", lambda self, metrics: torch.tensor([True]))
    spec = run_spec(EASY, RNN(hidden_size=3, activation="relu"), 0, "sgd", **options)
    go([spec], tmp_path / "whole")
    assert record(spec, tmp_path / "whole").read_summary()["outcome"] == ends

    def killed(self: RunRecord, summary: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            go([spec], tmp_path / "cut")
    assert record(spec, tmp_path / "cut").load_checkpoint() is not None
    assert not record(spec, tmp_path / "cut").finished
    go([spec], tmp_path / "cut")
    assert_same(contents(spec, tmp_path / "cut"), contents(spec, tmp_path / "whole"))


class Recorder(NullTracker):
    """Keeps what it gets, as a mirror would show it."""

    def __init__(self) -> None:
        self.shown: dict[int, Any] = {}
        self.resumed = 0

    def resume(self, run_id: str, moments: Any) -> None:
        self.resumed += 1
        assert not self.shown
        for moment in moments:
            self.log(run_id, moment.update, moment.values)
            self.profiles(run_id, moment.update, moment.profiles)

    def log(self, run_id: str, update: int, values: Any) -> None:
        self.shown.setdefault(update, {}).update({name: repr(value) for name, value in values.items()})

    def profiles(self, run_id: str, update: int, log10_norms: Any) -> None:
        self.log(run_id, update, {name: norms.tolist() for name, norms in log10_norms.items()})


@pytest.mark.slow
@pytest.mark.parametrize("stop_at", [0, 10, 13])
def test_a_resumed_run_sends_its_mirror_once_what_it_had_shown(stop_at: int, tmp_path: Path) -> None:
    spec = run_spec(EASY, LSTM(hidden_size=3), max_updates=20, stop_when_solved=False, gradient_norms=True, **SMALL)
    whole, cut, resumed = Recorder(), Recorder(), Recorder()
    go([spec], tmp_path / "whole", tracker=whole)
    go([spec], tmp_path / "cut", stop_at, tracker=cut)
    go([spec], tmp_path / "cut", tracker=resumed)
    assert (whole.resumed, cut.resumed, resumed.resumed) == (0, 0, 1)
    assert sorted(whole.shown) == [0, 1, 2, 5, 10, 20]
    assert {"gradient_flow/h", "gradient_norms/h", "gradient_norms/c"} <= set(whole.shown[20])
    assert "gradient_norms/h" not in whole.shown[0]
    assert resumed.shown == whole.shown
    assert cut.shown == {update: shown for update, shown in whole.shown.items() if update <= stop_at}
