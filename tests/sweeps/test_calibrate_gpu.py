"""What is measured of a GPU: packs as they are planned. The GPU is made up, and drives the clock."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers import run_spec

from lrd.cells import LSTM, RNN
from lrd.probes import GradientFlow
from lrd.spec import RunSpec
from lrd.sweeps import calibrate as module
from lrd.sweeps.calibrate import Factors, calibrate
from lrd.sweeps.estimate import update_seconds
from lrd.sweeps.prices import ACTIONS, action_seconds, pack_seconds
from lrd.tasks import Adding

GPU = torch.device("cuda")
#: Of one action, for each step of a sequence, whatever the number of runs; and of each update until it is recorded.
STEP = {"update": 1e-5, "evaluate": 4e-6, "look": 3e-4}
COMPILING, COMPILED_UPDATES = 2.5, 3


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """A GPU that nothing fills; gives the lengths and sizes of the packs that were measured."""
    now, began, seen = 0.0, 0.0, []

    class Pack:
        def __init__(self, spec: RunSpec) -> None:
            self.task, self.cell, self.seeds = spec.task, spec.cell, None
            self.updates = 0

        @classmethod
        def of_copies(cls, spec: RunSpec, runs: int, device: torch.device) -> Pack:
            seen.append((spec.task.sequence_length, runs))
            if runs > 1000:
                raise torch.cuda.OutOfMemoryError
            return cls(spec)

        def parameters(self) -> None: ...

        def step(self) -> None:
            self.updates += 1
            goes_on("update", self.task, COMPILING if self.updates <= COMPILED_UPDATES else 0)

        def evaluate(self, split: str, samples: int) -> None:
            goes_on("evaluate", self.task)

    def goes_on(action: str, task: Any, more: float = 0) -> None:
        nonlocal now
        now += STEP[action] * task.sequence_length + more

    def synchronized(device: torch.device) -> None:
        nonlocal began
        began = now

    def clock() -> float:
        return began  # what the GPU has not been waited for is not seen

    monkeypatch.setattr(module, "Pack", Pack)
    monkeypatch.setattr(module.Subject, "of", lambda task, *rest: task)
    monkeypatch.setattr(GradientFlow, "tables_of", lambda self, task: goes_on("look", task))
    monkeypatch.setattr(torch.cuda, "synchronize", synchronized)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock))
    return seen


def seconds(run: RunSpec, runs: int, factors: Factors | None) -> dict[str, float]:
    """What the formula says with these factors."""
    samples = {"update": run.training.batch_size, "evaluate": 256, "look": run.probes[0].samples}
    assert factors is not None
    return {action: factors[action] * action_seconds(action, run, runs, samples[action]) for action in ACTIONS}


def expected(run: RunSpec) -> Any:
    return pytest.approx({action: STEP[action] * run.task.sequence_length for action in ACTIONS})


def test_a_pack_is_measured_as_it_is_planned_and_after_it_is_compiled(fake: list[tuple[int, int]]) -> None:
    run = run_spec(Adding(gap=2000), LSTM(hidden_size=128), eval_samples=256)
    small, large = calibrate([(run, 8), (run, 64)], GPU)
    assert fake == [(2000, 8), (2000, 64)]
    assert seconds(run, 8, small) == expected(run)
    assert seconds(run, 64, large) == expected(run)
    # Records are written by the hundred either way; a plan takes the pack of 64 for as long as that of 8 but for those.
    took = [pack_seconds(run, runs, 0, factors) for runs, factors in ((8, small), (64, large))]
    records = [pack_seconds(run, runs, 0, dict.fromkeys(ACTIONS, 0.0)) for runs in (8, 64)]
    assert took[1] - records[1] == pytest.approx(took[0] - records[0], rel=1e-9)


def test_the_rest_takes_as_long_as_the_nearest_in_proportion_to_its_length(fake: list[tuple[int, int]]) -> None:
    shapes = [
        (run_spec(Adding(gap=gap), cell, eval_samples=256), 4) for cell in (RNN(), LSTM()) for gap in (500, 8, 40)
    ]
    factors = calibrate(shapes, GPU, seconds=0)
    assert fake == [(500, 4), (500, 4), (8, 4), (8, 4)]
    for (run, runs), found in zip(shapes, factors, strict=True):
        assert seconds(run, runs, found) == expected(run)


def test_what_does_not_fit_takes_as_long_as_the_nearest_that_does(fake: list[tuple[int, int]]) -> None:
    run = run_spec(Adding(gap=30), RNN(), eval_samples=256)
    large, small = calibrate([(run, 2000), (run, 20)], GPU)
    assert seconds(run, 2000, large) == seconds(run, 20, small) == expected(run)
    assert calibrate([(run, 2000)], GPU) == [None]


@pytest.mark.parametrize(
    ("device", "runs", "took"),
    [
        ("cpu", 1, 0.5),
        ("cpu", 64, 32.0),  # run after run
        ("cuda", 64, 32.0),  # the pack of 64
        ("cuda", 40, 32.0),  # no less than that
        ("cuda", 128, 64.0),  # at most twice as long
        ("cuda", 31, None),  # of which it tells nothing
        ("cuda", 129, None),
    ],
)
def test_on_a_gpu_only_packs_of_about_the_size_tell_the_time(device: str, runs: int, took: float | None) -> None:
    assert update_seconds([(0.5, 64.0), (0.4, 64.0), (0.9, 64.0)], runs, device) == took
    assert update_seconds([], runs, device) is None
