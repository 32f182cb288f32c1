"""A pack on the CPU beside the same runs by torch's own modules and by JAX: time per run-update, all cores busy.

    python benchmarks/pack.py [--cell lstm] [--hidden 64] [--gap 100] [--runs 8] [--rounds 7] [--quick]
                                                                                                 (make bench-pack)

Adding task, Adam, clipping by norm, float32, batch 32. Whole updates: drawing the batch, forward, backward, clipping
and optimiser. Each contender has all cores (benchmarks/contenders.py):

lrd      one worker a core, one thread each, that trains its share of the runs as a pack, as ``lrd train`` does; with
         training gradient norms: the norm at every time step of every update
bare     the same without norms
torch    one worker a core, one thread each: ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` with ``torch.optim.Adam``, one run
         after another; no norms. A run alone is also tried with a thread a core, and the faster is taken
jax      all runs in one compiled scan under vmap (benchmarks/jax_pack.py), the fastest of several ways; no norms. Left
         out where jax is not installed (``pip install 'lrd[bench]'``)

Contenders take turns, round after round, so that a noisy machine is noisy for all; printed are medians, and medians of
the ratios of a round, with what they are to reach. ``norms cost`` is lrd over bare. On a machine that does other work
``--processor`` says more: processor time of all workers over the cores that they may use, in place of wall time.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
from collections.abc import Iterator, Sequence

import contenders
from contenders import Shape
from machine import cores, machine
from table import Table, add_markdown_option, medians_of, write_markdown
from teams import Team

from lrd.sweeps.nursery import VARIABLES

COLUMNS = (
    *("cell", "T", "hidden", "runs", "lrd", "bare", "torch", "jax"),
    *("lrd/torch", "goal", "jax/lrd", "goal", "norms cost", "kernel", "jax's way"),
)
Times = dict[str, list[float]]  # by contender, ms of a run-update in each round


def most_over_torch(shape: Shape) -> float | None:
    """Return the most that lrd's time may be of torch's; None: nothing is stated of this shape."""
    if shape.cell == "lstm":
        return {32: 0.80, 64: 0.80, 128: 0.90}.get(shape.hidden)
    return 0.35 if (shape.cell, shape.hidden) == ("rnn", 64) else None


def least_over_jax(shape: Shape) -> float | None:
    """Return how many times lrd's time JAX's should be at least; None: nothing is stated of this shape."""
    return 3.0 if shape.cell == "lstm" else None


def teams_of(runs: int) -> dict[str, Team]:
    """Start the teams that train so many runs, by name."""
    workers = min(cores(), runs)
    found = {
        "lrd": Team(contenders.lrd, runs, workers, VARIABLES),  # one thread, and memory kept: as lrd's own workers
        "bare": Team(contenders.lrd_without, runs, workers, VARIABLES),
        "torch": Team(contenders.plain_torch, runs, workers, VARIABLES),
    }
    if workers < cores():
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(cores()))
        found["torch, threads"] = Team(contenders.plain_torch, runs, 1, VARIABLES | threads)
    if importlib.util.find_spec("jax"):
        devices = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={runs}"}
        found["jax"] = Team(contenders.jax, runs, 1, devices)
    return found


def measure(teams: dict[str, Team], runs: int, rounds: int, seconds: float, processor: bool) -> Times:
    """Return the milliseconds of a run-update of each team, round by round; the teams are prepared."""
    counts = {name: max(1, round(seconds / team.seconds(1)[0])) for name, team in teams.items()}
    found: Times = {name: [] for name in teams}
    for _ in range(rounds):
        for name, team in teams.items():
            wall, used = team.seconds(counts[name])
            took = used / team.cores if processor else wall
            found[name].append(1e3 * took / counts[name] / runs)
    return found


def shapes(cells: Sequence[str], sizes: Sequence[int], gaps: Sequence[int]) -> Iterator[Shape]:
    """Yield every shape of the table."""
    for cell in cells:
        for gap in gaps:
            for hidden in sizes:
                yield Shape(cell, gap, hidden)


def faster_torch(found: Times) -> Times:
    """Return the times with the faster of torch's two ways under ``torch``."""
    threads = found.pop("torch, threads", None)
    if threads and statistics.median(threads) < statistics.median(found["torch"]):
        found["torch"] = threads
    return found


