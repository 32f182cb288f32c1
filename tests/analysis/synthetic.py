"""A study of plausible, made-up records: RNNs vanish or explode, LSTMs persist; what fails, fails as in life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log, log10, nan
from pathlib import Path
from typing import Any

import numpy as np
from synthetic_generalisation import write_generalisation
from synthetic_probes import gain, write_probes

from lrd.records import RunRecord
from lrd.records.schema import GRADIENT_FIT_COLUMNS, GRADIENT_FLOW_COLUMNS, GRADIENT_NORMS_COLUMNS

CELLS = {"rnn": ("rnn", 0.74), "lstm": ("lstm", 0.985), "rnn g=2": ("rnn", 1.12)}  # label: cell, factor per step back
KERNELS = {"rnn": "packed", "lstm": "stock"}  # of these labels and cells
PART = {"layer": 1, "direction": "forward"}  # of which all rows are
MEASUREMENTS = (50, 200, 500)  # updates at which runs are measured, besides their start and their end
CHANCE = {"copy": lambda gap: 10 * log(8) / (gap + 20), "adding": lambda gap: 1 / 6, "delay": lambda gap: log(8)}


@dataclass(frozen=True)
class Made:
    """What was written for one run, for tests to compute from independently."""

    run_id: str
    task: str
    label: str
    gap: int
    seed: int
    state: str
    outcome: str | None
    updates: np.ndarray
    losses: np.ndarray
    profiles: dict[tuple[int, str], np.ndarray]  # (update, variable): log10 norm by t
    slopes: dict[tuple[int, str], float]
    seconds: float  # of training


@dataclass(frozen=True)
class MadeStudy:
    """A synthetic study on disk and what was put into it."""

    folder: Path
    runs: list[Made]


def make_study(
    root: Path,
    name: str = "made",
    tasks: Sequence[str] = ("copy", "adding"),
    gaps: Sequence[int] = (10, 30),
    labels: Sequence[str] = tuple(CELLS),
    seeds: int = 3,
    max_updates: int = 1000,
) -> list[Made]:
    """Write a study under ``root``; one run fails and one is interrupted where there are several gaps and seeds."""
    made = []
    for task in tasks:
        for gap in gaps:
            for label in labels:
                for seed in range(seeds):
                    rng = np.random.default_rng([len(made), 7])
                    last = seed == seeds - 1 and gap == gaps[-1] and seeds > 1
                    state = {"rnn": "failed", "lstm": "interrupted"}.get(label, "finished") if last else "finished"
                    run = _imagine(rng, task, label, gap, seed, state, max_updates)
                    _write(root, name, run, max_updates)
                    made.append(run)
    return made


def _imagine(
    rng: np.random.Generator, task: str, label: str, gap: int, seed: int, state: str, max_updates: int
) -> Made:
    cell, factor = CELLS[label]
    chance = CHANCE[task](gap)
    updates = np.arange(0, max_updates + 1, max_updates // 20)
    reach = {"rnn": 15, "lstm": 120, "rnn g=2": 40}[label]
    solves = rng.random() < 1 / (1 + (gap / reach) ** 3)
    diverges = label == "rnn g=2" and not solves and rng.random() < 0.4
    half = max_updates * (0.2 + 0.3 * rng.random()) * (1 + gap / 200)
    fall = 1 / (1 + (updates / half) ** 6) if solves else 1 - 0.04 * updates / max_updates * rng.random()
    losses = chance * np.maximum(fall, 1e-3) * np.exp(0.03 * rng.normal(size=updates.size)) * (1 + 0.3 * (updates == 0))
    if diverges:
        losses[12:] = nan
        updates, losses = updates[:13], losses[:13]
    elif solves and (losses < 0.05 * chance).any():
        stop = int(np.flatnonzero(losses < 0.05 * chance)[0]) + 3
        updates, losses = updates[:stop], losses[:stop]
    if state != "finished":
        updates, losses = updates[:6], losses[:6]
    outcome = None if state != "finished" else "diverged" if diverges else "solved" if solves else "unsolved"
    profiles, slopes = {}, {}
    length = gap + (20 if task == "copy" else 0)
    t = np.arange(length)
    for update in sorted({0, int(updates[-1]), *(at for at in MEASUREMENTS if at < updates[-1])}):
        for variable in ("h", "c") if cell == "lstm" else ("h",):
            learned = (factor**0.3 if solves else factor) if update else factor * (0.9 if cell == "lstm" else 1)
            slope = -log10(learned) + 0.01 * abs(rng.normal())
            wander = np.cumsum(rng.normal(scale=0.03, size=length))[::-1]
            profiles[update, variable] = -1.5 + 0.4 * (variable == "c") - slope * (length - 1 - t) + wander
            slopes[update, variable] = slope
    return Made(
        f"{cell}-{task}-T{gap}-s{seed}-{label.replace(' ', '')}",
        task, label, gap, seed, state, outcome, updates, losses, profiles, slopes,
        round(1e-4 * float(updates[-1]) * (gap + 20) * rng.uniform(1, 1.2), 6),
    )  # fmt: skip


def _write(root: Path, study: str, run: Made, max_updates: int) -> None:
    record = RunRecord(root, study, run.run_id)
    chance = {"loss": CHANCE[run.task](run.gap)}
    length = next(iter(run.profiles.values())).size
    cell = CELLS[run.label][0]
    record.create(
        {
            "spec": {
                "task": {"name": run.task, "gap": run.gap, "convention": "made up"},
                "cell": {"name": cell, "label": run.label if run.label != cell else None, "hidden_size": 8}
                | {"gain": gain(run), "init": "gaussian"}
                | ({"activation": "relu" if run.label == "rnn g=2" else "tanh"} if cell == "rnn" else {}),
                "training": {"max_updates": max_updates},
                "seed": run.seed,
            },
            "task": {
                "sequence_length": length,
                "smallest_lag": run.gap,
                "largest_lag": length,
                "chance": chance,
                "landmarks": {"one number known": 1 / 12} if run.task == "adding" else {},
                "criterion": "made up",
            },
            "parameters": 100,
        }
    )
    record.metrics({"update": run.updates, "train_loss": run.losses, "eval_loss": run.losses})
    rows: dict[str, list[Any]] = {column: [] for column in GRADIENT_FLOW_COLUMNS}
    fits: dict[str, list[Any]] = {column: [] for column in GRADIENT_FIT_COLUMNS}
    for (update, variable), profile in run.profiles.items():
        known = {
            "update": update,
            **PART,
            "variable": variable,
            "answer": "last",
            "log10_mean": profile,
            "log10_gmean": profile,
        }
        known |= {"t": np.arange(length), "lag": length - 1 - np.arange(length)}
        for part, shift in (("total", 0.0), ("direct", -inf)):
            for column in rows:
                value = {**known, "part": part}.get(column, 0.0)
                values = np.broadcast_to(value, length).tolist()
                rows[column] += [v + shift for v in values] if column.startswith("log10") else values
        slope = run.slopes[update, variable]
        horizons = [fall / slope if slope > 0 else inf for fall in (log10(np.e), 3)]
        found: dict[str, Any] = {"update": update, **PART, "variable": variable, "slope": slope, "points": length}
        found |= {"slope_error": 0.001, "samples": 8}
        found |= {"horizon": horizons[0], "fallen_e": horizons[0], "fallen_milli": horizons[1]}
        for column in fits:
            fits[column].append(found[column])
    record.write_table("gradient_flow", rows)
    record.write_table("gradient_fit", fits)
    write_probes(record, run)
    write_generalisation(record, run)
    _write_norms(record, run)
    if run.state == "finished":
        end = int(run.updates[-1])
        solved_at = end if run.outcome == "solved" else None
        how = {"kernel": KERNELS[cell], "hardware": "made up, 1 thread", "pack_size": 4.0, "resumed": run.seed % 2}
        if run.label in KERNELS:  # the others are of before this was recorded
            record.status("running", update=end, max_updates=max_updates, **how)
        summary = {"outcome": run.outcome, "update": end, "solved_at": solved_at, "seconds": run.seconds}
        if not np.isnan(run.losses[-1]):
            summary["eval_loss"] = float(run.losses[-1])
        record.finish(summary)
    else:
        record.status(run.state, update=int(run.updates[-1]), max_updates=max_updates)


def norms_of(run: Made) -> dict[tuple[int, str], np.ndarray]:
    """Log10 norms by t, of the updates up to each measurement after the first, by variable; maxima lie .5 above."""
    return {key: profile + 0.25 for key, profile in run.profiles.items() if key[0] > 0}


def _write_norms(record: RunRecord, run: Made) -> None:
    rows: list[dict[str, Any]] = []
    before = {late: early for early, late in pairwise(sorted({update for update, _ in run.profiles}))}
    for (update, variable), norms in norms_of(run).items():
        known = {"update": update, **PART, "variable": variable, "zero_share": 0.0}
        known |= {"updates": update - before[update]}
        for t, norm in enumerate(norms):
            levels = {f"log10_{name}": norm + shift for name, shift in (("mean", 0.1), ("gmean", 0), ("max", 0.5))}
            rows.append(known | {"t": t, "log10_min": norm - 0.5, "log10_std": 0.2} | levels)
    columns = {name: [row[name] for row in rows] for name in ("update", *GRADIENT_NORMS_COLUMNS)}
    record.write_table("gradient_norms", columns, GRADIENT_NORMS_COLUMNS)
