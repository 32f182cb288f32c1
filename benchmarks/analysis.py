"""Time and memory from records to figures and report, for 100, 1,000 and 10,000 made-up runs.

    python benchmarks/analysis.py [--runs 100 1000 10000] [--folder FOLDER] [--quick]

Each size is drawn once, on the cores that there are: ``open`` reads the study, then every figure is drawn in turn
(those of probes and sweeps that the records do not have are left out), while the last pages of the one before are still
being saved: ``figures`` is all of it; ``report`` is ``lrd report`` in another process, its own figures included.
Seconds are wall time: on a machine that does other work they say little, so the load before and the seconds of
processor time stand beside them. Memory is the greatest sum of the process and its children, pages that they share
counted once (PSS, every half second; Linux only). Making the records takes longer than drawing them; ``--folder`` keeps
them.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from records import make_study

SIZES = (100, 1000, 10_000)


def draw(folder: Path, out: Path) -> dict[str, float]:
    """Seconds of every step over one study, in this process."""
    began = time.perf_counter()
    from lrd.figures import FIGURES, NothingToDrawError, page_processes
    from lrd.figures.scripts import load_script
    from lrd.records import open_study

    study = open_study(folder)
    seconds = {"open": time.perf_counter() - began}
    with page_processes.together():
        for name in FIGURES:
            before = time.perf_counter()
            try:
                load_script(name).draw(study, out)
            except NothingToDrawError:
                continue
            seconds[name] = time.perf_counter() - before
    seconds["figures"] = time.perf_counter() - began
    return seconds | {"processor": sum(os.times()[:4])}


def report(folder: Path, out: Path) -> dict[str, float]:
    """Seconds of the report of a study, its figures included, in this process."""
    began = time.perf_counter()
    with redirect_stdout(sys.stderr):
        status = importlib.import_module("lrd.commands.report").run([str(folder), "--out", str(out)])
    if status:
        raise SystemExit(status)
    return {"report": time.perf_counter() - began, "report, processor": sum(os.times()[:4])}


def watched(command: list[str]) -> tuple[dict[str, float], float]:
    """What a command prints as JSON, and the most memory [GiB] that it and its children held."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    most = 0.0
    while process.poll() is None:
        most = max(most, sum(map(_memory, _family(process.pid))) / 2**20)
        time.sleep(0.5)
    assert process.stdout is not None
    if process.returncode:
        raise SystemExit(f"failed with exit status {process.returncode}: {' '.join(command)}")
    return json.loads(process.stdout.read()), most


def _family(pid: int) -> Iterable[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it ended, or this is no Linux
        return
    for child in children:
        yield from _family(int(child))


def _memory(pid: int) -> int:
    """KiB of a process, its share of what it shares."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=SIZES, help="sizes of the studies")
    parser.add_argument("--folder", type=Path, help="keep the studies here, and take those that are there already")
    parser.add_argument("--quick", action="store_true", help="6 runs: does it run at all")
    parser.add_argument("--draw", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--report", type=Path, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.draw or given.report:
        print(json.dumps(draw(*given.draw) if given.draw else report(*given.report)))
        return
    sizes = [6] if given.quick else given.runs
    found: dict[int, dict[str, Any]] = {}
    load = os.getloadavg()[0]
    with TemporaryDirectory() as temporary:
        for runs in sizes:
            folder = (given.folder or Path(temporary)) / f"made_up_{runs}"
            if not folder.exists():
                make_study(folder, runs)
            found[runs] = {}
            for what in ("draw", "report"):
                out = Path(temporary) / f"{what}_{runs}"
                seconds, memory = watched([sys.executable, __file__, f"--{what}", str(folder), str(out)])
                found[runs] |= seconds | {f"{what}, GiB": memory}
    print(f"{len(os.sched_getaffinity(0))} cores, load before: {load:.1f}; seconds, each once")
    print(f"{'':20}" + "".join(f"{runs:>10,}" for runs in sizes))
    for step in dict.fromkeys(step for of in found.values() for step in of):
        print(f"{step:20}" + "".join(f"{found[runs].get(step, float('nan')):10.2f}" for runs in sizes))


if __name__ == "__main__":
    main()
