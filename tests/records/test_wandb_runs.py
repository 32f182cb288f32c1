"""Runs of the mirror in real wandb, offline and without any network."""

from __future__ import annotations

import http.server
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from offline_runs import inspect, of_type, run_script
from wandb_bench import KEY

from lrd.records.heatmap import VANISHED, VIRIDIS


@pytest.mark.slow
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
        "            norms = {'gradient_flow/h': flow, 'gradient_flow/c': list(flow)}\n"
        "            tracker.profiles(run_id, update, norms)\n"
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
        assert f"|dL/d{variable}_t|: -29.0 (dark) to 0.0 (bright)" in rows[-1][f"{name}.caption"]
        assert "updates 0, 5, 20; across: t = 0 to 99" in rows[-1][f"{name}.caption"]
        pixels = np.asarray(Image.open(folder / "files" / rows[-1][f"{name}.path"]))
        assert tuple(pixels[0, -1]) == VANISHED
        assert tuple(pixels[-1, 0]) == VIRIDIS[0]
        assert tuple(pixels[5, -5]) == VIRIDIS[-1]


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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
