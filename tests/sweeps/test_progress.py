"""What a sweep says of itself, from events made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from jobs import job, pack

from lrd.spec import RunSpec
from lrd.sweeps import progress as module
from lrd.sweeps.measuring import FASTER, SLOWER, Costs
from lrd.sweeps.plan import Plan, PlannedPack
from lrd.sweeps.progress import Progress
from lrd.sweeps.workers import Event

MAX = 12
TEST = 3  # updates that the test at the end of a run is taken for, at most


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    now = {"now": 100.0}
    monkeypatch.setattr(module.time, "monotonic", lambda: now["now"])
    return now


def plan_of(*sizes: int, finished: int = 0) -> Plan:
    seeds = iter(range(1000))
    packs = tuple(pack(n, *(job("/nowhere", seed=next(seeds)) for _ in range(size))) for n, size in enumerate(sizes))
    done = tuple(job("/nowhere", seed=next(seeds)) for _ in range(finished))
    return Plan(tuple(j for p in packs for j in p.jobs) + done, done, packs)


def at(p: PlannedPack, update: int, active: int, *outcomes: str, **more: Any) -> Event:
    return Event("progress", p, update, active, [{"outcome": name, "update": update} for name in outcomes], **more)


def counts(progress: Progress) -> tuple[int, int, dict[str, int]]:
    return progress.waiting, progress.running, dict(progress.outcomes)


def test_every_run_is_counted_once_at_every_moment(clock: dict[str, float]) -> None:
    plan = plan_of(3, 2, finished=4)
    progress = Progress(plan)
    first, second = plan.packs
    for event, expected in [
        (at(first, 0, 3), (2, 3, {})),
        (at(first, 3, 2, "solved"), (2, 2, {"solved": 1})),
        (at(second, 0, 2), (0, 4, {"solved": 1})),
        (at(first, MAX, 0, "unsolved", "unsolved"), (0, 2, {"solved": 1, "unsolved": 2})),
        (at(second, 6, 1, "diverged"), (0, 1, {"solved": 1, "unsolved": 2, "diverged": 1})),
        (Event("failed", second, reason="it broke"), None),
    ]:
        progress.take(event)
        if expected is not None:
            assert counts(progress) == expected
    assert progress.newest_failure == "it broke"
    assert progress.failures == [(second, "it broke")]
    assert progress.outcomes["failed"] > 0
    assert progress.running == 0


def test_share_done_rises_to_one_and_a_run_that_ends_early_saves_its_rest(clock: dict[str, float]) -> None:
    plan = plan_of(2, 2)
    progress = Progress(plan)
    first, second = plan.packs
    shares = [progress.share_done]
    for event in (at(first, 0, 2), at(first, 3, 1, "solved"), at(second, 6, 2), at(first, MAX, 0, "unsolved")):
        progress.take(event)
        shares.append(progress.share_done)
    assert shares == pytest.approx([0, 0, 15 / 48, 27 / 48, 36 / 48])
    progress.take(at(second, MAX, 0, "unsolved", "unsolved"))
    assert progress.share_done == 1
    assert Progress(plan_of(finished=3)).share_done == 1


def test_rate_and_time_to_go_count_updates_done_not_updates_saved(clock: dict[str, float]) -> None:
    plan = plan_of(2)
    progress = Progress(plan)
    assert progress.to_go is None
    progress.take(at(plan.packs[0], 0, 2))
    clock["now"] += 2
    assert progress.to_go is None
    progress.take(at(plan.packs[0], 3, 1, "solved"))  # 6 run-updates done in 2 s, 9 saved, 9 left
    assert progress.rate == pytest.approx(3)
    assert progress.to_go == pytest.approx((9 / 3, (9 + TEST) / 3))  # these runs go to their last update
    assert progress.line().endswith("3 run-updates/s, 3 s to 4 s to go")


def test_the_rate_is_that_of_the_last_minute(clock: dict[str, float]) -> None:
    """One pack of two runs: 6 updates in 1 s, then 4 in 100 s, then 2 in 10 s: of the last two intervals 4 / 110 s."""
    progress = Progress(plan_of(2))
    (p,) = progress.plan.packs
    for seconds, update in ((0, 0), (1, 3), (100, 5), (10, 6)):
        clock["now"] += seconds
        progress.take(at(p, update, 2))
    assert progress.rate == pytest.approx((4 + 2) / 110)
    assert progress.to_go == pytest.approx((2 * 6 * 10 / 2, 2 * (6 + TEST) * 111 / 12))  # as of late, or ever
    clock["now"] += module.RATE_SECONDS
    assert progress.rate == pytest.approx((4 + 2) / 110)  # between two events nothing is known to have changed
    clock["now"] += 1000
    assert progress.rate == pytest.approx((4 + 2) / (1000 + module.RATE_SECONDS))  # but then it is


def test_waiting_for_runs_held_elsewhere_changes_neither_rate_nor_time_to_go(clock: dict[str, float]) -> None:
    progress = Progress(plan_of(1, 1, 1))
    first, second, third = progress.plan.packs
    progress.take(at(first, 0, 1))
    clock["now"] += 4
    progress.take(at(first, MAX, 0, "unsolved"))
    assert progress.rate == pytest.approx(MAX / 4)
    progress.take(Event("again", second))  # another command has it
    progress.elsewhere = 1
    clock["now"] += 1000  # nothing is trained here
    assert progress.rate == pytest.approx(MAX / 4)
    progress.take(at(third, 0, 1))
    assert progress.to_go == pytest.approx((4, 4 * (MAX + TEST) / MAX))
    clock["now"] += 2
    progress.take(at(third, 6, 1))
    assert (progress.rate, progress.to_go) == (pytest.approx(3), pytest.approx((2, 2 + TEST / 3)))


def test_the_least_to_go_is_that_of_runs_solved_soon_and_the_most_that_of_none(clock: dict[str, float]) -> None:
    """Two runs in a pack, 12 updates, evaluations every 3, solved by two in a row: at update 3 at the soonest."""
    options = {"training_stop_when_solved": True, "training_solved_evals": 2}
    first, second = (pack(n, *(job("/nowhere", seed=2 * n + i, **options) for i in (0, 1))) for n in (0, 1))
    progress = Progress(Plan((*first.jobs, *second.jobs), (), (first, second)))
    progress.take(at(first, 0, 2))
    clock["now"] += 6
    progress.take(at(first, 3, 2))  # a second a run-update
    # The first pack has 3 or 9 updates to go. The other, by two runs at 3 and one more, 3 or 12.
    assert progress.to_go == pytest.approx((2 * 3 + 2 * 3, 2 * (9 + TEST) + 2 * (12 + TEST)))
    clock["now"] += 12
    progress.take(at(first, 9, 0, "solved", "solved"))
    progress.take(at(second, 0, 2))
    # Two runs of the kind ended at 9: on average (3 + 9 + 9) / 3 or (12 + 9 + 9) / 3.
    assert progress.to_go == pytest.approx((2 * 7, 2 * (10 + TEST)))


@pytest.mark.parametrize("measures", [True, False])
def test_idle_workers_share_what_waits_and_other_kinds_are_as_fast_as_measured(
    clock: dict[str, float], measures: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other kind takes three times as long, as is measured, or twice, as it has twice the pre-activations."""
    monkeypatch.setattr(module, "measure", lambda shapes, *_, **__: ([Costs(1, 0, (0,)), Costs(3, 0, (0,))], 1.0))
    small, large = job("/nowhere"), job("/nowhere", cell_hidden_size=6)
    packs = (pack(0, small), pack(1, large))
    progress = Progress(Plan((small, large), (), packs), workers=2, measures=measures)
    progress.take(at(packs[0], 0, 1))
    clock["now"] += 3
    progress.take(at(packs[0], 3, 1))
    ratio = 3 if measures else 2
    least, most = ratio * 12 / FASTER, ratio * (12 + TEST) * SLOWER
    assert progress.to_go == pytest.approx((least, most))  # beside 9 s or more of the first
    progress.workers = 1
    assert progress.to_go == pytest.approx((9 + least, 9 + TEST + most))
    clock["now"] += 4
    assert progress.to_go == pytest.approx((5 + least, 9 + TEST + most))  # less what went by


