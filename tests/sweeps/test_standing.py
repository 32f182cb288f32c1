"""How a study stands, by its records and run locks alone."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from jobs import job

from lrd.cli import main
from lrd.records import Study, hold_run_locks, open_study
from lrd.spec import Job
from lrd.sweeps.plan import plan, record_of
from lrd.sweeps.standing import Holder, holders, to_go, unheld
from lrd.sweeps.units import duration
from lrd.sweeps.workers import train_pack

AWAY = {"host": "elsewhere", "machine": "another boot", "pid": 7, "started": 1}


def begun(j: Job, state: str = "interrupted", update: int = 6, seconds: float | None = 3.0) -> Job:
    """A run of 12 updates that was begun and stands at such an update."""
    (pack,) = plan([j], 1).packs
    train_pack(pack, lambda event: None, lambda: True)
    record_of(j).status(state, update=update, max_updates=12, seconds=seconds)
    return j


def finished(j: Job, seconds: float = 12.0) -> Job:
    (pack,) = plan([j], 1).packs
    train_pack(pack, lambda event: None, lambda: False)
    path = record_of(j).path / "summary.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "seconds": seconds}))
    return j


def away(j: Job, silent: float, token: str = "a") -> Job:
    """The run is held and said to run by a process of another machine, whose heart beat ``silent`` seconds ago."""
    path = record_of(j).path
    (path / "claim.json").write_text(json.dumps({"token": token, "process": AWAY}))
    stamp = time.time() - silent
    os.utime(path / "claim.json", (stamp, stamp))
    status = json.loads((path / "status.json").read_text(encoding="utf-8"))
    (path / "status.json").write_text(json.dumps({**status, **AWAY, "state": "running"}))
    return j


def study(root: Path) -> Study:
    return open_study(root / "s")


def line(root: Path) -> str:
    return to_go(study(root), holders(study(root)))


def test_a_finished_study_has_nothing_left(tmp_path: Path) -> None:
    finished(job(tmp_path))
    assert line(tmp_path) == "12 updates done, nothing left of the runs begun"


def test_an_interrupted_study_says_how_much_work_is_left(tmp_path: Path) -> None:
    """A run of 12 updates in 12 s; one cut off at 6 after 3 s; one at 0, of which the median of its like is known."""
    finished(job(tmp_path))
    begun(job(tmp_path, seed=1))
    begun(job(tmp_path, seed=2), update=0, seconds=0.0)
    left = 6 * 0.5 + 12 * 0.75
    assert line(tmp_path) == (
        "18 of at most 36 updates of the runs begun are done; nobody is at it; "
        f"at most {duration(left)} of work for one worker"
    )


def test_processes_at_work_share_what_is_left(tmp_path: Path) -> None:
    away(begun(job(tmp_path)), silent=1)
    away(begun(job(tmp_path, seed=1)), silent=1)
    with hold_run_locks([record_of(begun(job(tmp_path, seed=2))).path]):
        done, rate, left = line(tmp_path).split("; ")
    assert (done, rate) == ("18 of at most 36 updates of the runs begun are done", "4 run-updates/s by 2 processes")
    assert left == f"at most {duration(18 * 0.5 / 2)} to go"


def test_status_names_what_knows_the_runs_not_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun(job(tmp_path))
    assert main(["status", str(tmp_path / "s")]) == 0
    assert "\nruns not begun leave no record: lrd plan, with the arguments of the sweep, " in capsys.readouterr().out


def test_what_no_run_says_is_not_made_up(tmp_path: Path) -> None:
    begun(job(tmp_path), update=0, seconds=None)
    done, left = line(tmp_path).split("; ")
    assert done == "0 of at most 12 updates of the runs begun are done"
    assert left == "no run got far enough to say how long the rest takes"


def test_a_process_out_of_sight_is_alive_while_its_heart_beats(tmp_path: Path) -> None:
    away(begun(job(tmp_path)), silent=0)
    (found,) = holders(study(tmp_path))
    assert found.at_work
    assert re.fullmatch(r"held: 1 run by process 7 on elsewhere, last heartbeat [\d.]+ s ago", found.line)


def test_a_process_without_heartbeat_is_named_with_its_silence_and_counts_as_gone(tmp_path: Path) -> None:
    for seed in range(2):
        away(begun(job(tmp_path, seed=seed)), silent=12.2 * 60)
    (found,) = holders(study(tmp_path))
    assert not found.at_work
    assert found.line.startswith("held: 2 runs by process 7 on elsewhere, no heartbeat for 12 min: the same command")
    assert "nobody is at it" in line(tmp_path)


def test_reading_a_heartbeat_leaves_nothing_behind(tmp_path: Path) -> None:
    away(begun(job(tmp_path)), silent=0)
    before = sorted(tmp_path.rglob("*"))
    holders(study(tmp_path))
    assert sorted(tmp_path.rglob("*")) == before


def test_runs_said_to_run_that_nobody_holds_are_named(tmp_path: Path) -> None:
    j = away(begun(job(tmp_path)), silent=0)
    assert unheld(study(tmp_path), holders(study(tmp_path))) == []
    (record_of(j).path / "claim.json").unlink()
    (said,) = unheld(study(tmp_path), holders(study(tmp_path)))
    assert said == "running, yet held by no process: 1; the same command again goes on with them"


@pytest.mark.parametrize(
    ("options", "end", "at_work"),
    [
        ({"alive": True}, "alive", True),
        ({"alive": False}, "gone: the same command again takes over", False),
        ({"alive": None, "silent": None}, "not to be seen from here", True),
    ],
)
def test_a_holder_is_named_as_far_as_it_is_known(options: dict[str, Any], end: str, at_work: bool) -> None:
    found = Holder("process 7 on here", runs=("a", "b"), **({"silent": None} | options))
    assert found.line == f"held: 2 runs by process 7 on here, {end}"
    assert found.at_work == at_work


def test_training_says_what_it_took_so_far(tmp_path: Path) -> None:
    steps = iter(range(100))
    (pack,) = plan([job(tmp_path)], 1).packs
    train_pack(pack, lambda event: None, lambda: next(steps) >= 5)
    ((update, seconds),) = study(tmp_path).sql('select "update", seconds from runs').fetchall()
    assert update == 5
    assert seconds > 0
