"""A pack on the CPU beside the same runs by torch's own modules and by JAX: time per run-update, all cores busy.

    python benchmarks/pack.py [--runs 8] [--rounds 7] [--quick]          (make bench-pack)

Adding task, Adam, clipping by norm, float32; T = 100, batch 32, hidden 64. Each contender has all cores:

lrd     one worker a core, one thread each, that trains its share of the runs as a pack, as ``lrd train`` does
probed  lrd with the probe gradient_flow at its default schedule, which gives the gradient's norm at every time step: an
        update's time plus that of a measurement, times measurements over updates
norms   lrd with training gradient norms: the norm at every time step of every update
torch   one worker a core, one thread each: ``nn.RNN`` or ``nn.LSTM``, ``torch.optim.Adam``, one run after another; no
        norms
jax     all runs in one compiled scan under vmap (benchmarks/jax_pack.py), the fastest of: one device with all cores,
        the runs shared among a device a core, a device a run; no norms. Left out, by name, where jax is not installed
        (``pip install 'lrd[bench]'``)
floor   the operations of forward and backward over the best rate seen of one large matrix product on all cores

Contenders take turns, round after round, so that a noisy machine is noisy for all; printed are medians, and medians of
the ratios of a round.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch
from update import stock

from lrd.sweeps.nursery import VARIABLES

GAP, BATCH, HIDDEN = 100, 32, 64
Go = Callable[[int], None]


def lrd_updates(cell: str, runs: int, **training: Any) -> Go:
    """A pack as training has it."""
    pack = _pack(cell, runs, **training)

    def go(count: int) -> None:
        for _ in range(count):
            pack.step()

    return go


def lrd_norms(cell: str, runs: int) -> Go:
    """A pack as training has it, with training gradient norms."""
    return lrd_updates(cell, runs, gradient_norms=True)


def lrd_measurements(cell: str, runs: int) -> Go:
    """Measurements of such a pack by the probe that is on by default."""
    from lrd.probes import GradientFlow, Subject

    pack, probe = _pack(cell, runs), GradientFlow()
    subject = Subject.of(pack.task, pack.cell, pack.parameters(), pack.seeds)

    def go(count: int) -> None:
        for _ in range(count):
            probe.tables_of(subject)

    return go


def _pack(cell: str, runs: int, **training: Any) -> Any:
    from lrd.spec import job_from_config
    from lrd.training import Pack

    config = {
        "task": {"name": "adding", "gap": GAP},
        "cell": {"name": cell, "hidden_size": HIDDEN},
        "optimizer": {"name": "adam"},
        "training": {"batch_size": BATCH} | training,
    }
    return Pack([job_from_config(config | {"seed": seed}).run for seed in range(runs)], torch.device("cpu"))


def torch_updates(cell: str, runs: int) -> Go:
    """The plain script, one run after another."""
    from lrd.tasks import Adding

    updates = [stock(cell, Adding(gap=GAP), BATCH, HIDDEN) for _ in range(runs)]

    def go(count: int) -> None:
        for update in updates:
            for _ in range(count):
                update()

    return go


def jax_updates(cell: str, runs: int) -> Go:
    """All runs in one compiled program."""
    from jax_pack import updates

    return updates(cell, GAP, BATCH, HIDDEN, runs, len(os.sched_getaffinity(0)))


CONTENDERS: dict[str, Callable[[str, int], Go]] = {
    "lrd": lrd_updates,
    "measurement": lrd_measurements,
    "norms": lrd_norms,
    "torch": torch_updates,
    "jax": jax_updates,
}


def serve(pipe: Connection, name: str, cell: str, runs: int) -> None:
    """A worker: warms up, then does as many updates as it is asked for, until it is asked for none."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    go = CONTENDERS[name](cell, runs)
    go(2)
    pipe.send("ready")
    while count := pipe.recv():
        go(count)
        pipe.send("done")


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables that processes started meanwhile find when their libraries are loaded."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Team:
    """The workers of one contender; only one team works at a time."""

    def __init__(self, name: str, cell: str, runs: int, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipes = []
        devices = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={runs}"}
        with _environment(devices if name == "jax" else VARIABLES):  # one thread, and memory kept: as lrd's own workers
            for worker in range(workers):
                mine, theirs = context.Pipe()
                share = runs // workers + (worker < runs % workers)
                context.Process(target=serve, args=(theirs, name, cell, share), daemon=True).start()
                self.pipes.append(mine)
        for pipe in self.pipes:
            pipe.recv()

    def seconds(self, count: int) -> float:
        """Wall time in which all workers do so many updates of each of their runs."""
        start = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(count)
        for pipe in self.pipes:
            pipe.recv()
        return time.perf_counter() - start

    def end(self) -> None:
        """Send the workers home."""
        for pipe in self.pipes:
            pipe.send(0)


def rate(cores: int) -> float:
    """Operations a second of a large float32 matrix product on all cores, the best of a few."""
    torch.set_num_threads(cores)
    a, b = torch.rand(2, 1024, 1024).unbind()
    times = []
    for _ in range(12):
        start = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - start)
    return 2 * 1024**3 / min(times)


