"""The training loop: a pack in, records of trained runs out. Read it top to bottom."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from lrd.probes import Probe, Subject, log_spaced
from lrd.records import BackgroundWriter, ImmediateWriter, RecordError, RunRecord, Tracker, Writer
from lrd.spec import Place, RunSpec
from lrd.training.determinism import repeat_bits
from lrd.training.generalisation import generalisation
from lrd.training.journal import Journal, numbers
from lrd.training.pack import Pack

logger = logging.getLogger(__name__)

#: Seconds between two writings of where runs stand (status.json).
_STATUS_SECONDS = 5.0
#: Writes that may wait for the disk, for each run of a pack; beyond that the pack waits too, or copies of its state
#: would fill the memory. This many hold one or two states of all its runs.
_WAITING = 4
#: What ``train`` calls at every evaluation: see there.
Progress = Callable[[int, int, list[dict[str, Any]]], None]


@dataclass(frozen=True)
class Ending:
    """The end of ``train``.

    Attributes:
        interrupted: Whether it was asked to stop, and wrote checkpoints; else all runs are finished.
        update: The update at which it ended.
    """

    interrupted: bool
    update: int


def train(
    specs: Sequence[RunSpec],
    place: Place,
    tracker: Tracker,
    device: torch.device,
    should_stop: Callable[[], bool] = lambda: False,
    progress: Progress = lambda update, active, finished: None,
    behind: bool | None = None,
) -> Ending:
    """Train a pack of runs and keep their records.

    Runs go on from their checkpoints where all of them stand at the same update, and start anew otherwise. When this
    returns or raises, all that was to be written is on disk.

    Args:
        specs: The runs of the pack, which share ``RunSpec.pack_key``.
        place: Where and how they are trained: records stand below ``place.folder``.
        tracker: The mirror of the records, such as wandb's.
        device: Where the pack is trained.
        should_stop: Asked before every update; once it says so, training ends with checkpoints.
        progress: Called at every evaluation with the update, the number of active runs and the summaries of the runs
            that finished since the last call. A run is active until its summary is on disk.
        behind: Whether a thread writes records while training goes on. Default: on a GPU, which would wait for the disk
            otherwise; not on a CPU, of which a worker has one core.

    Returns:
        How training ended.

    Raises:
        RecordError: A record could not be written.
    """
    behind = device.type == "cuda" if behind is None else behind
    with BackgroundWriter(_WAITING * len(specs)) if behind else ImmediateWriter() as writer:
        return _train(specs, place, tracker, device, should_stop, progress, writer)


def _train(
    specs: Sequence[RunSpec],
    place: Place,
    tracker: Tracker,
    device: torch.device,
    should_stop: Callable[[], bool],
    progress: Progress,
    writer: Writer,
) -> Ending:
    lap = time.perf_counter()
    repeat_bits(device, place.deterministic)
    pack = Pack(specs, device)
    kernel, parameters = pack.net.kernel, pack.theta.shape[1]
    records = [RunRecord(place.runs_dir, place.study, spec.run_id) for spec in specs]
    journals = [
        Journal(spec, record, tracker, parameters, str(device), kernel, writer)
        for spec, record in zip(specs, records, strict=True)
    ]
    probes = specs[0].probes
    moments = {probe.name: set(log_spaced(pack.training.max_updates, probe.per_decade)) for probe in probes}
    rows_of_norms = set(log_spaced(pack.training.max_updates))
    if not _resume(pack, journals):
        _measure(pack, journals, probes)
        _evaluate(pack, journals)
        for journal in journals:
            journal.status("running", 0)
    elif pack.update and _evaluates(pack):
        _retire(pack, journals)  # runs that were cut off between their last checkpoint and their summary
    _report(pack, journals, writer, progress)

    last_checkpoint = last_status = time.monotonic()
    while journals:
        # Between updates: stop when asked to, and keep a checkpoint now and then.
        if should_stop():
            _share_time(journals, lap, pack.update)
            _write(pack, journals, "interrupted")
            writer.wait()
            if finished := writer.take_results():
                progress(pack.update, len(journals), finished)
            return Ending(interrupted=True, update=pack.update)
        if time.monotonic() - last_checkpoint > place.checkpoint_seconds:
            lap = _share_time(journals, lap, pack.update)
            _write(pack, journals, "running")
            last_checkpoint = time.monotonic()

        pack.step()

        # After the update: probes and gradient norms at their moments; evaluation, after which runs may end.
        _measure(pack, journals, [probe for probe in probes if pack.update in moments[probe.name]])
        if pack.update in rows_of_norms:
            _record_norms(pack, journals)
        if _evaluates(pack):
            _evaluate(pack, journals)
            lap = _share_time(journals, lap, pack.update)
            _retire(pack, journals)
            if time.monotonic() - last_status > _STATUS_SECONDS:
                for journal in journals:
                    journal.status("running", pack.update)
                last_status = time.monotonic()
            _report(pack, journals, writer, progress)
    return Ending(interrupted=False, update=pack.update)


def _measure(pack: Pack, journals: Sequence[Journal], probes: Sequence[Probe]) -> None:
    """Measure the pack as it is by some probes, on probe sequences that are the same at every measurement."""
    if not probes:
        return
    subject = Subject.of(pack.task, pack.cell, pack.parameters(), pack.seeds)
    for probe in probes:
        for journal, tables in zip(journals, probe.tables_of(subject), strict=True):
            journal.add_measurement(pack.update, probe, tables)


def _record_norms(pack: Pack, journals: Sequence[Journal]) -> None:
    """Add rows of training gradient norms over the updates since the last rows."""
    for journal, columns in zip(journals, pack.norm_tables(), strict=True):
        journal.add_norms(pack.update, columns)


def _evaluates(pack: Pack) -> bool:
    """Return whether runs are evaluated, and may end, at the present update."""
    return pack.update % pack.training.eval_every == 0 or pack.update == pack.training.max_updates


def _evaluate(pack: Pack, journals: Sequence[Journal]) -> None:
    """Add a row of metrics for every run: averages over the updates since the last row, and the evaluation set."""
    evaluated = pack.evaluate("eval", pack.training.eval_samples)
    row = pack.averages() | {f"eval_{name}": value for name, value in evaluated.items()}
    solved = pack.task.solved(evaluated)
    for journal, mine in zip(journals, numbers(row | {"solved": solved}), strict=True):  # one copy from the device
        met = bool(mine.pop("solved"))
        journal.add_metrics(pack.update, mine, met)


def _report(pack: Pack, journals: Sequence[Journal], writer: Writer, progress: Progress) -> None:
    """Report how far the pack is. A run is finished once its summary is on disk: before, a kill would lose it."""
    if not journals:
        writer.wait()
    finished = writer.take_results()
    progress(pack.update, len(journals) + writer.pending_results, finished)


def _retire(pack: Pack, journals: list[Journal]) -> None:
    """Finish the runs that are solved, diverged or at their last update. The pack goes on without them."""
    at_end = pack.update >= pack.training.max_updates
    diverged_at = pack.diverged_at.tolist()
    ended = [
        at_end or diverged_at[run] >= 0 or (pack.training.stop_when_solved and journal.solved_at is not None)
        for run, journal in enumerate(journals)
    ]
    if not any(ended):
        return
    # Part the pack in two.
    leaving = [run for run, is_ended in enumerate(ended) if is_ended]
    staying = [run for run, is_ended in enumerate(ended) if not is_ended]
    leavers, finished = [journals[run] for run in leaving], pack.take(leaving)
    pack.select(staying)
    journals[:] = [journals[run] for run in staying]
    # Measure the finished runs a last time, and test them.
    measured_at = leavers[0].measured_at
    _measure(finished, leavers, [p for p in finished.specs[0].probes if measured_at.get(p.name) != pack.update])
    _record_norms(finished, leavers)
    tested = finished.evaluate("test", pack.training.test_samples)
    for journal, tables in zip(leavers, generalisation(finished, tested), strict=True):
        journal.add_generalisation(pack.update, tables)
    test = numbers(tested)
    states = finished.snapshot()
    for journal, state in zip(leavers, states, strict=True):
        journal.checkpoint(state)  # the trained parameters stay; before the summary, which ends a record
    for journal, state, metrics in zip(leavers, states, test, strict=True):
        journal.finish(pack.update, state["diverged_at"], metrics)


def _share_time(journals: Sequence[Journal], since: float, update: int) -> float:
    """Charge the wall time from a moment up to this update to the runs, in equal parts; return the present moment."""
    now = time.perf_counter()
    for journal in journals:
        journal.cost.charge((now - since) / len(journals), update, len(journals))
    return now


def _write(pack: Pack, journals: Sequence[Journal], state: str) -> None:
    """Write tables and checkpoints of all runs: a reader then sees them, and a later command goes on from here."""
    for journal, kept in zip(journals, pack.snapshot(), strict=True):
        journal.write(state, pack.update)
        journal.checkpoint(kept)


def _resume(pack: Pack, journals: Sequence[Journal]) -> bool:
    """Go on from the runs' checkpoints, if all have one and stand at the same update; return whether it does."""
    try:
        found = [journal.record.load_checkpoint() for journal in journals]
    except RecordError as error:
        logger.warning("%s; its pack starts anew", error)
        return False
    kept = [checkpoint for checkpoint in found if checkpoint is not None]
    if len(kept) < len(found):
        return False
    if len({checkpoint["pack"]["update"] for checkpoint in kept}) > 1:
        return False
    pack.restore([checkpoint["pack"] for checkpoint in kept])
    for journal, checkpoint in zip(journals, kept, strict=True):
        journal.resume(checkpoint["journal"], checkpoint["pack"]["update"])
    return True