def ratio(times: list[float], over: list[float]) -> float:
    """Return the median of the ratios of a round."""
    return statistics.median(a / b for a, b in zip(times, over, strict=True))


def add_row(table: Table, shape: Shape, runs: int, found: Times, words: dict[str, str]) -> dict[str, bool]:
    """Add the row of a shape; return, for each goal that is stated and was measured, whether it is reached."""
    most, least = most_over_torch(shape), least_over_jax(shape)
    to_torch, norms_cost = ratio(found["lrd"], found["torch"]), ratio(found["lrd"], found["bare"])
    to_jax = ratio(found["jax"], found["lrd"]) if "jax" in found else None
    table.add(
        *(shape.cell, shape.gap, shape.hidden, runs),
        *(statistics.median(found[name]) if name in found else "-" for name in ("lrd", "bare", "torch", "jax")),
        *(to_torch, f"<= {most:.2f}" if most else "-"),
        *(to_jax or "-", f">= {least:.1f}" if least else "-"),
        *(norms_cost, words["lrd"], words.get("jax", "-")),
    )
    where = f"{shape.cell}, T {shape.gap}, hidden {shape.hidden}, runs {runs}"
    goals = {}
    if most:
        goals[f"{where}: lrd/torch {to_torch:.2f}"] = to_torch <= most
    if least and to_jax:
        goals[f"{where}: jax/lrd {to_jax:.2f}"] = to_jax >= least
    return goals


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", nargs="+", default=["rnn", "lstm"], choices=["rnn", "lstm", "gru"], help="cells")
    parser.add_argument("--hidden", type=int, nargs="+", default=[32, 64, 128], help="hidden sizes")
    parser.add_argument("--gap", type=int, nargs="+", default=[100, 400], help="lengths of the sequences")
    parser.add_argument("--runs", type=int, nargs="+", default=[8, 1], help="runs of all workers together")
    parser.add_argument("--rounds", type=int, default=7, help="turns of every contender")
    parser.add_argument("--seconds", type=float, default=0.4, help="of a turn, about")
    parser.add_argument("--processor", action="store_true", help="processor time over cores in place of wall time")
    parser.add_argument("--quick", action="store_true", help="two runs, one short round: does it run at all")
    add_markdown_option(parser)
    given = parser.parse_args()
    if given.quick:
        given.hidden, given.gap, given.runs, given.rounds, given.seconds = [8], [20], [2], 1, 0.01
    what = "processor time over cores" if given.processor else "wall time"
    about = [
        f"{machine('torch', 'numba', 'jax')}.",
        f"Times in ms of {what} a run-update, batch {contenders.BATCH}; {medians_of(given.rounds)}.",
    ]
    table, goals = Table(about, COLUMNS), dict[str, bool]()
    for runs in given.runs:
        teams = teams_of(runs)
        for shape in shapes(given.cell, given.hidden, given.gap):
            words = {name: team.prepare(shape) for name, team in teams.items()}
            found = faster_torch(measure(teams, runs, given.rounds, given.seconds, given.processor))
            goals |= add_row(table, shape, runs, found, words)
        for team in teams.values():
            team.end()
    if importlib.util.find_spec("jax") is None:
        table.note("jax is not installed: its columns are empty.")
    missed = "; ".join(name for name, reached in goals.items() if not reached)
    table.note(f"Goals reached: {sum(goals.values())} of {len(goals)}{'; missed: ' * bool(missed)}{missed}.")
    write_markdown(given.markdown, table)


if __name__ == "__main__":
    main()
