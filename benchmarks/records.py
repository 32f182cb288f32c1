"""A study of made-up records of any size, through the writer that real runs use: what the benchmarks of figures read.

    python benchmarks/records.py FOLDER [--runs N] [--seed S]

3 tasks x 6 cells x up to 6 gaps (10 to 100 steps), and as many seeds as the runs ask for. Every run has tables of its
own: 50 rows of metrics, and at 8 measurements the gradient flow of every step, of h and, in cells with a memory, of c.
Of a hundred runs about two failed, were interrupted or diverged. Beside them lie folders and files that are broken or
foreign, so that what reads the study must name them and go on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
from dataclasses import dataclass
from functools import partial
from math import inf, log, nan
from pathlib import Path
from typing import Any

import numpy as np

from lrd.records import RunRecord
from lrd.records.files import write_json
from lrd.records.schema import GRADIENT_FIT_COLUMNS, GRADIENT_FLOW_COLUMNS, QUANTILES, SUMMARY

#: Cell: state variables, factor per step back of the norm, steps over which it learns to remember.
CELLS = {
    "rnn": (("h",), 0.80, 15.0),
    "irnn": (("h",), 0.97, 40.0),
    "orthogonal": (("h",), 0.99, 60.0),
    "gru": (("h",), 0.95, 80.0),
    "lstm": (("h", "c"), 0.98, 120.0),
    "lstm_peephole": (("h", "c"), 0.975, 100.0),
}
#: Task: steps beyond the gap, and the chance level of its loss at a gap.
TASKS = {
    "adding": (0, lambda gap: 1 / 6),
    "copy": (20, lambda gap: 10 * log(8) / (gap + 20)),
    "delay": (10, lambda gap: log(8)),
}
GAPS = (10, 20, 30, 50, 70, 100)
GROUP = 90  # runs for which a study is given one more gap
MAX_UPDATES, EVERY = 1000, 20
MEASURED_AT = (0, 1, 5, 20, 100, 200, 500)  # and one at the end
LANDMARKS = {"adding": {"one number known": 1 / 12}}
OPTIMIZER = {"name": "adam", "lr": 0.001, "clip": "norm", "clip_threshold": 1.0, "beta1": 0.9, "beta2": 0.999}
TRAINING = {"batch_size": 32, "max_updates": MAX_UPDATES, "truncate": None, "eval_every": EVERY, "solved_evals": 3}
FLOW = {"per_decade": 3, "samples": 32, "answer": "last", "precision": "float32"}


@dataclass(frozen=True)
class Cast:
    """What run number ``index`` of a study is, before anything happens to it."""

    index: int
    task: str
    cell: str
    gap: int
    seed: int

    @property
    def run_id(self) -> str:
        return f"{self.cell}-{self.task}-T{self.gap}-s{self.seed}-{self.index:010x}"

    @property
    def length(self) -> int:
        """Steps of a sequence."""
        return self.gap + TASKS[self.task][0]


def cast(index: int, runs: int) -> Cast:
    """Run number ``index`` of a study of ``runs``: seeds count up when every task, cell and gap has had one."""
    gaps = GAPS[: max(1, min(len(GAPS), runs // GROUP))]
    rest, cell = divmod(index, len(CELLS))
    rest, task = divmod(rest, len(TASKS))
    seed, gap = divmod(rest, len(gaps))
    return Cast(index, list(TASKS)[task], list(CELLS)[cell], gaps[gap], seed)


def make_study(folder: Path, runs: int, seed: int = 0, workers: int | None = None) -> list[Path]:
    """Write a study of ``runs`` records to ``folder``, and rubbish among them; gives the paths of the rubbish."""
    folder.mkdir(parents=True, exist_ok=True)
    write = partial(_write, folder, runs, seed)
    with multiprocessing.get_context("spawn").Pool(workers or os.cpu_count()) as pool:
        for _ in pool.imap_unordered(write, range(runs), chunksize=20):
            pass
    return _litter(folder, runs)


def _write(folder: Path, runs: int, seed: int, index: int) -> None:
    rng, one = np.random.default_rng([seed, index]), cast(index, runs)
    fate = rng.random()
    state = "failed" if fate < 0.007 else "interrupted" if fate < 0.014 else "finished"
    diverged = state == "finished" and fate > 0.993
    _, factor, reach = CELLS[one.cell]
    solved = not diverged and rng.random() < 1 / (1 + (one.gap / reach) ** 3)
    end = (
        EVERY * int(rng.integers(12, 1 + MAX_UPDATES // EVERY))
        if solved or diverged or state != "finished"
        else MAX_UPDATES
    )
    chance = TASKS[one.task][1](one.gap)
    seconds = 1e-4 * end * one.length * float(np.exp(0.1 * rng.normal()))
    record = RunRecord(folder.parent, folder.name, one.run_id)
    record.create(_run(one, chance))
    record.metrics(_metrics(rng, end, chance, solved, diverged))
    flow, fits = _flow(rng, one, end, factor**0.4 if solved else factor)
    record.write_table("gradient_flow", flow)
    record.write_table("gradient_fit", fits)
    if state != "finished":
        message = "the loss of the first batch is no number" if state == "failed" else ""
        record.status(state, update=end, max_updates=MAX_UPDATES, message=message, seconds=seconds)
        return
    slopes = {
        f"slope_{variable}_{moment}": float(
            fits["slope"][(fits["variable"] == variable) & (fits["update"] == update)][0]
        )
        for variable in CELLS[one.cell][0]
        for moment, update in (("start", 0), ("end", end))
    }
    outcome = "diverged" if diverged else "solved" if solved else "unsolved"
    at = {"solved_at": end if solved else None, "diverged_at": end if diverged else None}
    loss = nan if diverged else chance * (0.01 if solved else 0.9)
    record.finish({"outcome": outcome, "update": end, **at, "seconds": seconds, **slopes, "eval_loss": loss})


def _run(one: Cast, chance: float) -> dict[str, Any]:
    gated = {"forget_bias": 1.0, "chrono": None} if "c" in CELLS[one.cell][0] else {}
    return {
        "spec": {
            "task": {"name": one.task, "gap": one.gap, "convention": "made up"},
            "cell": {"name": one.cell, "hidden_size": 64, "label": None, "init": "torch", "gain": 1.0, **gated},
            "optimizer": OPTIMIZER,
            "training": TRAINING,
            "probe": {"gradient_flow": FLOW},
            "seed": one.seed,
        },
        "task": {
            "sequence_length": one.length,
            "smallest_lag": one.gap,
            "largest_lag": one.length - 1,
            "chance": {"loss": chance},
            "landmarks": LANDMARKS.get(one.task, {}),
            "criterion": "made up",
        },
        "parameters": 64 * 68,
        "tracker": {"name": "none"},
    }


def _metrics(rng: np.random.Generator, end: int, chance: float, solved: bool, diverged: bool) -> dict[str, Any]:
    updates = np.arange(0, end + 1, EVERY)
    fall = 1 / (1 + (updates / (0.6 * end)) ** 8) if solved else 1 - 0.1 * updates / MAX_UPDATES
    loss = chance * np.maximum(fall, 1e-3) * np.exp(0.05 * rng.normal(size=updates.size))
    if diverged:
        loss[-1] = nan
    train = np.ma.masked_array(loss * np.exp(0.1 * rng.normal(size=updates.size)), updates == 0)
    norms = np.ma.masked_array(np.exp(rng.normal(size=updates.size)), updates == 0)
    return {
        "update": updates,
        "eval_loss": loss,
        "train_loss": train,
        "grad_norm": norms,
        "grad_norm_clipped": np.ma.minimum(norms, 1.0),
    }


def _flow(rng: np.random.Generator, one: Cast, end: int, factor: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Gradient flow and its fits at every measurement: rows in the order in which the probe writes them."""
    T, variables = one.length, CELLS[one.cell][0]
    updates = np.array([*(update for update in MEASURED_AT if update < end), end])
    measurements = [(update, variable) for update in updates for variable in variables]
    slopes = -np.log10(factor) * (1 + 0.1 * rng.normal(size=len(measurements)))
    lags = np.arange(T - 1, -1, -1)
    wander = np.cumsum(rng.normal(scale=0.02, size=(len(measurements), T)), axis=1)
    profile = -1.5 - slopes[:, None] * lags + wander - wander[:, -1:]  # [measurements, T]
    at = np.r_[np.arange(T), T - 1]  # all of the total, and the one step with a direct part
    columns: dict[str, Any] = {
        "update": np.repeat([update for update, _ in measurements], T + 1),
        "layer": np.ones(len(measurements) * (T + 1), dtype=np.int64),
        "direction": np.full(len(measurements) * (T + 1), "forward", dtype=object),
        "variable": np.repeat(np.array([variable for _, variable in measurements], dtype=object), T + 1),
        "part": np.tile(np.array(["total"] * T + ["direct"], dtype=object), len(measurements)),
        "answer": np.full(len(measurements) * (T + 1), "last", dtype=object),
        "t": np.tile(at, len(measurements)),
        "lag": np.tile(T - 1 - at, len(measurements)),
    }
    middle = profile[:, at].ravel()
    columns |= {"log10_mean": middle + 0.05 * rng.random(middle.size), "log10_gmean": middle}
    for place, name in enumerate(QUANTILES):
        columns[name] = middle + 0.3 * (place - 2) + 0.02 * rng.normal(size=middle.size)
    columns["zero_share"] = np.zeros(middle.size)
    fallen = [scale / slope if slope > 0 else inf for scale in (1, 3) for slope in slopes]
    horizon = np.array(fallen[: len(measurements)]) * np.log10(np.e)
    fits: dict[str, Any] = {
        "update": np.array([update for update, _ in measurements]),
        "layer": np.ones(len(measurements), dtype=np.int64),
        "direction": np.full(len(measurements), "forward", dtype=object),
        "variable": np.array([variable for _, variable in measurements], dtype=object),
        "slope": slopes,
        "horizon": horizon,
        "points": np.full(len(measurements), max(one.gap - 2, 2)),
        "slope_error": np.full(len(measurements), 0.001),
        "samples": np.full(len(measurements), 32),
        "fallen_e": np.ceil(horizon),
        "fallen_milli": np.ceil(np.array(fallen[len(measurements) :])),
    }
    assert columns.keys() == GRADIENT_FLOW_COLUMNS.keys()
    assert fits.keys() == GRADIENT_FIT_COLUMNS.keys()
    return columns, fits


