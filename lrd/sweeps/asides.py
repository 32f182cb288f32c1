"""Options that are no part of a run's name: a label, where a text lies, the device, ..."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable
from typing import Any

from lrd.records import RunRecord
from lrd.spec import Job, SpecError


def check_same(first: Job, other: Job) -> None:
    """Refuse two jobs that are one run, and yet differ: one of the two would be dropped without a word.

    Raises ``SpecError`` that names the option and both values.
    """
    one, two = _options(first), _options(other)
    for key in sorted(one.keys() | two.keys()):
        if one.get(key) != two.get(key):
            raise SpecError(
                f"{key}: does not make another run, but is given as {_written(one.get(key))} and "
                f"{_written(two.get(key))}; choose one, or use two studies"
            )


def _written(value: Any) -> str:
    """Return a value as the command line has it."""
    words = {"None": "null", "True": "true", "False": "false"}
    return words.get(repr(value), repr(value))


def take_over(jobs: Iterable[Job]) -> Counter[str]:
    """Write what finished runs are called now into their records; return how many changed, by option.

    A run that is not finished has its record written anew when it goes on. What the records say of how a run was made
    stays: its device, its mirror.

    Raises ``RecordError`` where the system refuses.
    """
    records = ((RunRecord(job.place.runs_dir, job.place.study, job.run.run_id), job.run.asides) for job in jobs)
    return Counter(name for record, asides in records for name in record.describe(asides))


def _options(job: Job) -> dict[str, Any]:
    """Return every option by its name on the command line, but for where the study lies."""
    groups = {**job.run.to_dict(), "tracker": dataclasses.asdict(job.tracker)}
    found = dataclasses.asdict(job.place)
    for group, options in groups.items():
        found |= (
            {f"{group}.{name}": v for name, v in options.items()} if isinstance(options, dict) else {group: options}
        )
    return {key: value for key, value in found.items() if key not in ("runs_dir", "study")}
