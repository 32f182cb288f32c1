"""The price of measuring: each probe at its default options, as a multiple of one update and as a share of training.

    python benchmarks/probes.py [--rounds N] [--markdown FILE] [--quick]

Adding task, batches of 32, a run alone and 8 in a pack, one thread. The share is that of a run of
``training.max_updates`` updates in which the probe measures at its default moments.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from machine import machine
from table import Table, add_markdown_option, medians_of, write_markdown

from lrd.options import OptionError
from lrd.probes import PROBES, Subject, log_spaced
from lrd.spec import RunSpec, job_from_config
from lrd.training import Pack

COLUMNS = (
    *("cell", "T", "hidden", "runs", "probe", "update [ms]"),
    *("one measurement, in updates", "its share of training"),
)


def specs(cell: str, gap: int, hidden: int, runs: int) -> list[RunSpec]:
    """Runs that differ in their seed alone."""
    config = {
        "task": {"name": "adding", "gap": gap},
        "cell": {"name": cell, "hidden_size": hidden},
        "optimizer": {"name": "adam"},
    }
    return [job_from_config({**config, "seed": seed}).run for seed in range(runs)]


def seconds(call: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of an update and a measurement")
    parser.add_argument("--quick", action="store_true", help="one small shape, one round: does it run at all")
    add_markdown_option(parser)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rounds, shapes = (1, [(10, 4, 1)]) if given.quick else (given.rounds, [(100, 64, 1), (100, 64, 8)])
    about = [f"{machine('torch', 'numba')}.", f"One thread, {medians_of(rounds)}."]
    table = Table(about, COLUMNS)
    for cell in ("rnn", "lstm"):
        for gap, hidden, runs in shapes:
            pack = Pack(specs(cell, gap, hidden, runs), torch.device("cpu"))
            for name, kind in PROBES.items():
                probe = kind()
                try:
                    probe.check(pack.task)
                except OptionError:  # it measures another task
                    continue
                subject = Subject.of(pack.task, pack.cell, pack.parameters(), pack.seeds)

                def measure(probe=probe, subject=subject) -> object:  # type: ignore[no-untyped-def]
                    return probe.tables_of(subject)

                pack.step()
                measure()
                updates, measurements = [], []
                for _ in range(rounds):
                    updates.append(statistics.median(seconds(pack.step) for _ in range(5)))
                    measurements.append(seconds(measure))
                moments = len(log_spaced(pack.training.max_updates, probe.per_decade))
                price = statistics.median(y / x for x, y in zip(updates, measurements, strict=True))
                share = moments * price / (pack.training.max_updates + moments * price)
                ms = 1e3 * statistics.median(updates)
                table.add(cell, gap, hidden, runs, name, f"{ms:.1f}", f"{price:.1f}", f"{share:.1%}")
    write_markdown(given.markdown, table)


if __name__ == "__main__":
    main()
