"""Versions of lrd, Python and torch with which the runs of a study were trained."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from lrd.records import schema
from lrd.records.files import from_json
from lrd.records.study import Study

VERSIONS = ("lrd", "commit", "dirty", "python", "torch")

Versions = tuple[tuple[str, Any], ...]

_known: WeakKeyDictionary[Study, dict[str, tuple[Versions, ...]]] = WeakKeyDictionary()


def training_versions(study: Study, run_ids: Iterable[str]) -> list[dict[str, Any]]:
    """Count the runs that were trained with each combination of versions.

    A run that was resumed under other versions counts for each. The environment.json of a run is read once for a study,
    and only when the run is asked for.

    Args:
        study: the study.
        run_ids: ids of the runs that are counted.

    Returns:
        One dict for each combination: the names in ``VERSIONS`` (None: unknown) and ``runs``, the number of runs.
    """
    known = _known.setdefault(study, {})
    texts: dict[bytes, tuple[Versions, ...]] = {}  # one process writes the same for all its runs
    counts: dict[Versions, int] = {}
    for run_id in run_ids:
        if run_id not in known:
            try:
                text = (study.folder(run_id) / schema.ENVIRONMENT).read_bytes()
            except OSError:
                text = b""
            known[run_id] = texts[text] = texts.get(text) or _read(text)
        for origin in known[run_id]:
            counts[origin] = counts.get(origin, 0) + 1
    return [dict(origin) | {"runs": counts[origin]} for origin in sorted(counts, key=str)]


def _read(text: bytes) -> tuple[Versions, ...]:
    """Return the versions in an environment.json, with those of earlier attempts; None each where it is damaged."""
    try:
        found = from_json(text.decode())
        attempts = [found, *found.get("earlier", [])]
        versions = [tuple((name, attempt.get(name)) for name in VERSIONS) for attempt in attempts]
        return tuple(dict.fromkeys(versions))
    except (ValueError, RecursionError, AttributeError, TypeError):
        return (tuple((name, None) for name in VERSIONS),)
