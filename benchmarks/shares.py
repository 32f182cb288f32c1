"""What an update of a pack on the CPU costs besides its kernel, part by part.

    python benchmarks/shares.py [--rounds N] [--task adding] [--quick]          (make bench)

Adam, clipping by norm, float32, batch 32, one CPU thread. Each line is a pack; the columns are microseconds of the
thread's CPU time a run-update, without what stands in a column of its own:

kernel      the steps of the cell over time, forward and backward, with the norm of dL/dh_t at every step
data        drawing batches
readout     the readout and the loss, forward
autograd    what else happens when gradients are taken: those of readout and loss, and their way to theta
norms       from the kernel's norms to sums over updates (training gradient norms)
optimiser   noise, clipping and the optimiser
other       views of theta, slices of the pack, sums of metrics, checks for divergence, and all other Python
evaluation  an evaluation and a row of metrics, divided by the updates between two at lrd's defaults

"rest" is the whole, timed without the clocks, less the kernel, and its share of the whole: the columns, which pay for
the clocks, add up to more. "plain" is the whole over one update by a plain script with torch's own kernel
(``update.stock``), which measures nothing and never evaluates. Numbers are medians of rounds, in which a pack takes
turns with the plain script. The process keeps its memory, as lrd's workers do.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from update import stock

import lrd.training.net
import lrd.training.pack
from lrd.gradients.norm_sums import NormSums
from lrd.spec import job_from_config
from lrd.sweeps.nursery import VARIABLES
from lrd.tasks import Adding, Task
from lrd.training import Pack
from lrd.training.journal import numbers
from lrd.training.net import Net
from lrd.training.optimizers import PackOptimizer

COLUMNS = ("kernel", "data", "readout", "autograd", "norms", "optimiser", "other", "evaluation")
#: The functions of each column; each is timed without those of other columns that it calls.
PARTS: tuple[tuple[Any, str, str], ...] = (
    (Pack, "_next_batch", "data"),
    (lrd.training.pack, "converted", "data"),
    (Net, "_read", "readout"),
    (Task, "loss", "readout"),
    (torch.autograd, "grad", "autograd"),
    (lrd.training.net, "norms_of_kernel", "norms"),
    (NormSums, "add", "norms"),
    (lrd.training.pack, "clip", "optimiser"),
    (PackOptimizer, "with_noise", "optimiser"),
    (PackOptimizer, "step", "optimiser"),
)
SHAPES = [
    (cell, hidden, gap, runs) for cell in ("rnn", "lstm") for hidden in (32, 64, 128) for gap in (100, 400)
    for runs in (1, 4, 8)
]  # fmt: skip


class Clock:
    """CPU time by column: at every moment one column's clock runs, that of the innermost part."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._columns, self._since = ["other"], time.thread_time()

    def switch(self) -> None:
        """Charge the time since the last switch to the column that runs."""
        now = time.thread_time()
        self.seconds[self._columns[-1]] += now - self._since
        self._since = now

    def enter(self, column: str) -> None:
        self.switch()
        self._columns.append(column)

    def leave(self) -> None:
        self.switch()
        self._columns.pop()

    def timed(self, function: Callable[..., Any], column: str) -> Callable[..., Any]:
        """Return a function that does the same, on the clock of a column."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.enter(column)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return call

    def kernel(self, scan: Callable[..., Any]) -> Callable[..., Any]:
        """Return a kernel that is timed forward and backward."""
        forward = self.timed(scan, "kernel")

        def call(cell: Any, params: Any, *args: Any, **kwargs: Any) -> Any:
            # Backward it runs from the moment that h has its gradient to that at which W has its own.
            def begins(grad: Any) -> None:
                self.enter("kernel")

            def ends(grad: Any) -> None:
                self.leave()

            own = params["W"].view_as(params["W"])
            own.register_hook(ends)
            h, state = forward(cell, {**params, "W": own}, *args, **kwargs)
            h.register_hook(begins)
            return h, state

        return call


@contextmanager
def watched(pack: Pack) -> Iterator[Clock]:
    """Put all parts of a pack on a clock."""
    clock = Clock()
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in PARTS]
    for owner, name, column in PARTS:
        setattr(owner, name, clock.timed(getattr(owner, name), column))
    scan, pack.net._update_scan = pack.net._update_scan, clock.kernel(pack.net._update_scan)
    try:
        yield clock
    finally:
        pack.net._update_scan = scan
        for owner, name, function in before:
            setattr(owner, name, function)


def made(task: str, cell: str, hidden: int, gap: int, runs: int) -> Pack:
    """Return a pack with training gradient norms."""
    config = {
        "task": {"name": task, "gap": gap},
        "cell": {"name": cell, "hidden_size": hidden},
        "optimizer": {"name": "adam"},
        "training": {"batch_size": 32, "gradient_norms": True},
    }
    return Pack([job_from_config(config | {"seed": seed}).run for seed in range(runs)], torch.device("cpu"))


def evaluated(pack: Pack) -> None:
    """Evaluate a pack as the loop does, but for the record."""
    found = pack.evaluate("eval", pack.training.eval_samples)
    numbers(pack.averages() | found | {"solved": pack.task.solved(found)})


def cpu_seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the mean CPU time of a call [s]."""
    start = time.thread_time()
    for _ in range(repeats):
        call()
    return (time.thread_time() - start) / repeats


