"""What benchmarks/pack.py makes of the times that it measured, and who it measures."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import contenders
import pack
from contenders import Shape
from table import Table
from teams import Team

from lrd.kernels.table import KERNELS

TIMES = {"lrd": [1.0, 2.0, 9.0], "bare": [1.0, 1.0, 3.0], "torch": [2.0, 2.0, 3.0], "jax": [2.0, 8.0, 9.0]}


def test_ratios_are_medians_of_the_ratios_of_a_round_and_misses_are_named() -> None:
    table = Table([], pack.COLUMNS)
    goals = pack.add_row(table, Shape("lstm", 100, 64), 8, TIMES, {"lrd": "some_kernel", "jax": "devices: 2"})
    ratios = ["1.00", "<= 0.80", "2.00", ">= 3.0", "2.00"]  # of lrd/torch .5, 1, 3; jax/lrd 2, 4, 1; norms 1, 2, 3
    assert table.rows == [
        [*("lstm", "100", "64", "8"), *("2.00", "1.00", "2.00", "8.00"), *ratios, "some_kernel", "devices: 2"]
    ]
    where = "lstm, T 100, hidden 64, runs 8"
    assert goals == {f"{where}: lrd/torch 1.00": False, f"{where}: jax/lrd 2.00": False}


def test_a_goal_that_is_just_reached_is_reached_and_without_jax_nothing_is_said_of_it() -> None:
    table = Table([], pack.COLUMNS)
    found = {"lrd": [0.8], "bare": [0.8], "torch": [1.0]}
    assert pack.add_row(table, Shape("lstm", 100, 64), 1, found, {"lrd": "k"}) == {
        "lstm, T 100, hidden 64, runs 1: lrd/torch 0.80": True
    }
    assert table.rows[0][7:12] == ["-", "0.80", "<= 0.80", "-", ">= 3.0"]


@pytest.mark.parametrize(
    ("shape", "most", "least"),
    [
        (Shape("lstm", 100, 32), 0.80, 3.0),
        (Shape("lstm", 400, 64), 0.80, 3.0),
        (Shape("lstm", 100, 128), 0.90, 3.0),
        (Shape("rnn", 100, 64), 0.35, None),
        (Shape("rnn", 100, 128), None, None),
        (Shape("gru", 100, 64), None, None),
    ],
)
def test_goals_are_those_that_are_stated(shape: Shape, most: float | None, least: float | None) -> None:
    assert (pack.most_over_torch(shape), pack.least_over_jax(shape)) == (most, least)


def test_of_torch_alone_the_faster_way_is_taken() -> None:
    slow, fast = [2.0, 2.0, 2.0], [1.0, 1.0, 9.0]
    assert pack.faster_torch({"torch": slow, "torch, threads": fast}) == {"torch": fast}
    assert pack.faster_torch({"torch": fast, "torch, threads": slow}) == {"torch": fast}
    assert pack.faster_torch({"torch": slow}) == {"torch": slow}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_contenders_train_what_they_say(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    shape = Shape(cell, 10, 3)
    for norms in (True, False):
        go, kernel = contenders.lrd(shape, 2, norms)
        go(2)
        assert kernel in KERNELS
    go, word = contenders.plain_torch(shape, 1)
    go(1)
    assert word == f"threads: {torch.get_num_threads()}"


def _counting(shape: Shape, runs: int) -> tuple[contenders.Go, str]:
    """Take part in a team by nothing but a word that says how many runs it was given."""
    return lambda count: None, f"{shape.cell} {runs}"


@pytest.mark.slow
def test_a_team_shares_the_runs_stays_from_shape_to_shape_and_says_when_a_worker_died() -> None:
    team = Team(_counting, 5, 2, {"OMP_NUM_THREADS": "1"})
    assert team.cores == 2
    assert team.prepare(Shape("rnn", 10, 3)) == "rnn 3"
    wall, used = team.seconds(3)
    assert wall > 0
    assert used >= 0
    assert team.prepare(Shape("lstm", 10, 3)) == "lstm 3"
    team.end()
    for pipe in team.pipes:
        with pytest.raises(EOFError):
            pipe.recv()


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs jax")
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_step_in_jax_is_that_of_torch(cell: str) -> None:
    """In a process of its own: one that has imported JAX warns whenever it is forked, as other tests do."""
    command = [sys.executable, str(Path(__file__).with_name("jax_beside_torch.py")), cell]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    in_jax, in_torch = map(float, done.stdout.split())
    assert in_jax == pytest.approx(in_torch, rel=1e-5)
