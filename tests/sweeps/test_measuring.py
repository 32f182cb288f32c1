"""What is measured of a machine: on a CPU that is real, and on a GPU that is made up and drives the clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers import run_spec

from lrd.cells import LSTM, RNN, Cell
from lrd.probes import GradientFlow, log_spaced
from lrd.spec import Evaluation, RunSpec
from lrd.sweeps import measuring as module
from lrd.sweeps.measuring import Costs, family, measure, shortened
from lrd.tasks import Adding, Copy
from lrd.training.curriculum import without

CPU, GPU = torch.device("cpu"), torch.device("cuda")
STEP = {"update": 1e-5, "evaluate": 4e-6, "probe": 3e-4}  # seconds a step of a sequence, whatever the number of runs
COMPILING, COMPILED_UPDATES = 2.5, 3


@dataclass(frozen=True)
class Looped(LSTM):
    """A kind that no fast kernel knows."""


def spec(cell: Cell | None = None, gap: int = 10, **options: Any) -> RunSpec:
    return run_spec(Adding(gap=gap), cell or RNN(hidden_size=4), **({"eval_samples": 256} | options))


@pytest.mark.parametrize(
    ("last", "every", "start", "end"),
    [(100, 10, 0, 100), (100, 30, 0, 100), (7, 100, 0, 7), (100, 30, 45, 100), (9, 3, 9, 9), (100, 10, 0, 30)],
)
def test_costs_count_what_the_training_loop_does(last: int, every: int, start: int, end: int) -> None:
    """Counted here update by update; a run that starts anew is also measured and evaluated before its first update."""
    moments, measured, evaluations = set(log_spaced(last, 3)) | {end}, int(start == 0), int(start == 0)
    for update in range(start + 1, end + 1):
        measured += update in moments
        evaluations += update % every == 0 or update == last
    run = spec(max_updates=last, eval_every=every, eval_samples=7, test_samples=9)
    assert Costs(1, 0, (0,)).of(run, start, end) == end - start
    assert Costs(0, 1, (0,)).of(run, start, end) == 7 * evaluations + 9
    assert Costs(0, 0, (1,)).of(run, start, end) == measured
    assert Costs(0, 0, ()).of(replace(run, probes=()), start, end) == 0


def test_tests_at_other_gaps_cost_as_their_sequences_are_long() -> None:
    """Adding's sequences are as long as its gap: 5 + 10 + 200 steps a test sequence in place of 10."""
    run = spec(max_updates=10, eval_every=10, eval_samples=1, test_samples=100)
    tested = replace(run, evaluation=Evaluation((5, 200)))
    assert Costs(0, 1, (0,)).of(run, 0, 10) == 2 + 100
    assert Costs(0, 1, (0,)).of(tested, 0, 10) == pytest.approx(2 + 100 * (5 + 10 + 200) / 10)


@pytest.mark.parametrize("cell", [RNN(hidden_size=4), Looped(hidden_size=16)])
def test_long_sequences_are_shortened(cell: Cell) -> None:
    short = shortened(spec(cell, gap=4000))
    assert 50 < short.task.sequence_length <= 100
    assert short.cell == cell
    assert shortened(short) == short


def test_a_task_is_shortened_no_further_than_it_allows() -> None:
    run = run_spec(Adding(gap=150, convention="hochreiter1997"), LSTM(hidden_size=512))
    assert 22 <= shortened(run).task.gap < 100


def test_all_that_is_measured_can_be_done() -> None:
    """Numbers of a machine, so that hardly more than their sign is known."""
    answer = spec(LSTM(hidden_size=3), gap=4, answer=0, precision="float64", eval_samples=4, test_samples=4)
    silent = replace(spec(Looped(hidden_size=3), gap=4, eval_samples=4, test_samples=4), probes=())
    (first, second), slower = measure([(answer, 2), (silent, 1)], CPU, seconds=0)
    assert first
    assert second
    assert min(first.update, first.sequence, *first.probes, second.update, second.sequence) > 0
    assert second.probes == ()
    assert slower >= 1


@pytest.mark.slow
def test_a_measured_update_takes_as_long_as_one_in_training() -> None:
    """Of the processor's time, which other work of the machine changes little: within a factor of two."""
    run = spec(LSTM(hidden_size=32), gap=50, eval_samples=32, test_samples=32)
    (costs,), _ = measure([(run, 4)], CPU)
    assert costs
    pack = module.Pack.of_copies(run, 4, CPU)
    pack.step()
    start = module.time.process_time()
    for _ in range(50):
        pack.step()
    took = (module.time.process_time() - start) / 50
    assert took / 2 < costs.update < 2 * took


