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
FEATURES = ("quote", "bracket", "line")
PASSAGE = 'He said "go (now)":\n\n$5 or 5% of \u00e4\u0394\U0001f680\t_^{'
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


def followed(run: Made, update: int) -> list[dict[str, Any]]:
    """The table of text units: of each feature the units by rank, of which the first two have activations."""
    rows = []
    for number, feature in enumerate(FEATURES):
        for rank in (1, 2, 3):
            strength = (0.2 + 0.6 * (update > 0)) / rank + 0.05 * ((run.seed * 2) % 3) - 0.02 * number
            unit = {
                "layer": 1 + rank % 2,
                "variable": "c" if run.label == "lstm" else "h",
                "unit": 10 * run.seed + rank,
            }
            sign = -1 if number == 1 else 1
            found = {"selecting": sign * strength, "rank": rank, "score": sign * (strength - 0.1), "chance": 0.06}
            rows.append(unit | {"feature": feature} | found)
    return rows


def activations(run: Made, update: int) -> list[dict[str, Any]]:
    """The table of text activations: two units of each feature along the passage, the second 10 times as large."""
    rows = []
    for unit in followed(run, update):
        for t, character in enumerate(PASSAGE if unit["rank"] < 3 else ""):
            names = {name: unit[name] for name in ("layer", "variable", "unit", "feature")}
            level = float(t % 3) if t > 2 or unit["feature"] != "line" else nan
            value = (10 if unit["rank"] == 2 else 1) * (t % 7 - 3) / 4 * (1 + run.seed)
            rows.append(names | {"t": t + 5, "character": character, "level": level, "value": value})
    return rows


def length(run: Made) -> int:
    return len(next(iter(run.profiles.values())))


def places(run: Made) -> list[tuple[int, int]]:
    """(t, lag) at which retention measures."""
    last = length(run) - 1
    return [(last - lag, lag) for lag in range(last - last % STRIDE, -1, -STRIDE)]


def write_probes(record: RunRecord, run: Made) -> None:
    """The tables of the probes lyapunov, gates, retention, closing and text_units."""
    updates = sorted({update for update, _ in run.profiles})
    variables = sorted({variable for _, variable in run.profiles})
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("lyapunov", "gates", "retention", "closing")}
    rows |= {"text_units": [], "text_activations": []}
    for update in updates:
        rows["closing"] += [{"update": update} | row for row in closed(run, update)]
        if run.gap == 10:  # hundreds of letters a panel take their time
            rows["text_units"] += [{"update": update} | row for row in followed(run, update)]
            rows["text_activations"] += [{"update": update} | row for row in activations(run, update)]
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
    every = {name: columns for probe in PROBES.values() for name, columns in probe.tables().items()}
    for name, table in ((name, table) for name, table in rows.items() if table or not name.startswith("text")):
        types = every[name]
        known: dict[str, Any] = {"layer": 1, "direction": "forward"}
        columns = {column: [(known | row)[column] for row in table] for column in ("update", *types)}
        record.write_table(name, columns, types)


SHIFTS = (-0.15, -0.1, 0.0, 0.15, 0.19)