def shares(pack: Pack, updates: int) -> dict[str, float]:
    """Return the seconds of CPU time of a run-update by column, and of the whole, from so many updates."""
    with watched(pack) as clock:
        clock.switch()
        clock.seconds.clear()
        for _ in range(updates):
            pack.step()
        clock.switch()
    found = {column: clock.seconds[column] / updates / len(pack.specs) for column in COLUMNS}
    found["evaluation"] = cpu_seconds(lambda: evaluated(pack), 1) / pack.training.eval_every / len(pack.specs)
    found["whole"] = cpu_seconds(pack.step, updates) / len(pack.specs) + found["evaluation"]
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each pack and the plain script")
    parser.add_argument("--task", default="adding", help="the task; the plain script always has adding")
    parser.add_argument("--quick", action="store_true", help="one small shape of each cell, one round: does it run")
    given = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in VARIABLES.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | VARIABLES)  # read when libraries are loaded
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    shapes = [("rnn", 4, 20, 2), ("lstm", 4, 20, 2)] if given.quick else SHAPES
    rounds, seconds = (1, 0.0) if given.quick else (given.rounds, 0.3)
    print(f"torch {torch.__version__}, one thread, medians of {rounds} rounds; microseconds of CPU time a run-update")
    print("cell  hidden   T runs " + " ".join(f"{name:>10}" for name in (*COLUMNS, "rest")) + "  share  plain")
    for cell, hidden, gap, runs in shapes:
        pack, plain = made(given.task, cell, hidden, gap, runs), stock(cell, Adding(gap=gap), 32, hidden)
        for call in (pack.step, plain, lambda pack=pack: evaluated(pack)):
            call()
        updates, plains = (max(1, round(seconds / cpu_seconds(call, 1))) for call in (pack.step, plain))
        updates = -(-updates // 16) * 16 if seconds else 1  # whole turns of what is drawn ahead
        found, ratios = [], []
        for _ in range(rounds):
            found.append(shares(pack, updates))
            ratios.append(found[-1]["whole"] / cpu_seconds(plain, plains))
        middle = {column: 1e6 * statistics.median(turn[column] for turn in found) for column in (*COLUMNS, "whole")}
        whole = middle.pop("whole")
        rest = whole - middle["kernel"]
        print(
            f"{cell:5} {hidden:6} {gap:3} {runs:4} {' '.join(f'{t:10.0f}' for t in (*middle.values(), rest))}"
            f"  {rest / whole:5.1%}  {statistics.median(ratios):5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
