"""What is measured of a machine, with a clock that the test drives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from helpers import run_spec

from lrd.cells import LSTM, RNN
from lrd.sweeps import calibrate as module
from lrd.sweeps.calibrate import ONE, calibrate, shortened
from lrd.sweeps.prices import ACTIONS, action_seconds
from lrd.tasks import Adding

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Looped(LSTM):
    """A kind that no fast kernel knows."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock is 1 ms after the one before: each action, timed by two looks, takes 1 ms."""
    now = iter(range(10**9))
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(now) * 1e-3)


def test_a_factor_is_time_measured_over_time_said(clock: None) -> None:
    run = run_spec(Adding(gap=6), RNN(hidden_size=4), eval_samples=8, test_samples=8)
    (factors,) = calibrate([(run, 3)], CPU)
    assert factors is not None
    samples = {"update": run.training.batch_size, "evaluate": 8, "look": run.probes[0].samples}
    said = {action: action_seconds(action, run, 3, samples[action]) for action in ACTIONS}
    assert factors == pytest.approx({action: 1e-3 / said[action] for action in ACTIONS})


def test_when_time_is_over_every_cell_was_measured_twice_and_the_rest_gets_the_median(
    clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []

    def measure(run: Any, runs: int, device: Any) -> dict[str, float]:
        measured.append((type(run.cell), run.task.gap))
        return dict.fromkeys(ACTIONS, float(run.task.gap))

    monkeypatch.setattr(module, "_measure", measure)
    shapes = [(run_spec(Adding(gap=gap), cell), 1) for cell in (RNN(), LSTM()) for gap in (4, 9, 25)]
    rest = calibrate(shapes, CPU, seconds=0)
    assert measured == [(RNN, 4), (LSTM, 4), (RNN, 9), (LSTM, 9)]
    assert [f and f["update"] for f in rest] == [4.0, 9.0, 6.5] * 2
    measured.clear()
    every = calibrate(shapes, CPU, seconds=60)
    assert measured == [(RNN, 4), (LSTM, 4), (RNN, 9), (LSTM, 9), (RNN, 25), (LSTM, 25)]
    assert [f and f["update"] for f in every] == [4.0, 9.0, 25.0] * 2


def test_what_torch_cannot_do_here_has_no_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(run: Any, runs: int, device: Any) -> dict[str, float]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(module, "_measure", measure)
    assert calibrate([(run_spec(Adding(gap=4), RNN()), 1)], CPU) == [None]


@pytest.mark.parametrize("cell", [RNN(hidden_size=4), LSTM(hidden_size=64), Looped(hidden_size=16)])
def test_long_sequences_are_shortened_until_no_action_takes_long(cell: RNN | LSTM) -> None:
    run = run_spec(Adding(gap=4000), cell)
    short = shortened(run, 2)
    assert short.task.gap < 4000
    assert short.cell == run.cell
    samples = {"update": run.training.batch_size, "evaluate": 256, "look": run.probes[0].samples}
    assert max(action_seconds(action, short, 2, samples[action]) for action in ACTIONS) <= ONE
    assert shortened(short, 2) == short


def test_a_task_is_shortened_no_further_than_it_allows() -> None:
    run = run_spec(Adding(gap=100, convention="hochreiter1997"), LSTM(hidden_size=512))
    assert 22 <= shortened(run, 16).task.gap < 44


def test_all_that_is_measured_can_be_done() -> None:
    """Numbers of a machine, so that nothing but their sign is known."""
    answer = run_spec(Adding(gap=4), LSTM(hidden_size=3), answer=0, precision="float64", eval_samples=4, test_samples=4)
    silent = run_spec(Adding(gap=4), Looped(hidden_size=3), eval_samples=4, test_samples=4)
    silent = replace(silent, probes=())
    first, second = calibrate([(answer, 2), (silent, 1)], CPU, seconds=0)
    assert first is not None
    assert second is not None
    assert min(first.values()) > 0
    assert second["look"] == 1