def operations(cell: str) -> float:
    """Multiplications and additions of the matrix products of one run-update, forward and twice that backward."""
    rows = {"rnn": 1, "lstm": 4}[cell] * HIDDEN
    return 3.0 * 2 * GAP * BATCH * rows * (HIDDEN + 2)


def measure(cell: str, runs: int, cores: int, rounds: int, seconds: float) -> tuple[dict[str, list[float]], float]:
    """Milliseconds a run-update (a measurement, for ``tables_of``) of each contender, round by round; and the floor."""
    names = [name for name in CONTENDERS if name != "jax" or importlib.util.find_spec("jax")]
    teams = {name: Team(name, cell, runs, 1 if name == "jax" else min(cores, runs)) for name in names}
    counts = {name: max(1, round(seconds / team.seconds(1))) for name, team in teams.items()}
    found: dict[str, list[float]] = {name: [] for name in names}
    rates = []
    for _ in range(rounds):
        rates.append(rate(cores))
        for name, team in teams.items():
            found[name].append(1e3 * team.seconds(counts[name]) / counts[name] / runs)
    for team in teams.values():
        team.end()
    return found, 1e3 * operations(cell) / max(rates)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8, help="runs of all workers together")
    parser.add_argument("--rounds", type=int, default=7, help="turns of every contender")
    parser.add_argument("--quick", action="store_true", help="two runs, one short round: does it run at all")
    given = parser.parse_args()
    runs, rounds, seconds = (2, 1, 0.01) if given.quick else (given.runs, given.rounds, 1.5)
    from lrd.probes import GradientFlow, log_spaced
    from lrd.spec import Training

    updates = Training().max_updates
    share = len(log_spaced(updates, GradientFlow().per_decade)) / updates
    cores = len(os.sched_getaffinity(0))
    print(f"{runs} runs, T={GAP}, batch {BATCH}, hidden {HIDDEN}; {cores} cores, torch {torch.__version__}")
    print(f"ms of wall time a run-update, medians of {rounds} rounds; a measurement every {1 / share:.0f} updates")
    columns = ("lrd", "probed", "norms", "torch", "jax")
    ratios = (("torch", "probed"), ("torch", "norms"), ("jax", "probed"), ("jax", "norms"))
    print("cell " + " ".join(f"{name:>7}" for name in (*columns, "floor", *(f"{a}/{b}" for a, b in ratios))))
    for cell in ("rnn", "lstm"):
        found, floor = measure(cell, runs, cores, rounds, seconds)
        found["probed"] = [a + share * b for a, b in zip(found["lrd"], found["measurement"], strict=True)]
        shown = [f"{statistics.median(found[name]):7.2f}" if name in found else "      -" for name in columns]
        shown += [f"{floor:7.2f}"]
        shown += [f"{_ratio(found[a], found[b]) if a in found else '-':>11}" for a, b in ratios]
        print(f"{cell:4} {' '.join(shown)}")
    if importlib.util.find_spec("jax") is None:
        print("jax is not installed: its column is left out")


def _ratio(times: list[float], ours: list[float]) -> str:
    """Median of the ratios of a round."""
    return f"{statistics.median(a / b for a, b in zip(times, ours, strict=True)):.2f}"


if __name__ == "__main__":
    main()
