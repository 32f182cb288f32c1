"""What the mirror does when wandb does not do what it should: a wandb that is none."""

from __future__ import annotations

import logging
import os
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrd.records import wandb_mirror
from lrd.records.mirror_content import LoggedUpdate
from lrd.records.tracker import NullTracker, Tracker, make_tracker
from lrd.records.wandb_mirror import WandbTracker


@pytest.fixture(autouse=True)
def no_server_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WandbTracker, "_away_until", float("-inf"))


class FakeRun:
    def __init__(self, fail: str) -> None:
        self.fail = fail
        self.summary: dict[str, Any] = {}
        self.calls: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> None:
            self.calls.append((name, arguments, options))
            if name == self.fail:
                raise RuntimeError(f"{name}\nbroke")

        return call


def fake_wandb(monkeypatch: pytest.MonkeyPatch, fail: str) -> list[FakeRun]:
    opened: list[FakeRun] = []

    def init(**options: Any) -> FakeRun:
        if fail == "init" or (fail == "init online" and options["mode"] == "online"):
            raise RuntimeError("init broke")
        opened.append(FakeRun(fail))
        opened[-1].calls.append(("init", (), options))
        return opened[-1]

    module = types.ModuleType("wandb")
    for name, value in {
        "init": init,
        "setup": lambda **options: None,
        "login": lambda **options: True,
        "teardown": lambda: None,
        "Settings": type("Settings", (dict,), {"model_fields": ["console", "silent"]}),
        "Image": lambda pixels, caption: pixels,
    }.items():
        setattr(module, name, value)
    monkeypatch.setitem(sys.modules, "wandb", module)
    return opened


def use(tracker: Tracker) -> None:
    for name in "ab":
        tracker.start(name, "demo", {"seed": 3}, name)
    for update in range(3):
        for name in "ab":
            tracker.log(name, update, {"train_loss": 1.0})
            tracker.profiles(name, update, {"gradient_flow/h": [0.0, -1.0]})
    for name in "ab":
        tracker.finish(name, {"outcome": "solved"})
    tracker.start("c", "demo", {"seed": 3}, "c")
    tracker.log("never started", 0, {"train_loss": 1.0})
    tracker.close()


@pytest.mark.parametrize("fail", ["init", "log", "finish", "define_metric"])
def test_a_wandb_that_raises_is_said_once_and_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, fail: str
) -> None:
    opened = fake_wandb(monkeypatch, fail)
    with caplog.at_level(logging.WARNING):
        use(WandbTracker(directory=tmp_path))
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert "broke" in message
    assert "\n" not in message
    assert "go on without" in message
    raised = sum(call[0] == fail for run in opened for call in run.calls)
    assert raised == (0 if fail == "init" else 1)


def test_images_that_raise_are_caught_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    fake_wandb(monkeypatch, "nothing")
    monkeypatch.delattr("wandb.Image")
    use(WandbTracker(directory=tmp_path))
    assert len(caplog.records) == 1
    assert "gradient norms" in caplog.records[0].getMessage()


def test_online_that_fails_falls_back_for_all_further_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    opened = fake_wandb(monkeypatch, "init online")
    use(WandbTracker(mode="online", entity="us", project="p", directory=tmp_path))
    assert len(caplog.records) == 1
    assert "kept offline" in caplog.records[0].getMessage()
    options = [run.calls[0][2] for run in opened]
    assert [(o["mode"], o["id"], o["group"], o["project"], o["entity"]) for o in options] == [
        ("offline", name, "demo", "p", "us") for name in "abc"
    ]
    assert all(o["reinit"] == "create_new" and o["resume"] == "allow" for o in options)


def test_a_server_that_did_not_answer_is_not_waited_for_by_the_next_pack(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    opened = fake_wandb(monkeypatch, "init online")
    for _ in range(3):
        use(WandbTracker(mode="online", directory=tmp_path))
    assert len(caplog.records) == 1
    assert [run.calls[0][2]["mode"] for run in opened] == ["offline"] * 9
    later = time.monotonic() + wandb_mirror.RETRY
    monkeypatch.setattr(time, "monotonic", lambda: later)
    monkeypatch.setattr("wandb.init", lambda **options: FakeRun("nothing"))
    tracker = WandbTracker(mode="online", directory=tmp_path)
    use(tracker)
    assert tracker.mode == "online"


def test_a_resumed_run_shows_every_row_again_and_all_measurements_in_one_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = fake_wandb(monkeypatch, "nothing")
    monkeypatch.setattr("wandb.Image", lambda pixels, caption: caption)
    tracker = WandbTracker(directory=tmp_path)
    tracker.resume("a", [])  # never started
    tracker.start("a", "demo", {}, "a")
    moments = [
        LoggedUpdate(0, {"eval_loss": 2.0, "slope_h": 0.5}, {"gradient_flow/h": np.array([-1.0, 0.0])}),
        LoggedUpdate(2, {}, {"gradient_norms/h": np.array([-2.0, -1.0])}),
        LoggedUpdate(5, {"slope_h": 0.4}, {"gradient_flow/h": np.array([-3.0, 0.0])}),
        LoggedUpdate(10, {"eval_loss": 1.0}),
    ]
    tracker.resume("a", moments)
    tracker.profiles("a", 20, {"gradient_flow/h": [-2.0, 0.0]})
    logged = [(options["step"], rows[0]) for name, rows, options in opened[0].calls if name == "log"]
    assert [step for step, _ in logged] == [0, 5, 5, 10, 20]
    assert [row for _, row in logged if "gradient_flow/h" not in row] == [
        {"update": moment.update, **moment.values} for moment in moments if moment.values
    ]
    (norms,) = (row["gradient_norms/h"] for _, row in logged if "gradient_norms/h" in row)
    assert "updates 2;" in norms  # with the last image of all, so that none is missing
    captions = [row["gradient_flow/h"] for _, row in logged if "gradient_flow/h" in row]
    assert ["updates 0, 5;" in captions[0], "updates 0, 5, 20;" in captions[1]] == [True, True]
    assert ": -3.0 (dark)" in captions[1]


def test_nothing_fails_and_nothing_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    opened = fake_wandb(monkeypatch, "nothing")
    use(WandbTracker(directory=tmp_path))
    assert not caplog.records
    assert [run.calls[-1] for run in opened] == [("finish", (), {"exit_code": code}) for code in (0, 0, 1)]
    assert opened[0].summary == {"outcome": "solved"}
    steps = [options["step"] for name, _, options in opened[1].calls if name == "log"]
    assert steps == [0, 0, 1, 1, 2, 2]


def test_an_interrupt_is_not_swallowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_wandb(monkeypatch, "nothing")

    def interrupt(**options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wandb.init", interrupt)
    with pytest.raises(KeyboardInterrupt):
        WandbTracker(directory=tmp_path).start("a", "demo", {}, "a")


def test_make_tracker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened = fake_wandb(monkeypatch, "nothing")
    for tracker in (
        make_tracker("none", directory=tmp_path),
        make_tracker("wandb", mode="disabled", directory=tmp_path),
        WandbTracker(mode="disabled", directory=tmp_path),
        NullTracker(),
    ):
        use(tracker)
    assert not opened
    assert not os.listdir(tmp_path)
    assert isinstance(make_tracker("wandb", directory=tmp_path), WandbTracker)
    with pytest.raises(ValueError, match="none, wandb, got 'tensorboard'"):
        make_tracker("tensorboard", directory=tmp_path)
    with pytest.raises(ValueError, match="offline, online, disabled, got 'on'"):
        make_tracker("wandb", mode="on", directory=tmp_path)
