"""What probes saw in the runs of the synthetic study, each number in closed form of (run, update, t)."""

from __future__ import annotations

from math import exp, inf, log, nan
from typing import TYPE_CHECKING, Any

from lrd.probes import PROBES
from lrd.records import RunRecord

if TYPE_CHECKING:
    from synthetic import Made

GATES = {"input": 0.3, "forget": 0.7, "output": 0.5}
ITEMS = ("first", "middle", "final")
STRIDE = 5
CHANCE = 0.125
BINS = 7  # of the distances of closing signs


def gain(run: Made) -> float:
    """Of the initial W: three gains of the RNN, two of the exploding one, one of the LSTM."""
    return {"rnn": 0.8 + 0.4 * (run.seed % 3), "rnn g=2": 2.0 + 0.5 * (run.seed % 2)}.get(run.label, 1.0)


def exponent(run: Made, update: int, mode: str, index: int = 1) -> float:
    """Nats a step: near the rate of the gradient; of a run that diverged the last is no number."""
    if run.outcome == "diverged" and update:
        return nan if run.seed % 2 else -inf
    slope = run.slopes[update, "c" if (update, "c") in run.slopes else "h"]
    return -log(10) * slope + 0.01 * (run.seed + 1) - 0.04 * (mode == "free") - 0.1 * (index - 1)


def gate(run: Made, update: int, name: str, t: int) -> float:
    """The median of a gate; its quartiles lie 0.1 below and 0.15 above."""
    return GATES[name] + 0.01 * run.seed + (0.05 * exp(-t / 7) if update else 0.0)


def product(run: Made, update: int, t: int) -> float:
    """log10 of the product of forget gates from t to the answer; its 95 % quantile is half of it."""
    return -0.02 * (run.seed + 1) * (length(run) - 1 - t) - 0.001 * (update > 0) * (length(run) - 1 - t)


def score(run: Made, update: int, item: str, variable: str, t: int) -> float:
    """How much of an item is readable; of the exploding RNN, in one run, nothing that is a number."""
    if run.label == "rnn g=2" and run.seed == 0 and t > 5:
        return nan
    slowness = (3.0 if variable == "h" else 30.0) * (1 + ITEMS.index(item)) * (2 if update else 1)
    return CHANCE + (1 - CHANCE - 0.01 * run.seed) * exp(-t / slowness)


def closed(run: Made, update: int) -> list[dict[str, float]]:
    """The table of closing signs: by bin the loss and the share predicted right; one seed saw none of the last bin."""
    rows = []
    for k in range(BINS - (run.seed == 2)):
        forgotten = 1 - exp(-(2.0**k) / (60 if run.label == "lstm" else 6)) if update else 1.0
        values = {"low": 2**k, "high": 2 ** (k + 1) - 1, "distance": 1.4 * 2**k + 0.01 * run.seed, "count": 400 >> k}
        values |= {"loss": 0.1 * run.seed + 4 * forgotten, "error": 0.1, "accuracy": (1 - forgotten) / (1 + run.seed)}
        rows.append(values | {"unigram": 5 + 0.1 * k + 0.01 * run.seed})
    return rows


def length(run: Made) -> int:
    return len(next(iter(run.profiles.values())))


def places(run: Made) -> list[tuple[int, int]]:
    """(t, lag) at which retention measures."""
    last = length(run) - 1
    return [(last - lag, lag) for lag in range(last - last % STRIDE, -1, -STRIDE)]


def write_probes(record: RunRecord, run: Made) -> None:
    """The tables of the probes lyapunov, gates, retention and closing."""
    updates = sorted({update for update, _ in run.profiles})
    variables = sorted({variable for _, variable in run.profiles})
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("lyapunov", "gates", "retention", "closing")}
    for update in updates:
        rows["closing"] += [{"update": update} | row for row in closed(run, update)]
        for mode in ("driven", "free"):
            for index in (1, 2):
                errors = dict.fromkeys(("se_time", "se_samples", "standard_error"), 0.004)
                value = exponent(run, update, mode, index)
                rows["lyapunov"].append({"update": update, "mode": mode, "index": index, "exponent": value} | errors)
        for name in GATES if "c" in variables else ():
            variable = "c" if name == "forget" else ""
            for t in range(length(run)):
                place = {"update": update, "gate": name, "variable": variable, "t": t, "lag": length(run) - 1 - t}
                middle = gate(run, update, name, t)
                spread = {f"q{q:02d}": middle + shift for q, shift in zip((5, 25, 50, 75, 95), SHIFTS, strict=True)}
                rows["gates"].append(place | {"quantity": "gate", "mean": middle} | spread)
                for quantity in ("since_store", "to_answer") if variable else ():
                    value = product(run, update, t) if quantity == "to_answer" else 0.0
                    rows["gates"].append(
                        place
                        | {"quantity": quantity, "mean": value}
                        | dict.fromkeys(spread, value)
                        | {"q95": value / 2}
                    )
        for variable in variables:
            for t, lag in places(run):
                for item in ITEMS:
                    place = {"update": update, "item": item, "variable": variable, "t": t, "lag": lag, "since": t}
                    value = score(run, update, item, variable, t)
                    known = {"score": value, "chance": CHANCE, "error": 0.01, "sequences": 64}
                    rows["retention"].append(place | known)
    for name, table in rows.items():
        types = PROBES[name].tables()[name]
        known: dict[str, Any] = {"layer": 1, "direction": "forward"}
        columns = {column: [(known | row)[column] for row in table] for column in ("update", *types)}
        record.write_table(name, columns, types)


SHIFTS = (-0.15, -0.1, 0.0, 0.15, 0.19)
