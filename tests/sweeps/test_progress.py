"""What a sweep says of itself, from events made up."""

from __future__ import annotations

import math
from typing import Any

import pytest
from jobs import job, pack

from lrd.sweeps import progress as module
from lrd.sweeps.plan import Plan, PlannedPack
from lrd.sweeps.progress import Progress, duration
from lrd.sweeps.workers import Event

MAX = 12


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
    assert progress.eta == math.inf
    progress.take(at(plan.packs[0], 0, 2))
    clock["now"] += 2
    assert progress.eta == math.inf
    progress.take(at(plan.packs[0], 3, 1, "solved"))  # 6 run-updates done in 2 s, 9 saved, 9 left
    assert progress.rate == pytest.approx(3)
    assert progress.eta == pytest.approx(3)
    assert progress.line().endswith("3 run-updates/s, at most 3 s to go")


def test_the_rate_is_that_of_the_last_minute(clock: dict[str, float]) -> None:
    """One pack of two runs: 6 updates in 1 s, then 4 in 100 s, then 2 in 10 s: of the last two intervals 4 / 110 s."""
    progress = Progress(plan_of(2))
    (p,) = progress.plan.packs
    for seconds, update in ((0, 0), (1, 3), (100, 5), (10, 6)):
        clock["now"] += seconds
        progress.take(at(p, update, 2))
    assert progress.rate == pytest.approx((4 + 2) / 110)
    assert progress.eta == pytest.approx(2 * 6 / progress.rate)
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
    assert progress.eta == pytest.approx(4)
    clock["now"] += 2
    progress.take(at(third, 6, 1))
    assert (progress.rate, progress.eta) == (pytest.approx(3), pytest.approx(2))


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (3900, "1 h 05 min"),
    ],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
