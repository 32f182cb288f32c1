"""Storage: whether the folder of studies can be written, how much room its disk has, and the folder of caches."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lrd.cache_folder import cache_folder
from lrd.doctor.finding import Finding
from lrd.records import without_home
from lrd.spec.place import LONGEST

_GB = 1e9
#: Free bytes below which nothing can be trained, and below which a sweep may fill the disk: a run takes some megabytes.
_FULL, _NEARLY_FULL = 50e6, 2e9


def findings(runs: Path) -> Iterator[Finding]:
    """Yield what was found about the folder of all studies, its disk, and the folder of caches."""
    refused, there = refusal(runs), os.path.isdir(runs)
    shown = without_home(str(runs))
    facts = {"folder": shown, "exists": there, "writable": refused is None}
    if refused is None:
        yield Finding("storage", "runs", "ok", f"{shown} can be {'written' if there else 'made'}", facts=facts)
    else:
        way_out = "choose another folder: runs_dir=FOLDER, and lrd doctor --runs FOLDER"
        yield Finding("storage", "runs", "failed", f"{shown} cannot be written: {refused}", way_out, facts)
    yield _disk(runs)
    yield _cache()


def refusal(folder: Path) -> str | None:
    """Return why the system refuses files in a folder; None where it takes them, or would let the folder be made.

    Nothing is left there.
    """
    if any(len(os.fsencode(name)) > LONGEST for name in folder.parts):
        return os.strerror(errno.ENAMETOOLONG)
    try:
        with tempfile.NamedTemporaryFile(dir=_nearest(folder), prefix=".lrd-doctor-") as file:
            file.write(b"0")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return None


def _nearest(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder


def _disk(runs: Path) -> Finding:
    try:
        usage = shutil.disk_usage(_nearest(runs))
    except OSError as error:
        return Finding(
            "storage", "disk", "warning", f"its free space is unknown: {error.strerror}", facts={"free": None}
        )
    state = "failed" if usage.free < _FULL else "warning" if usage.free < _NEARLY_FULL else "ok"
    value = f"{usage.free / _GB:.1f} of {usage.total / _GB:.1f} GB free where studies lie"
    way_out = "" if state == "ok" else "free some space, or choose a folder on another disk: runs_dir=FOLDER"
    return Finding("storage", "disk", state, value, way_out, {"free": usage.free, "total": usage.total})


def _cache() -> Finding:
    folder = cache_folder()
    refused = "there is no home folder" if folder is None else refusal(folder)
    facts = {"folder": None if folder is None else without_home(str(folder)), "writable": refused is None}
    if refused is None:
        return Finding(
            "storage", "cache", "ok", f"{facts['folder']} keeps machine code and checks of kernels", facts=facts
        )
    way_out = "XDG_CACHE_HOME names another folder"
    where = f"{facts['folder']} cannot be written: {refused}" if folder else refused
    value = f"{where}; each process compiles and checks kernels anew"
    return Finding("storage", "cache", "note", value, way_out, facts)
