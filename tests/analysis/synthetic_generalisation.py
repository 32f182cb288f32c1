"""How the runs of the synthetic study did at other gaps, each number in closed form of (run, gap)."""

from __future__ import annotations

from math import exp, inf, log, nan
from typing import TYPE_CHECKING, Any

from lrd.records import RunRecord
from lrd.records.schema import GENERALISATION_COLUMNS

if TYPE_CHECKING:
    from synthetic import Made

GAPS = (5, 10, 20, 30, 80)


def gaps_of(run: Made) -> list[int]:
    """Return the gaps at which a run was tested; runs of seed 1 were tested at fewer."""
    return sorted({run.gap, *GAPS[: 4 if run.seed == 1 else None]})


def accuracy(run: Made, gap: int) -> float:
    """Return an accuracy that falls from the trained gap on both sides."""
    return 0.125 + (0.8 + 0.01 * run.seed) * exp(-abs(log(gap / run.gap)) / (2 if run.label == "lstm" else 0.3))


def loss(run: Made, gap: int) -> float:
    """Return the loss over that of chance; nan for a run that diverged."""
    return nan if run.outcome == "diverged" else 0.01 * (1 + run.seed) + abs(log(gap / run.gap))


def chance(gap: int) -> float:
    """Return the chance level of the loss, which depends on the gap as that of copy does."""
    return 20 / (gap + 20)


def met(run: Made, gap: int) -> int:
    return int(gap <= run.gap and run.seed != 2)


def slope(run: Made, gap: int) -> float:
    return 0.01 * run.seed + 0.1 / gap if run.label == "lstm" else inf


def write_generalisation(record: RunRecord, run: Made) -> None:
    """The tables of a run that is finished; copy has accuracies, the other tasks have none."""
    if run.state != "finished":
        return
    update = int(run.updates[-1])
    tests: list[dict[str, Any]] = []
    fits: list[dict[str, Any]] = []
    for gap in gaps_of(run):
        known = {"update": update, "tested_gap": gap, "meets_criterion": met(run, gap)}
        known |= {"tested_length": gap + 20, "tested_smallest_lag": gap, "tested_largest_lag": gap}
        tests.append(known | {"metric": "loss", "value": loss(run, gap) * chance(gap), "chance_level": chance(gap)})
        for name, power in (("recall_accuracy", 1), ("sequence_accuracy", 3)) if run.task == "copy" else ():
            value = accuracy(run, gap) ** power
            tests.append(known | {"metric": name, "value": value, "chance_level": 0.125**power})
        for variable in ("h", "c") if run.label == "lstm" else ("h",):
            row = dict.fromkeys(GENERALISATION_COLUMNS["generalisation_fit"], 1)
            row |= {"layer": 1, "direction": "forward"}
            row |= {"update": update, "tested_gap": gap, "variable": variable, "slope": slope(run, gap)}
            fits.append(row)
    for name, rows in (("generalisation", tests), ("generalisation_fit", fits)):
        types = GENERALISATION_COLUMNS[name]
        record.write_table(name, {column: [row[column] for row in rows] for column in types}, types)