def _litter(folder: Path, runs: int) -> list[Path]:
    """What no reader may stumble over: cut and overwritten files, copies, folders of something else."""
    ids = [cast(index, runs).run_id for index in range(runs)]
    finished = [name for name in ids if (folder / name / SUMMARY).exists()][:: max(1, runs // 8)]
    spoil = dict(zip(("gradient_flow.parquet", "metrics.parquet", "summary.json", "run.json"), finished, strict=False))
    for file, name in spoil.items():
        path = folder / name / file
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    copy = folder / f"copy of {ids[0]}"
    shutil.copytree(folder / ids[0], copy)
    (folder / "notes").mkdir()
    (folder / "notes" / "ideas.txt").write_text("not a record\n")
    (folder / "README.txt").write_text("not a record either\n")
    (folder / "array").mkdir()
    write_json(folder / "array" / "run.json", [1, 2, 3])
    return [*(folder / name / file for file, name in spoil.items()), copy, folder / "notes", folder / "array"]


def main() -> None:
    """Write one study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the study, such as runs/many")
    parser.add_argument("--runs", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="other numbers for the same runs")
    given = parser.parse_args()
    if given.runs < 1 or (given.folder.exists() and any(given.folder.iterdir())):
        parser.error(f"{given.folder} is there already" if given.runs > 0 else "--runs must be 1 or more")
    for path in make_study(given.folder, given.runs, given.seed):
        print(f"broken or foreign: {path}")


if __name__ == "__main__":
    main()
