"""The tests of a trained pack beyond the gap that it was trained at: metrics, and the gradient flow where asked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lrd.probes import Subject
from lrd.scalars import Columns
from lrd.shapes import Float, Tensor
from lrd.spec import RunSpec, flow_probe
from lrd.training.fetch import fetched
from lrd.training.pack import Pack

#: Tables of the gradient flow at tested gaps, by those of the probe ``gradient_flow`` whose rows they hold.
FLOW_TABLES = {"gradient_flow": "generalisation_flow", "gradient_fit": "generalisation_fit"}


def generalisation(pack: Pack, test: Mapping[str, Float[Tensor, "runs"]]) -> list[dict[str, Columns]]:
    """Test the runs of a pack at the gaps of ``evaluation.gaps`` and at their own.

    The sequences of a gap are the test set that a run trained at that gap would have.

    Args:
        pack: The trained runs.
        test: Their metrics on their own test set.

    Returns:
        The tables of each run by name, without ``update``; {} where the option is off.
    """
    first = pack.specs[0]
    tables: list[dict[str, list[Columns]]] = [{} for _ in pack.specs]
    for tested in first.tested:
        there = pack.as_in(tested)
        metrics = test if tested.task == first.task else there.evaluate("test", tested.training.test_samples)
        solved = tested.task.solved(metrics)
        columns = fetched({**metrics, "solved": solved})  # one copy from the device
        for run, of_run in enumerate(tables):
            values = {name: float(columns[name][run]) for name in metrics}
            of_run.setdefault("generalisation", []).append(_rows(tested, values, bool(columns["solved"][run])))
        if first.evaluation.gradient_flow:
            subject = Subject.of(there.task, there.cell, there.parameters(), there.seeds)
            for of_run, measured in zip(tables, flow_probe(tested.probes).tables_of(subject), strict=True):
                for name, table in FLOW_TABLES.items():
                    gaps = np.full(len(measured[name]["variable"]), tested.task.gap)
                    of_run.setdefault(table, []).append({"tested_gap": gaps} | measured[name])
    return [{name: _joined(parts) for name, parts in of_run.items()} for of_run in tables]


def _rows(tested: RunSpec, metrics: Mapping[str, float], solved: bool) -> Columns:
    """Return a row for each metric of one run at one gap."""
    task, chance = tested.task, tested.task.chance()
    numbers = {
        "tested_gap": task.gap,
        "tested_length": task.sequence_length,
        "tested_smallest_lag": task.smallest_lag,
        "tested_largest_lag": task.largest_lag,
    }
    size = len(metrics)
    return {
        **{name: np.full(size, number) for name, number in numbers.items()},
        "metric": np.array(list(metrics), dtype=object),
        "value": np.array(list(metrics.values()), dtype=np.float64),
        "chance_level": np.array([chance.get(name, np.nan) for name in metrics], dtype=np.float64),
        "meets_criterion": np.full(size, int(solved)),
    }


def _joined(parts: list[Columns]) -> Columns:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
