"""Gates along the gap: how they are distributed at each step, and what the forget gates keep.

A cell says what its gates are (``Cell.gates``) and which of them multiplies which state variable (``Cell.keeps``).
The product of a variable's forget gates is how much of it would arrive if nothing but the gate acted: the gradient
dL/dc_t exactly where recurrent weights are 0, and not where they feed the state back into the gates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch.func import vmap

from lrd.cells import Cell, Parameters
from lrd.kernels.layers import in_reading_order
from lrd.probes.base import Probe, Subject
from lrd.probes.states import along, every_lag, one_by_one
from lrd.scalars import DTYPES, Columns
from lrd.shapes import Float, Int, Tensor

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True)
class Gates(Probe):
    """Values of gates at each step and products of forget gates along the gap: a row a (quantity, gate, step).

    Statistics are over all samples and units. A cell without gates has no rows.

    ``quantity``: ``gate`` (the value), ``since_store`` (log10 of the product over the steps after the store up to t, 0
    at the store, which is the latest step that shows one of the task's items in that sample) or ``to_answer`` (log10 of
    the product over the steps after t up to the last answer, 0 at the answer: what dL/dc_t over dL/dc_answer is set
    beside). The mean of a product is thus log10 of its geometric mean. Quantiles are by nearest rank.
    ``variable``: what the gate multiplies, or empty. ``t`` and ``lag`` are those of gradient flow: samples of different
    length are aligned at their last answer. A step that a sample does not have, or that lies before its store, is left
    out.

    Each layer has gates of its own, along what it reads. A cell that reads backward has the quantity ``gate`` alone,
    since what it stores goes away from the answer. In a bidirectional network the rows of ``gate`` go on after the
    answer, to the last step.
    """

    name: ClassVar[str] = "gates"
    columns: ClassVar[dict[str, str]] = {
        "quantity": "VARCHAR",
        "gate": "VARCHAR",
        "variable": "VARCHAR",
        "t": "BIGINT",
        "lag": "BIGINT",
        "mean": "DOUBLE",
        **dict.fromkeys(QUANTILES, "DOUBLE"),
    }

    def measure(self, subject: Subject) -> list[Columns]:
        return [self._table(run) for run in one_by_one(subject)]

    def _table(self, subject: Subject) -> Columns:
        task, cell, batch = subject.task, subject.cell, subject.sequences(self.samples)
        last = task.answer_steps(batch, -1)
        stored = torch.stack([item.steps for item in task.shown(batch)]).amax(0)
        lags = every_lag(subject, batch)
        to_answer = lags[lags >= 0]
        variables = {gate: variable for variable, gate in cell.keeps.items()}
        tables = []
        for gate, read in gates_along(cell, subject.parameters(), subject.driven(batch.inputs)).items():
            values = in_reading_order(subject.part, read)
            quantities = {"gate": (values, lags)}
            if gate in variables and not subject.part.is_backward:
                since, until = forget_products(values, stored, last)
                quantities |= {"since_store": (since, to_answer), "to_answer": (until, to_answer)}
            for quantity, (of_gate, at) in quantities.items():
                labels = {"quantity": quantity, "gate": gate, "variable": variables.get(gate, "")}
                tables.append(_rows(labels, _by_lag(of_gate, last, at), at.cpu().numpy()))
        empty = {name: np.empty(0, dtype=DTYPES[kind]) for name, kind in self.columns.items()}
        return {name: np.concatenate([table[name] for table in tables]) for name in self.columns} if tables else empty


@torch.no_grad()
def gates_along(
    cell: Cell, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"]
) -> dict[str, Float[Tensor, "time runs batch _"]]:
    """Return every gate of a cell at every step of what it reads, by name; in the precision of ``inputs``."""
    if type(cell).gates is Cell.gates:
        return {}
    time, runs, batch = inputs.shape[:3]

    def fold(values: Tensor) -> Tensor:  # a sample a step: gates need the states alone, and those are known
        return values.transpose(0, 1).reshape(runs, time * batch, -1)

    after = along(cell, params, inputs)
    before = tuple(fold(torch.cat([torch.zeros_like(s[:1]), s[:-1]])) for s in after.values())
    of_samples = vmap(cell.gates, in_dims=(None, 0, 0))
    gates = vmap(of_samples, in_dims=(0, 0, 0))(params, fold(inputs), before)
    return {name: values.view(runs, time, batch, -1).transpose(0, 1) for name, values in gates.items()}


def forget_products(
    forget: Float[Tensor, "time runs batch units"], stored: Int[Tensor, "runs batch"], last: Int[Tensor, "runs batch"]
) -> tuple[Float[Tensor, "time runs batch units"], Float[Tensor, "time runs batch units"]]:
    """Return log10 of the products of a forget gate since the store, and until the answer.

    Args:
        forget: the gate at every step.
        stored: the step of the store in each sample.
        last: the step of the answer.

    Returns:
        The products over the steps stored+1 to t (nan before the store) and t+1 to last (0 from there on).
    """
    log10 = forget.abs().log10()
    t = torch.arange(len(forget), device=forget.device)[:, None, None]
    after_store, until_answer = (where[..., None] for where in (t > stored, t <= last))
    since = torch.where(after_store, log10, 0.0).cumsum(0)
    since = torch.where((t < stored)[..., None], torch.nan, since)
    # From the answer backwards, rather than as a difference of sums: a gate of exactly 0 has no difference.
    later = torch.where(until_answer, log10, 0.0)[1:].flip(0).cumsum(0).flip(0)
    return since, torch.cat([later, torch.zeros_like(forget[:1])])


def _by_lag(
    values: Float[Tensor, "time runs batch units"], last: Int[Tensor, "runs batch"], lags: Int[Tensor, "lags"]
) -> Float[Tensor, "lags runs batch units"]:
    """Return the rows by lag behind each sample's own last answer, nan before its first step."""
    t = (last - lags[:, None, None])[..., None]
    return torch.where(t >= 0, values.gather(0, t.clamp(min=0).expand(-1, -1, -1, values.shape[-1])), torch.nan)


def _rows(labels: dict[str, str], values: Float[Tensor, "lags 1 batch units"], lags: np.ndarray) -> Columns:
    """Return the statistics of each step that any sample has."""
    ordered = np.sort(values.flatten(1).cpu().numpy(), axis=-1)  # nan last
    count = (~np.isnan(ordered)).sum(-1)
    there = count > 0
    ordered, count, size = ordered[there], count[there], int(there.sum())
    columns: Columns = {name: np.full(size, label, dtype=object) for name, label in labels.items()}
    columns |= {"t": lags.max() - lags[there], "lag": lags[there], "mean": np.nansum(ordered, axis=-1) / count}
    for name, q in QUANTILES.items():
        rank = np.ceil(q * count).astype(int) - 1
        columns[name] = ordered[np.arange(size), np.maximum(rank, 0)]
    return columns
