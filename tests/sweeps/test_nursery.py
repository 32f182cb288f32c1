"""What workers get of the process that starts them: its search path and its lrd, not its folder nor its program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import spawn
from pathlib import Path
from typing import Any

import pytest

from lrd.sweeps import nursery
from lrd.sweeps.nursery import Fork, OtherCodeError


def test_a_fork_is_given_the_search_path_without_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = ["", str(tmp_path / "mine"), *sys.path, "/a:b"]
    monkeypatch.setattr(sys, "path", path.copy())
    main, variables = sys.modules["__main__"], dict(os.environ)
    with nursery._as_workers_see_it():
        given = spawn.get_preparation_data("worker")
        assert os.environ["PYTHONPATH"].split(":") == path[1:-1]
    assert given["sys_path"] == path[1:]
    assert not [name for name in given if name.startswith("init_main")]
    assert sys.path == path
    assert sys.modules["__main__"] is main
    assert dict(os.environ) == variables


def test_a_fork_takes_no_other_lrd_for_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fork = Fork(target=done.append, args=("trained",))
    fork.run()
    monkeypatch.setattr("lrd.__file__", "/elsewhere/lrd/__init__.py")
    with pytest.raises(OtherCodeError, match=r"worker imports /elsewhere/lrd/__init__.py"):
        fork.run()
    assert done == ["trained"]


@pytest.mark.parametrize(("hangup", "stops"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
def test_hanging_up_stops_a_sweep_but_under_nohup(hangup: Callable[..., Any], stops: bool) -> None:
    before = signal.signal(signal.SIGHUP, hangup)
    try:
        assert (signal.SIGHUP in nursery.stopping()) == stops
        assert {signal.SIGINT, signal.SIGTERM} <= nursery.stopping()
    finally:
        signal.signal(signal.SIGHUP, before)
