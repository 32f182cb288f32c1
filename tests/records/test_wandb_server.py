"""``lrd sync`` and the real wandb library: offline, and with a server on this machine."""

from __future__ import annotations

import copy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import LRD, environment, run, run_folders
from offline_runs import TINY
from offline_runs import inspect as records_of
from wandb_bench import KEY, Bench, serving

from lrd.records.wandb_server import without_keys

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[Bench]:
    with serving() as bench:
        yield bench


def sync(folder: Path, *arguments: str, status: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    done = run([LRD, "sync", "runs/scratch", *arguments], folder, status, **variables)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def inspect(folder: Path) -> dict[str, Any]:
    """What an offline run holds: its rows and the last word on each value of its summary and configuration."""
    records = records_of(folder)
    of = {kind: [r[kind] for r in records if r["type"] == kind] for kind in ("run", "history", "summary", "exit")}
    summary: dict[str, Any] = {}
    for part in of["summary"]:
        summary |= part["update"]

    def kept(values: dict[str, Any]) -> dict[str, Any]:
        return {name: v for name, v in values.items() if not name.startswith(("_timestamp", "_runtime", "_wandb"))}

    return {
        "names": [of["run"][0][name] for name in ("run_id", "run_group", "project", "display_name")],
        "config": kept(of["run"][0]["config"]["update"]),
        "rows": [kept(row["item"]) for row in of["history"]],
        "summary": kept(summary),
        "exit": of["exit"][-1].get("exit_code", 0),
    }


def test_runs_rebuilt_from_records_are_those_that_were_mirrored_live(trained: Path, tmp_path: Path) -> None:
    study = trained / "runs" / "scratch"
    code = (
        "import sys; from pathlib import Path\n"
        "from lrd.records.mirrored_run import read_mirrored_run\n"
        "from lrd.records.wandb_runs import WandbRuns\n"
        "from lrd.records.wandb_server import replay\n"
        "for folder in map(Path, sys.argv[2:]):\n"
        "    replay(WandbRuns('lrd', None, Path(sys.argv[1])), read_mirrored_run(folder), -1, 'offline')\n"
    )
    run([sys.executable, "-c", code, str(tmp_path), *map(str, run_folders(study).values())], tmp_path)
    for run_id in run_folders(study):
        (live,) = (study / "wandb").glob(f"offline-run-*-{run_id}")
        (rebuilt,) = (tmp_path / "wandb").glob(f"offline-run-*-{run_id}")
        ours, theirs = inspect(rebuilt), inspect(live)
        assert ours == theirs
        assert [row["_step"] for row in ours["rows"]] == [0, 1, 2, 5, 10, 20, 25]
        assert ours["summary"]["outcome"] == "unsolved"
        pictures = [sorted(path.name for path in folder.rglob("*.png")) for folder in (rebuilt, live)]
        assert pictures[0] == pictures[1]  # their names hold the hash of what is in them
        # Of h, and of an LSTM's c: gradient flow, from before training on, and training gradient norms.
        assert len(pictures[0]) == (7 + 6) * (1 + run_id.startswith("lstm"))


def test_a_server_gets_what_it_lacks_and_no_more(trained: Path, server: Bench) -> None:
    dry = sync(trained, "--dry-run", **server.environment)
    assert "would be sent: 2 runs" in dry.stdout
    assert server.asked == []
    assert "sent: 2 runs; on the server before: 0" in sync(trained, **server.environment).stdout
    ids = sorted(run_folders(trained / "runs" / "scratch"))
    assert sorted(server.asked) == sorted(server.runs) == ids
    whole = {run_id: server.rows(run_id) for run_id in ids}
    assert all([row["_step"] for row in rows] == [0, 1, 2, 5, 10, 20, 25] for rows in whole.values())
    assert {run["group"] for run in server.runs.values()} == {"scratch"}
    assert {run["summary"]["outcome"] for run in server.runs.values()} == {"unsolved"}
    assert len(server.pictures) >= 39
    assert "sent: 0 runs; on the server before: 2" in sync(trained, **server.environment).stdout
    assert len(server.asked) == 2
    # One of them as a live mirror that died left it.
    half = server.runs[ids[0]]
    half |= {"history": {n: row for n, row in half["history"].items() if row["_step"] <= 10}, "summary": {"_step": 10}}
    before = copy.deepcopy(half["history"])
    assert "sent: 1 runs; on the server before: 1" in sync(trained, **server.environment).stdout
    assert {n: half["history"][n] for n in before} == before
    assert {run_id: server.rows(run_id) for run_id in ids} == whole
    assert half["summary"]["outcome"] == "unsolved"


def test_a_server_that_goes_away_in_the_middle_is_made_up_for_later(trained: Path, server: Bench) -> None:
    first, second = run_folders(trained / "runs" / "scratch")
    server.answers = lambda what: not what.startswith(f"rows of {second}")
    done = sync(trained, status=1, **server.environment)
    assert "sent: 1 runs" in done.stdout
    assert len(done.stderr.splitlines()) == 1
    assert f"not sent: {second}" in done.stderr
    server.answers = lambda what: True
    assert "sent: 1 runs; on the server before: 1" in sync(trained, **server.environment).stdout
    assert server.last(first) == server.last(second) == 25


@pytest.mark.parametrize("how", ["no key", "nobody there", "never answers", "refuses", "no study"])
def test_without_a_server_it_is_one_line_with_a_way_out(trained: Path, how: str, server: Bench) -> None:
    """The waits are wandb's own; that they end is what is tested."""
    variables, words = server.environment, "WANDB_BASE_URL"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        if how == "no key":
            variables, words = {}, "`wandb login` or WANDB_API_KEY"
        elif how == "nobody there":
            variables["WANDB_BASE_URL"] = "http://127.0.0.1:9"
        elif how == "never answers":
            variables["WANDB_BASE_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        elif how == "refuses":  # as for an entity that is not ours
            words = "permission denied (WANDB_API_KEY or"
            server.refuses = "upsertBucket"
        begin = time.monotonic()
        if how == "no study":
            done, words = run([LRD, "sync", "runs/other"], trained, 2), "no study at runs/other"
        else:
            done = sync(trained, status=2, **variables)
        assert time.monotonic() - begin < 160  # a hang is cut off by `run`, some seconds later
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert KEY not in done.stderr


def test_a_dry_run_without_a_key_says_what_there_is(trained: Path) -> None:
    done = sync(trained, "--dry-run")
    assert "the server was not asked: wandb: no API key" in done.stdout
    assert "would be compared: 2 runs of runs/scratch" in done.stdout


@pytest.mark.parametrize("where", ["environment", "netrc"])
def test_the_key_is_nowhere_but_where_the_user_put_it(tmp_path: Path, server: Bench, where: str) -> None:
    variables = server.environment
    if where == "netrc":
        del variables["WANDB_API_KEY"]
        host = server.url.removeprefix("http://")
        (tmp_path / ".netrc").write_text(f"machine {host}\n  login user\n  password {KEY}\n")
        (tmp_path / ".netrc").chmod(0o600)
    work = tmp_path / "work"
    work.mkdir()
    variables["HOME"] = str(tmp_path)
    live = run([LRD, "train", *TINY, "cell=rnn", "tracker.mode=online"], work, **variables)
    mirrored = {run_id: server.rows(run_id) for run_id in server.runs}
    assert len(mirrored) == 1
    server.runs.clear()
    sent = sync(work, **variables)
    assert {run_id: server.rows(run_id) for run_id in server.runs} == mirrored
    assert KEY not in "".join(done.stdout + done.stderr for done in (live, sent))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".netrc"]
    assert len(files) > 7
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_keys_are_taken_out_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "my-own-secret")
    text = f"401 for {KEY}\nand wandb_v1_abc123_xyz, my-own-secret"
    assert without_keys(text) == "401 for *** and ***, ***"
    assert environment(Path("/x")).get("WANDB_API_KEY") is None  # nor do the tests' commands have it


def test_a_service_that_does_not_end_by_itself_is_killed(tmp_path: Path) -> None:
    """One that is stopped, so that it never answers, stands for one that waits for a server."""
    code = (
        "import os, signal, time\n"
        "from pathlib import Path\n"
        "from lrd.records.wandb_runs import WandbRuns, _service, tear_down\n"
        f"runs = WandbRuns('p', None, Path({str(tmp_path)!r}))\n"
        "runs.open('a', 's', {}, 'a', 'offline')\n"
        "process = _service()\n"
        "os.kill(process.pid, signal.SIGSTOP)\n"
        "tear_down(0.5)\n"
        "print(process.poll())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment(tmp_path)
    )
    assert done.stdout.strip() == str(-signal.SIGKILL), done.stderr
