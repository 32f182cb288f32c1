"""Wall time of one sweep: lrd, Hydra's basic launcher in one process, the joblib launcher in two.

    python benchmarks/sweep.py [--rounds N] [--markdown FILE] [--quick]        (make bench-sweep)

64 runs (32 RNN, 32 LSTM; hidden 32; adding, T = 100; 500 updates of batch 32, evaluated every 100). lrd records the
training gradient norms of every update, measures gradient flow at its default schedule and keeps its records; the other
two train a plain torch function (benchmarks/plain_train.py) and keep nothing. Whole commands are timed in turn,
start-up included; nothing stops early. A few updates of each go before, untimed: kernels are compiled once a machine,
and libraries are then read from memory. Beside the medians of the ratios of a round stands what they are to reach on
two cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import machine
from table import Table, add_markdown_option, medians_of, write_markdown

HERE = Path(__file__).resolve().parent
GOALS = {"basic": 5.0, "joblib": 2.5}  # least wall time over lrd's


def commands(seeds: int, updates: int) -> dict[str, list[str]]:
    """Return the three commands, by name."""
    seed = f"seed=range({seeds})"
    plain = [sys.executable, str(HERE / "plain_train.py"), "-m", "cell=rnn,lstm", seed, f"updates={updates}"]
    lrd = "task=adding task.gap=100 cell=rnn,lstm cell.hidden_size=32 tracker=none training.stop_when_solved=false"
    train = [str(Path(sys.executable).parent / "lrd"), "train", "-m", *lrd.split(), seed]
    return {
        "lrd": [*train, f"training.max_updates={updates}", "training.test_samples=512", "training.gradient_norms=true"],
        "basic": plain,
        "joblib": [*plain, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"],
    }


def wall_time(command: list[str]) -> float:
    """Return the seconds that a command takes in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "HYDRA_FULL_ERROR": "1"}
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="rounds of the three commands")
    parser.add_argument("--quick", action="store_true", help="4 runs of 20 updates, one round: does it run at all")
    add_markdown_option(parser)
    given = parser.parse_args()
    seeds, updates, turns = (2, 20, 1) if given.quick else (32, 500, given.rounds)
    chosen = commands(seeds, updates)
    for command in () if given.quick else commands(1, 2).values():
        wall_time(command)
    rounds = [{name: wall_time(command) for name, command in chosen.items()} for _ in range(turns)]
    about = [
        f"{machine('torch', 'numba', 'hydra-core', 'hydra-joblib-launcher')}.",
        f"{2 * seeds} runs of {updates} updates, {medians_of(turns)}.",
    ]
    table = Table(about, ("launcher", "wall [s]", "times lrd", "goal"))
    for name in chosen:
        seconds = statistics.median(one[name] for one in rounds)
        ratio = statistics.median(one[name] / one["lrd"] for one in rounds)
        table.add(name, f"{seconds:.1f}", ratio, f">= {GOALS[name]:.1f}" if name in GOALS else "-")
    write_markdown(given.markdown, table)


if __name__ == "__main__":
    main()
