"""Sending packs and watching jobs, with a cluster that is a few lines of this file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from jobs import job

from lrd.sweeps import slurm
from lrd.sweeps.execute import execute
from lrd.sweeps.launchers import Slurm
from lrd.sweeps.plan import PlannedPack, plan
from lrd.sweeps.slurm_ledger import Ledger
from lrd.sweeps.slurm_squeue import Key, Seen
from lrd.sweeps.slurm_submit import RefusedError
from lrd.sweeps.workers import train_pack

OPTIONS = Slurm(array=2, poll_seconds=0.001)


class Cluster:
    """Jobs wait for one answer, run during the next, and then have ended."""

    def __init__(self) -> None:
        self.jobs: dict[Key, tuple[Seen, tuple[PlannedPack, ...]]] = {}
        self.sent: list[list[int]] = []  # runs of the jobs of each submission
        self.most = self.answered = 0
        self.dies: Callable[[PlannedPack], bool] = lambda pack: False
        self.answers: Callable[[int], bool] = lambda answered: True
        self.takes: Callable[[int], bool] = lambda submissions: True

    def submit(self, packs: list[PlannedPack], options: Slurm, ledger: Ledger) -> dict[Key, tuple[PlannedPack, ...]]:
        if not self.takes(len(self.sent)):
            self.sent.append([])
            raise RefusedError("no")
        token = f"t{len(self.sent)}"
        self.sent.append([len(pack.jobs) for pack in packs])
        ledger.intend(token, [[j.run.run_id for j in pack.jobs] for pack in packs])
        ledger.submitted(token, str(len(self.sent)))
        new = {(token, place): (pack,) for place, pack in enumerate(packs)}
        self.jobs |= {key: (Seen(f"{len(self.sent)}_{key[1]}", "PENDING"), some) for key, some in new.items()}
        self.most = max(self.most, sum(not seen.ended for seen, _ in self.jobs.values()))
        return new

    def jobs_named(self, name: str) -> dict[Key, Seen] | None:
        self.answered += 1
        assert self.answered < 200, "it waits for ever"
        if not self.answers(self.answered):
            return None
        for key, (seen, packs) in self.jobs.items():
            if seen.state == "PENDING":
                state = "RUNNING"
            elif seen.state == "RUNNING" and any(self.dies(pack) for pack in packs):
                state = "FAILED"
            elif seen.state == "RUNNING":
                state = "COMPLETED"
                for pack in packs:
                    train_pack(pack, lambda event: None, lambda: False)
            else:
                continue
            self.jobs[key] = (replace(seen, state=state), packs)
        return {key: seen for key, (seen, _) in self.jobs.items()}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(slurm, "submit", made.submit)
    monkeypatch.setattr(slurm, "jobs_named", made.jobs_named)
    return made


def four(root: Path) -> list[PlannedPack]:
    """One run a pack."""
    return [PlannedPack(seed, (job(root, seed=seed),)) for seed in range(4)]


def run(packs: list[PlannedPack], retries: int = 0) -> dict[str, int]:
    work = replace(plan([j for pack in packs for j in pack.jobs], 1), packs=tuple(packs))
    return dict(execute(work, 2, retries, OPTIONS).outcomes)


def test_everything_is_sent_at_once_and_seen_to_its_end(tmp_path: Path, cluster: Cluster) -> None:
    assert run(four(tmp_path)) == {"unsolved": 4}
    assert cluster.sent == [[1, 1, 1, 1]]


def test_a_job_that_dies_is_sent_again_once_there_is_room(tmp_path: Path, cluster: Cluster) -> None:
    first: list[int] = []

    def dies(pack: PlannedPack) -> bool:
        first.append(pack.jobs[0].run.seed)
        return first.count(0) == 1 and first[-1] == 0

    cluster.dies = dies
    assert run(four(tmp_path), retries=1) == {"unsolved": 4}
    assert cluster.sent == [[1, 1, 1, 1], [1]]
    assert cluster.most == 4  # SLURM itself starts no more than two of them at once


@pytest.mark.slow
def test_what_dies_again_and_again_is_given_up(tmp_path: Path, cluster: Cluster) -> None:
    cluster.dies = lambda pack: pack.jobs[0].run.seed == 0
    assert run(four(tmp_path), retries=2) == {"unsolved": 3, "failed": 1}
    assert cluster.sent == [[1, 1, 1, 1], [1], [1]]


@pytest.mark.slow
def test_jobs_of_a_command_that_was_killed_while_it_sent_them_are_found(tmp_path: Path, cluster: Cluster) -> None:
    packs = four(tmp_path)
    ledger = Ledger(packs[0].jobs[0].place.folder)
    ledger.intend("before", [[packs[place].jobs[0].run.run_id] for place in (2, 3)])  # and no id
    for place in (0, 1):
        cluster.jobs["before", place] = (Seen(f"9_{place}", "PENDING"), (packs[place + 2],))
    assert run([PlannedPack(0, tuple(pack.jobs[0] for pack in packs))]) == {"unsolved": 4}
    assert cluster.sent == [[2]]


@pytest.mark.slow
def test_jobs_that_ended_before_are_not_waited_for(tmp_path: Path, cluster: Cluster) -> None:
    packs = four(tmp_path)
    Ledger(packs[0].jobs[0].place.folder).intend("before", [[pack.jobs[0].run.run_id] for pack in packs])
    cluster.jobs["before", 0] = (Seen("9_0", "CANCELLED"), (packs[0],))  # SLURM has forgotten the others
    assert run(packs) == {"unsolved": 4}
    assert cluster.sent == [[1, 1, 1, 1]]


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_waited_for(tmp_path: Path, cluster: Cluster) -> None:
    cluster.answers = lambda answered: answered % 3 == 0
    assert run(four(tmp_path)) == {"unsolved": 4}
    assert cluster.sent == [[1, 1, 1, 1]]


@pytest.mark.slow
def test_a_cluster_that_refuses_more_jobs_is_asked_again(
    tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.dies = lambda pack: pack.jobs[0].run.seed == 0 and len(cluster.sent) == 1
    cluster.takes = lambda submissions: submissions not in (1, 2)
    assert run(four(tmp_path), retries=1) == {"unsolved": 4}
    assert cluster.sent == [[1, 1, 1, 1], [], [], [1]]
    assert capsys.readouterr().err.count("lrd: no; trying again\n") == 1


def test_a_cluster_that_takes_no_job_is_an_error(tmp_path: Path, cluster: Cluster) -> None:
    cluster.takes = lambda submissions: False
    with pytest.raises(RefusedError, match="no"):
        run(four(tmp_path))
    assert cluster.sent == [[]]


def test_a_cluster_that_takes_no_job_any_more_is_an_error_in_the_end(tmp_path: Path, cluster: Cluster) -> None:
    cluster.dies = lambda pack: True
    cluster.takes = lambda submissions: submissions < 1
    with pytest.raises(RefusedError, match="no"):
        run(four(tmp_path), retries=1)
    assert len(cluster.sent) == 1 + slurm.REFUSALS + 1


def test_a_job_that_is_requeued_is_no_failure(tmp_path: Path, cluster: Cluster) -> None:
    answer, requeued = cluster.jobs_named, []

    def and_requeue(name: str) -> dict[Key, Seen] | None:
        for key, (seen, packs) in list(cluster.jobs.items()):
            if seen.state == "RUNNING" and key not in requeued:
                requeued.append(key)
                cluster.jobs[key] = (replace(seen, state="PENDING"), packs)
        return answer(name)

    cluster.jobs_named = and_requeue  # type: ignore[method-assign]
    slurm.jobs_named = and_requeue
    assert run(four(tmp_path)) == {"unsolved": 4}
    assert len(requeued) == 4
    assert cluster.sent == [[1, 1, 1, 1]]
