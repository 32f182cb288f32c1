"""The wandb mirror, offline and without any network; read back by wandb's own inspector."""

from __future__ import annotations

import http.server
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrd.records import wandb_mirror
from lrd.records.heatmap import VANISHED, VIRIDIS
from lrd.records.shown import Moment
from lrd.records.tracker import NullTracker, Tracker, make_tracker
from lrd.records.wandb_mirror import WandbTracker

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef" * 2 + "01234567"  # the form of a key, and nobody's


@pytest.fixture(autouse=True)
def no_wandb_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(WandbTracker, "_away_until", float("-inf"))
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def run_script(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: wandb keeps one session a process, whose ways tests must not share."""
    head = (
        "import logging, os, sys, time; from pathlib import Path; import numpy as np\n"
        "from lrd.records import make_tracker\n"
        "logging.basicConfig(level=logging.WARNING, format='LOG %(message)s', stream=sys.stdout)\n"
        f"folder = Path({str(folder)!r})\n"
    )
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_CACHE_DIR"}
    return subprocess.run(
        [sys.executable, "-c", head + code],
        cwd=ROOT,
        env={**inherited, "HOME": str(folder.parent / "home"), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )


def inspect(folder: Path) -> list[dict[str, Any]]:
    """The records of an offline run's log."""
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def of_type(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in records if record["type"] == kind]


def test_24_runs_open_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "demo"
    code = (
        "tracker = make_tracker('wandb', directory=folder)\n"
        "ids = [f'run{number:02d}' for number in range(24)]\n"
        "for number, run_id in enumerate(ids):\n"
        "    config = {'task': {'name': 'copy', 'gap': number}, 'seed': 3}\n"
        "    tracker.start(run_id, 'demo', config, f'copy, gap {number}')\n"
        "for update in (0, 5, 20):\n"
        "    for number, run_id in enumerate(ids):\n"
        "        tracker.log(run_id, update, {'train_loss': 100.0 * number + update, 'grad_norm': float('nan')})\n"
        "        if number < 2:\n"
        "            flow = np.append(np.linspace(-9.0 - update, 0, 99), -np.inf)\n"
        "            tracker.gradient_flow(run_id, update, {'h': flow, 'c': list(flow)})\n"
        "for run_id in ids[:-1]:\n"
        "    tracker.finish(run_id, {'outcome': 'solved', 'update': 20, 'test_loss': 0.5})\n"
        "tracker.close()\n"
    )
    done = run_script(code, folder)
    assert done.stdout == ""
    assert done.stderr == ""
    assert not (tmp_path / "home").exists()  # all that wandb writes lies in the study's folder
    folders = sorted((folder / "wandb").glob("offline-run-*"))
    assert [path.name.rsplit("-", 1)[1] for path in folders] == [f"run{number:02d}" for number in range(24)]
    for number in (0, 7, 23):  # the inspector takes a third of a second for each
        records = inspect(folders[number])
        run = of_type(records, "run")[0]
        assert (run["run_id"], run["run_group"], run["project"]) == (f"run{number:02d}", "demo", "lrd")
        assert run["display_name"] == f"copy, gap {number}"
        config = run["config"]["update"]
        assert config["task"] == {"name": "copy", "gap": number}
        assert config["seed"] == 3
        rows = [row["item"] for row in of_type(records, "history")]
        assert [(row["_step"], row["update"], row["train_loss"]) for row in rows] == [
            (update, update, 100 * number + update) for update in (0, 5, 20)
        ]
        assert {"name": "update", "options": {"defined": True}} in of_type(records, "metric")
        assert any(m.get("glob_name") == "*" and m["step_metric"] == "update" for m in of_type(records, "metric"))
        exits = of_type(records, "exit")
        assert exits[-1].get("exit_code", 0) == (1 if number == 23 else 0)
        summaries = [summary["update"] for summary in of_type(records, "summary")]
        assert any(summary.get("outcome") == "solved" for summary in summaries) == (number != 23)
        if number == 0:
            check_images(rows, folders[0])


def check_images(rows: list[dict[str, Any]], folder: Path) -> None:
    from PIL import Image

    for variable in "hc":
        name = f"gradient_flow/{variable}"
        assert [row[f"{name}.height"] >= 200 and row[f"{name}.width"] >= 400 for row in rows] == [True] * 3
        assert f"dL/d{variable}_t from -29.0 (dark) to 0.0 (bright)" in rows[-1][f"{name}.caption"]
        assert "updates 0, 5, 20; across: t = 0 to 99" in rows[-1][f"{name}.caption"]
        pixels = np.asarray(Image.open(folder / "files" / rows[-1][f"{name}.path"]))
        assert tuple(pixels[0, -1]) == VANISHED
        assert tuple(pixels[-1, 0]) == VIRIDIS[0]
        assert tuple(pixels[5, -5]) == VIRIDIS[-1]


def test_a_killed_run_goes_on_under_its_id(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    begin = (
        "tracker = make_tracker('wandb', directory=folder)\n"
        "tracker.start('run0', 'demo', {{'seed': 3}}, 'name')\n"
        "tracker.log('run0', {update}, {{'train_loss': 1.0}})\n"
        "tracker.log('run0', {update} + 1, {{'train_loss': 1.0}})\n"
    )
    with pytest.raises(subprocess.CalledProcessError):
        run_script(begin.format(update=1) + "time.sleep(1.8)\nos.kill(os.getpid(), 9)\n", folder)
    run_script(begin.format(update=2) + "tracker.finish('run0', {'outcome': 'solved'})\n", folder)
    folders = sorted((folder / "wandb").glob("offline-run-*-run0"))
    assert len(folders) == 2
    seen = [[row["item"]["update"] for row in of_type(inspect(path), "history")] for path in folders]
    assert seen == [[1], [2, 3]]  # wandb holds the newest row back until the next one begins
    assert {of_type(inspect(path), "run")[0]["run_id"] for path in folders} == {"run0"}


def train_three(mode: str) -> str:
    return (
        f"tracker = make_tracker('wandb', directory=folder, mode={mode!r})\n"
        "for name in 'abc': tracker.start(name, 'demo', {'seed': 3}, name)\n"
        "for name in 'abc': tracker.log(name, 1, {'train_loss': 1.0})\n"
        "for name in 'abc': tracker.finish(name, {'outcome': 'solved'})\n"
        "tracker.close()\n"
    )


def test_online_without_a_key_goes_offline_and_says_so_once(tmp_path: Path) -> None:
    done = run_script(train_three("online"), tmp_path / "demo", WANDB_BASE_URL="http://127.0.0.1:9")
    assert done.stdout.count("LOG") == 1
    assert "no API key" in done.stdout
    assert "kept offline" in done.stdout
    assert done.stderr == ""
    assert len(list((tmp_path / "demo/wandb").glob("offline-run-*"))) == 3


class Server(http.server.BaseHTTPRequestHandler):
    """Knows the user, and refuses every run."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        known = b"query Viewer" in body
        viewer = {"id": "x", "entity": "e", "username": "u", "flags": "{}", "teams": {"edges": []}}
        answer = {"data": {"viewer": viewer}} if known else {"errors": [{"message": "permission denied"}]}
        text = json.dumps(answer).encode()
        self.send_response(200 if known else 403)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_server_that_refuses_means_offline_and_the_key_is_nowhere(tmp_path: Path, server: str) -> None:
    done = run_script(train_three("online"), tmp_path / "demo", WANDB_BASE_URL=server, WANDB_API_KEY=KEY)
    assert done.stdout.count("LOG") == 1
    assert "permission denied" in done.stdout
    assert "kept offline" in done.stdout
    assert done.stderr == ""
    assert KEY not in done.stdout
    folders = sorted((tmp_path / "demo/wandb").glob("offline-run-*"))
    assert [path.name[-1] for path in folders] == list("abc")
    assert of_type(inspect(folders[0]), "history")[0]["item"]["train_loss"] == 1  # the refused one is mirrored too
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_a_wandb_service_that_dies_costs_only_the_mirror(tmp_path: Path) -> None:
    code = (
        "tracker = make_tracker('wandb', directory=folder)\n"
        "for name in 'abc': tracker.start(name, 'demo', {'seed': 3}, name)\n"
        "print(os.getpid(), flush=True)\n"
        "children = Path(f'/proc/{os.getpid()}/task/{os.getpid()}/children').read_text().split()\n"
        "services = [int(pid) for pid in children if 'wandb-core' in Path(f'/proc/{pid}/cmdline').read_text()]\n"
        "assert len(services) == 1\n"
        f"os.kill(services[0], {int(signal.SIGKILL)})\n"
        "time.sleep(0.3)\n"
        "begin = time.perf_counter()\n"
        "for update in range(200):\n"
        "    for name in 'abc': tracker.log(name, update, {'train_loss': 1.0})\n"
        "for name in 'abc': tracker.finish(name, {'outcome': 'solved'})\n"
        "tracker.start('d', 'demo', {}, 'd')\n"
        "tracker.close()\n"
        "assert time.perf_counter() - begin < 3\n"
    )
    done = run_script(code, tmp_path / "demo")
    assert done.stdout.count("LOG") == 1
    assert "go on without the wandb mirror" in done.stdout
    assert done.stderr == ""


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
            tracker.gradient_flow(name, update, {"h": [0.0, -1.0]})
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
    assert "gradient flow" in caplog.records[0].getMessage()


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


def test_a_resumed_run_shows_every_row_again_and_all_looks_in_one_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened = fake_wandb(monkeypatch, "nothing")
    monkeypatch.setattr("wandb.Image", lambda pixels, caption: caption)
    tracker = WandbTracker(directory=tmp_path)
    tracker.resume("a", [])  # never started
    tracker.start("a", "demo", {}, "a")
    moments = [
        Moment(0, {"eval_loss": 2.0, "slope_h": 0.5}, {"h": np.array([-1.0, 0.0])}),
        Moment(5, {"slope_h": 0.4}, {"h": np.array([-3.0, 0.0])}),
        Moment(10, {"eval_loss": 1.0}),
    ]
    tracker.resume("a", moments)
    tracker.gradient_flow("a", 20, {"h": [-2.0, 0.0]})
    logged = [(options["step"], rows[0]) for name, rows, options in opened[0].calls if name == "log"]
    assert [step for step, _ in logged] == [0, 5, 5, 10, 20]
    assert [row for _, row in logged if "gradient_flow/h" not in row] == [
        {"update": moment.update, **moment.values} for moment in moments
    ]
    captions = [row["gradient_flow/h"] for _, row in logged if "gradient_flow/h" in row]
    assert ["updates 0, 5;" in captions[0], "updates 0, 5, 20;" in captions[1]] == [True, True]
    assert "from -3.0 (dark)" in captions[1]


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
