"""Time that a sweep takes before its first update: compose, check, plan, forecast.

    python benchmarks/plan.py [--runs N] [--quick]

10,000 runs by default: 2 tasks x 2 cells x 2 gaps, and seeds. Nothing is trained; the study's folder does not exist.
``compose`` is Hydra's part, from the command line to plain configurations; ``check`` makes typed runs of them and
``plan`` packs, and looks for their records; ``forecast`` is what ``lrd plan`` adds, its measuring included.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000, help="runs of the sweep")
    parser.add_argument("--quick", action="store_true", help="80 runs: does it run at all")
    given = parser.parse_args()
    seeds = (80 if given.quick else given.runs) // 8

    from lrd.hydra_main import compose_from_command_line
    from lrd.sweeps.forecast import forecast
    from lrd.sweeps.plan import jobs_from_configs, plan

    with TemporaryDirectory() as folder:
        sweep = ["-m", "task=adding,copy", "cell=rnn,lstm", "task.gap=10,20", f"seed=range({seeds})"]
        moments = [time.perf_counter()]
        configs = compose_from_command_line([*sweep, f"runs_dir={Path(folder) / 'none'}", "device=cpu"]).configs
        moments.append(time.perf_counter())
        jobs = jobs_from_configs(configs)
        moments.append(time.perf_counter())
        work = plan(jobs, workers=2)
        moments.append(time.perf_counter())
        forecast(work, workers=2)
        moments.append(time.perf_counter())
    print(f"{len(work.runs)} runs in {len(work.packs)} packs")
    print("step       seconds")
    for name, start, stop in zip(("compose", "check", "plan", "forecast"), moments, moments[1:], strict=False):
        print(f"{name:8}  {stop - start:8.2f}")
    print(f"{'total':8}  {moments[-1] - moments[0]:8.2f}")


if __name__ == "__main__":
    main()