def test_when_time_is_over_the_rest_is_in_proportion_to_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []

    def fake(run: RunSpec, runs: int, device: torch.device) -> Costs:
        measured.append((type(run.cell), run.task.gap, runs))
        return Costs(1e-3 * run.task.gap, 1e-6, (1e-3,))

    monkeypatch.setattr(module, "_measured", fake)
    shapes = [(spec(cell, gap), runs) for cell in (RNN(), LSTM()) for gap, runs in ((400, 2), (25, 2), (50, 4))]
    found, _ = measure(shapes, CPU, seconds=0)
    assert sorted(measured, key=str) == [(LSTM, 100, 2), (RNN, 100, 2)]  # the largest, shortened
    updates = [costs and costs.update for costs in found]
    expected = [0.1 * ratio for ratio in (4, 1 / 4, 1)]  # T is the gap; four runs of 50 to two of 100
    assert updates == pytest.approx(expected * 2, rel=0.05)
    measured.clear()
    measure(shapes, CPU, seconds=60)
    assert len(measured) == 8


def test_what_torch_cannot_do_here_has_no_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(run: Any, runs: int, device: Any) -> Costs:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(module, "_measured", fails)
    assert measure([(spec(), 1)], CPU)[0] == [None]


def test_a_family_is_of_one_cell_and_one_set_of_options() -> None:
    same = [spec(gap=20), spec(RNN(hidden_size=9)), spec(lr=0.5), spec(batch_size=9)]
    assert {family(run) for run in same} == {family(spec())}
    other = [spec(LSTM()), spec(omega=1.0), spec(gradient_norms=True), replace(spec(), probes=())]
    other += [spec(norm_stabilizer=1.0), spec(gradient_noise=1.0), spec(curriculum="mixed")]
    assert len({family(run) for run in other} | {family(spec(gradient_norms=False))}) == 8


def test_updates_of_a_curriculum_are_measured_at_its_gap_and_count_for_their_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = Copy(gap=40, items=2)
    naive = run_spec(task, RNN(hidden_size=3), curriculum="naive", max_updates=1000, eval_samples=4, test_samples=4)
    plain, lengths = replace(naive, training=without(naive.training)), []
    monkeypatch.setattr(module.Pack, "_advance", lambda self, batch, task: lengths.append(len(batch.inputs)))
    (costs,), _ = measure([(naive, 2)], CPU, seconds=60)
    assert costs
    assert set(lengths) == {task.sequence_length}
    steps = ((1 + 40) / 2 + 4 + 44) / 2  # as many updates at each gap as at others, then as many at the last
    saved = 1000 * costs.update * (1 - steps / 44)
    assert costs.of(plain, 0, 1000) - costs.of(naive, 0, 1000) == pytest.approx(saved, rel=0.01)


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
    monkeypatch.setattr(GradientFlow, "tables_of", lambda self, task: goes_on("probe", task))
    monkeypatch.setattr(torch.cuda, "synchronize", synchronized)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=clock))
    return seen


def expected(run: RunSpec) -> Any:
    steps = run.task.sequence_length
    return pytest.approx((STEP["update"] * steps, STEP["evaluate"] * steps / 256, STEP["probe"] * steps))


def numbers(costs: Costs | None) -> tuple[float, ...]:
    assert costs is not None
    return costs.update, costs.sequence, *costs.probes


def test_a_pack_on_a_gpu_is_measured_as_it_is_planned_and_after_it_is_compiled(fake: list[tuple[int, int]]) -> None:
    run = spec(LSTM(hidden_size=128), gap=2000)
    (small, large), slower = measure([(run, 8), (run, 64)], GPU)
    assert fake == [(62, 64), (2000, 64), (2000, 8)]
    assert numbers(small) == numbers(large) == expected(run)
    assert slower == 1


def test_the_rest_on_a_gpu_takes_as_long_as_the_nearest_in_proportion_to_its_length(
    fake: list[tuple[int, int]],
) -> None:
    shapes = [(spec(cell, gap), 4) for cell in (RNN(), LSTM()) for gap in (500, 8, 40)]
    costs, _ = measure(shapes, GPU, seconds=0)
    assert fake == [(62, 4), (62, 4)]
    for (run, _), found in zip(shapes, costs, strict=True):
        assert numbers(found) == expected(run)


def test_what_does_not_fit_takes_as_long_as_the_nearest_that_does(fake: list[tuple[int, int]]) -> None:
    run = spec(gap=30)
    (large, small), _ = measure([(run, 2000), (run, 20)], GPU)
    assert numbers(small) == numbers(large) == expected(run)
    assert measure([(run, 2000)], GPU)[0] == [None]