def test_of_a_large_pack_few_runs_are_measured_and_its_pace_is_that_of_one(
    clock: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measured(shapes: Sequence[tuple[RunSpec, int]], *_: object, **__: object) -> tuple[list[Costs], float]:
        """Take a second for an update of one small run, three for one of a large one."""
        asked.extend(runs for _, runs in shapes)
        return [Costs(runs * (3 if run.cell.hidden_size == 6 else 1), 0, (0,)) for run, runs in shapes], 1.0

    monkeypatch.setattr(module, "measure", measured)
    many = [job("/nowhere", seed=n) for n in range(20)]
    few = [job("/nowhere", seed=n, cell_hidden_size=6) for n in (0, 1)]
    packs = (pack(0, *many), pack(1, *few))
    progress = Progress(Plan((*many, *few), (), packs), workers=2, measures=True)
    progress.take(at(packs[0], 0, 20))
    clock["now"] += 60
    progress.take(at(packs[0], 3, 20))  # a second a run-update
    assert progress.to_go is not None
    assert asked == [module.MEASURED_RUNS, 2]
    assert progress._measured[few[0].run.pack_key] == 3 * progress._measured[many[0].run.pack_key]


def test_a_resumed_pack_owes_what_is_left_of_it() -> None:
    p = pack(0, job("/nowhere"), start=6)
    progress = Progress(Plan(p.jobs, (), (p,)))
    progress.take(at(p, 6, 1))
    assert progress.share_done == 0
    progress.take(at(p, 9, 1))
    assert progress.share_done == 0.5


def test_an_interrupted_pack_waits_again() -> None:
    plan = plan_of(2)
    progress = Progress(plan)
    progress.take(at(plan.packs[0], 3, 2))
    progress.take(Event("interrupted", plan.packs[0], 4))
    assert progress.interrupted
    assert counts(progress) == (2, 0, {})


def test_the_line_says_what_there_is_to_say() -> None:
    plan = plan_of(3, finished=2)
    progress = Progress(plan)
    assert progress.line() == "3 waiting, 0 running, 0 solved, 2 done before | 0 run-updates/s"
    progress.take(at(plan.packs[0], MAX, 0, "solved", "diverged", "unsolved"))
    assert progress.line().startswith("0 running, 1 solved, 1 unsolved, 1 diverged, 2 done before | ")
