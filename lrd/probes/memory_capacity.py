"""Memory capacity: how many of its past inputs a cell holds (Jaeger 2001, "Short term memory in echo state networks").

The cell is driven by independent numbers u_t uniform in [-1, 1], and a linear readout is fitted to each of its past
inputs u_{t-k}. MC = sum over k of R^2_k. A state of n units spans n directions in the space of the inputs, which are
orthogonal and equally large, so that MC <= n for the best readout; for a linear cell of full rank MC = n. In-sample
estimates break this bound; these are held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from lrd.kernels.layers import in_reading_order
from lrd.options import option
from lrd.probes.base import Probe, Subject
from lrd.probes.ridge import fit_ridge, out_of_sample, standard_error, unit
from lrd.probes.states import one_by_one, unroll
from lrd.scalars import Columns
from lrd.shapes import Float, Int, Tensor
from lrd.tasks import Stream

#: Numbers of the draws, in the split of the probes, beyond those that other probes ask for.
TRAINING, TESTING = 1000, 1001


@dataclass(frozen=True)
class MemoryCapacity(Probe):
    """How well a past input u_{t-k} can be read from the state at t: a row a (state variable, k).

    The number u_t is fed to the first input, all others are 0. ``score``: held-out R^2, which may be negative;
    ``error``: its standard error over test sequences; ``capacity``: the sum of the scores from 0 to k, each at least 0,
    so that the last row has the memory capacity, with the present input (k = 0) in it, which Jaeger leaves out;
    ``capacity_error``: its standard error. nan where states overflow.

    Each layer has a capacity for the inputs of the network, which it gets through the layers below. Where a cell reads
    backward, k counts the steps that it has read since: u_{t+k}.
    """

    name: ClassVar[str] = "memory_capacity"
    columns: ClassVar[dict[str, str]] = {
        "variable": "VARCHAR",
        "k": "BIGINT",
        **dict.fromkeys(("score", "error", "capacity", "capacity_error"), "DOUBLE"),
    }

    per_decade: int = option(1, "moments per decade of updates, besides the first and the last; 0: only those", ge=0)
    samples: int = option(32, "sequences to fit on, and as many others to score on", ge=2)
    steps: int = option(100, "steps of each sequence that count, after as many as the largest k", ge=1)
    largest: int | None = option(None, "largest k; null: twice the number of units", ge=0)
    ridge: float | None = option(
        None, "ridge strength relative to the states' mean square; null: cross-validated on the fitted sequences", gt=0
    )

    def measure(self, subject: Subject) -> list[Columns]:
        return [self._table(run) for run in one_by_one(subject)]

    @torch.no_grad()
    def _table(self, subject: Subject) -> Columns:
        largest = 2 * subject.cell.hidden_size if self.largest is None else self.largest
        driven = []
        for number in (TRAINING, TESTING):
            u = signal(subject.seeds, number, largest + self.steps, self.samples)
            driven.append((drive(subject, u, largest), in_reading_order(subject.part, u)[:, 0]))
        (states, u), (test_states, test_u) = driven
        tables = []
        for variable in subject.cell.measured_names:
            size = unit(states[variable])
            table = capacity(
                states[variable] / size,
                past(u, largest),
                test_states[variable] / size,
                past(test_u, largest),
                self.ridge,
            )
            names = np.full(largest + 1, variable, dtype=object)
            tables.append({"variable": names, "k": np.arange(largest + 1)} | table)
        return {name: np.concatenate([table[name] for table in tables]) for name in self.columns}


def signal(seeds: Int[Tensor, "runs"], number: int, time: int, samples: int) -> Float[Tensor, "time runs batch"]:
    """Return independent numbers, uniform in [-1, 1)."""
    drawn = Stream(seeds, "probe", number).uniform(time, samples, dtype=torch.float64)
    return 2 * drawn.transpose(0, 1) - 1


def drive(subject: Subject, u: Float[Tensor, "time 1 batch"], first: int) -> dict[str, Float[Tensor, "steps batch _"]]:
    """Return the states of one run, by variable, with ``u`` as the first of the network's inputs.

    Args:
        subject: one run, or a part of its network.
        u: the numbers, in the order of time.
        first: how many steps are left out before the first state; states are in the order in which the part reads.
    """
    inputs = subject.driven(torch.nn.functional.pad(u[..., None], (0, subject.task.input_size - 1)))
    kept = [state for s, state in enumerate(unroll(subject.cell, subject.parameters(), inputs)) if s >= first]
    return {name: torch.stack([state[v][0] for state in kept]) for v, name in enumerate(subject.cell.state_names)}


def past(u: Float[Tensor, "time batch"], largest: int) -> Float[Tensor, "steps batch lags"]:
    """Return u_{t-k} for k = 0..largest at every step t that has them all."""
    return u.unfold(0, largest + 1, 1).flip(-1)


def capacity(
    states: Float[Tensor, "steps batch size"],
    targets: Float[Tensor, "steps batch lags"],
    test_states: Float[Tensor, "steps batch size"],
    test_targets: Float[Tensor, "steps batch lags"],
    strength: float | None = None,
) -> Columns:
    """Return the columns ``score``, ``error``, ``capacity`` and ``capacity_error``: a row for each k, from k = 0.

    Args:
        states: of the sequences that readouts are fitted to, in units of their size (``ridge.unit``).
        targets: u_{t-k} of those.
        test_states: of the sequences that readouts are scored on.
        test_targets: u_{t-k} of those.
        strength: of the ridge; None: cross-validated.
    """
    each = torch.arange(targets.shape[-1], device=targets.device)
    readout = fit_ridge(states.flatten(0, 1), targets.flatten(0, 1), each, strength)
    outputs = readout(test_states.flatten(0, 1)).view_as(test_targets)
    # Sequences are independent of each other, the steps of one are not: each sequence is one observation.
    errors = (outputs - test_targets).square().mean(0)
    score, influences = out_of_sample(errors, (readout.y_mean - test_targets).square().mean(0))
    counted = torch.where(score <= 0, 0.0, influences).cumsum(1)
    columns = {
        "score": score,
        "error": standard_error(influences),
        "capacity": torch.where(score <= 0, 0.0, score).cumsum(0),  # nan stays nan
        "capacity_error": standard_error(counted),
    }
    return {name: values.cpu().numpy() for name, values in columns.items()}
