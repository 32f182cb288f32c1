"""Training in jobs of a SLURM cluster: sends packs, and watches what becomes of them.

Jobs speak through records alone, and SLURM through ``squeue``: a job that ended, however, with runs unfinished has
failed. Which job carries which runs is read anew from the study's ledger each time, so that a further command, or
this one repeated, watches the same jobs and sends none twice.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from lrd.spec import Job
from lrd.sweeps.events import Event
from lrd.sweeps.launchers import Slurm
from lrd.sweeps.plan import Plan, PlannedPack, plan, record_of
from lrd.sweeps.queue import Queue, unfinished
from lrd.sweeps.slurm_judge import begun, judge, progress
from lrd.sweeps.slurm_ledger import Ledger
from lrd.sweeps.slurm_squeue import Key, Seen, jobs_named
from lrd.sweeps.slurm_submit import RefusedError, submit

REFUSALS = 10  # in a row, with nothing under way, after which a cluster that took jobs before is believed


@dataclass
class Flight:
    """A job that was sent, with what is known of it."""

    packs: tuple[PlannedPack, ...]
    seen: Seen
    ends: int = 0  # times in a row that it was found ended
    reported: dict[int, Event] = field(default_factory=dict)  # pack number -> its progress that was reported last
    counted: set[str] = field(default_factory=set)  # runs whose end was reported

    def runs(self) -> set[Path]:
        """Return the folders of its runs."""
        return {record_of(job).path for pack in self.packs for job in pack.jobs}


class Cluster:
    """Iterate over ``run`` for the events of all packs, like a pool of workers, until all is done or we are stopped."""

    STOPPING = "jobs go on in SLURM"

    def __init__(self, options: Slurm, work: Plan) -> None:
        self.options = options
        self.stopping = False
        self._ledgers = {folder: Ledger(Path(folder)) for folder in work.folders}
        self._jobs = {(str(job.place.folder), job.run.run_id): job for job in work.runs}
        self._flights: dict[Key, Flight] = {}
        self._judged: set[Key] = set()
        self._refused = 0  # submissions in a row

    def run(self, queue: Queue) -> Iterator[Event | None]:
        """Yield events as they come, and None each time that all jobs were checked.

        Raises:
            RefusedError: SLURM takes no job at all.
        """
        while True:
            answered = self._update(queue)
            for key, flight in list(self._flights.items()):
                yield from self._events(key, flight, queue)
            if answered and not self.stopping:
                self._submit(queue)
            if not self._flights and queue.empty:
                return
            yield None
            self._wait()
            if self.stopping:
                for flight in self._flights.values():
                    yield from (Event("interrupted", pack) for pack in flight.packs)
                self._say_how_to_go_on()
                return

    def stop(self) -> None:
        """Stop watching; the jobs go on."""
        self.stopping = True

    def _update(self, queue: Queue) -> bool:
        """Bring the flights up to date; return whether SLURM answered for all studies."""
        answers = {folder: jobs_named(ledger.name) for folder, ledger in self._ledgers.items()}
        for folder, seen in answers.items():
            if seen is None:
                continue
            ledger = self._ledgers[folder]
            ledger.read()
            for key, runs in ledger.carried.items():
                now = seen.get(key)
                if key in self._flights:
                    flight = self._flights[key]
                    flight.seen = now or replace(flight.seen, state="")
                    flight.ends = flight.ends + 1 if now is None or now.ended else 0
                elif now is not None and not now.ended and key not in self._judged:
                    jobs = [self._jobs[folder, run] for run in runs if (folder, run) in self._jobs]
                    self._adopt(key, now, jobs, queue)
        return None not in answers.values()

    def _adopt(self, key: Key, now: Seen, jobs: list[Job], queue: Queue) -> None:
        """Watch a job that another command sent, or this one before it was stopped."""
        packs = tuple(replace(pack, number=queue.new_number()) for pack in plan(jobs, 1).packs)
        if packs:
            self._flights[key] = Flight(packs, now)

    def _events(self, key: Key, flight: Flight, queue: Queue) -> Iterator[Event]:
        if flight.ends >= 2:  # a shared file system may show the last records a little later than SLURM the end
            del self._flights[key]
            self._judged.add(key)
            log = self._ledgers[str(flight.packs[0].jobs[0].place.folder)].log(flight.seen.id)
            which = [pack for pack in flight.packs if begun(pack, flight.seen)]
            for pack in flight.packs:
                if which and pack not in which and flight.seen.state != "CANCELLED":
                    queue.put_back(pack)  # another pack of the job failed it
                else:
                    yield judge(pack, flight.seen, log, queue.retries, flight.counted)
            return
        for pack in flight.packs:
            now, before = progress(pack, flight.seen, flight.counted), flight.reported.get(pack.number)
            if now is not None and now != before:
                flight.reported[pack.number] = now
                flight.counted |= {summary["run_id"] for summary in now.finished}
                yield now
            elif now is None and before is not None and not flight.ends and not flight.seen.at_work:
                del flight.reported[pack.number]
                yield Event("again", pack, parts=(replace(pack, jobs=tuple(unfinished(pack.jobs))),))  # requeued

    def _submit(self, queue: Queue) -> None:
        """Send what waits, as far as ``array`` allows beside what is there; runs of flights are theirs."""
        room = self.options.array - len(self._flights) if self._flights else None
        queue.carried = {path for flight in self._flights.values() for path in flight.runs()}
        packs: list[PlannedPack] = []
        while (room is None or len(packs) < room * self.options.packs_per_job) and (pack := queue.take()):
            packs.append(pack)
        for folder, ledger in self._ledgers.items():
            mine = [pack for pack in packs if str(pack.jobs[0].place.folder) == folder]
            self._send(mine, ledger, queue)

    def _send(self, packs: list[PlannedPack], ledger: Ledger, queue: Queue) -> None:
        if not packs:
            return
        try:
            sent = submit(packs, self.options, ledger)
        except RefusedError as error:
            self._refused += 1
            if not self._flights and (not self._judged or self._refused > REFUSALS):
                raise
            sent = {}
            if self._refused == 1:
                print(f"lrd: {error}; trying again", file=sys.stderr)
        else:
            self._refused = 0
        for key, some in sent.items():
            self._flights[key] = Flight(some, Seen(f"{ledger.ids[key[0]]}_{key[1]}", "PENDING"))
        there = {pack.number for some in sent.values() for pack in some}
        for pack in reversed([pack for pack in packs if pack.number not in there]):
            queue.put_back(pack)

    def _wait(self) -> None:
        until = time.monotonic() + self.options.poll_seconds
        while not self.stopping and time.monotonic() < until:
            time.sleep(min(0.2, self.options.poll_seconds))

    def _say_how_to_go_on(self) -> None:
        ids = sorted({flight.seen.id.partition("_")[0] for flight in self._flights.values()}, key=len)
        if not ids:
            return
        names = ",".join(ledger.name for ledger in self._ledgers.values())
        studies = " or ".join(f"lrd status {folder}" for folder in self._ledgers)
        print(f"watch them: {studies}, squeue --name={names}; cancel them: scancel {' '.join(ids)}", file=sys.stderr)
