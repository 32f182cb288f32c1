"""The probe ``jacobian``: singular values and condition number of d state_T / d state_t at chosen lags."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from lrd.cells import RNN, Cell, Parameters
from lrd.gradients.jacobian_bounds import log10_bounds
from lrd.gradients.jacobian_products import Products, jacobian_products, log10_singular_values
from lrd.gradients.schema import QUANTILES
from lrd.gradients.step_jacobians import check_state
from lrd.options import option
from lrd.probes.base import Probe, Subject
from lrd.probes.quantiles import quantiles
from lrd.scalars import WHOLE, Columns
from lrd.shapes import Float, Tensor

_GROUP_BYTES = 64 * 2**20  # runs are taken in groups whose products stay about this small


@dataclass(frozen=True)
class Jacobian(Probe):
    """Singular values of M(T, T - lag) = d state_T / d state_{T-lag}, T the step of each sample's last answer.

    Of the whole state (``block`` whole) and, where it has several variables, of the blocks: ``h->c`` is d c_T / d h_t.
    A row a (block, quantity, lag, index), quantiles over samples of log10 of

    * ``sigma``: the singular value number ``index``, 1 the largest;
    * ``condition``: the condition number, largest by smallest singular value;
    * ``bound`` and ``bound_slopes``, of the vanilla RNN alone: what bounds its largest singular value by Pascanu et al.
      (2013), with the largest derivative that f has and with the largest one met at each step
      (``lrd.gradients.jacobian_bounds``).

    Products are scaled by powers of two, so that 1e-400 is 1e-400. Singular values that float64 cannot resolve
    beside the block's largest (at most max(lag, S) * 2^-52 of it, S entries of the state) are NULL, not numbers made of
    rounding errors, and then the condition number is too; the rates of such directions are what the probe ``lyapunov``
    resolves. They count as small (for the condition number as large) in the quantiles, and ``unresolved`` is their
    share among the ``samples`` that have such a step and finite states. -inf is exactly 0.

    Each layer has a state and products of its own, along what it reads: the diagonal blocks of the product of the
    Jacobians of all layers, which is block triangular since no layer reads those above it. A cell that reads backward
    has them along its own way: T is step 0, the last one that it reads, and lags count the steps that it read before.
    """

    name: ClassVar[str] = "jacobian"
    columns: ClassVar[dict[str, str]] = {
        "block": "VARCHAR",
        "quantity": "VARCHAR",
        "lag": "BIGINT",
        "index": "BIGINT",
        **dict.fromkeys(QUANTILES, "DOUBLE"),
        "unresolved": "DOUBLE",
        "samples": "BIGINT",
    }

    # A measurement costs some tens of updates: by default not during training.
    per_decade: int = option(0, "moments per decade of updates, besides the first and the last; 0: only those", ge=0)
    samples: int = option(8, "sequences of the probe batch", ge=1)
    lags: int = option(6, "how many lags, log-spaced from 1 to the task's largest", ge=1)
    values: int = option(8, "how many singular values of each block, the largest ones", ge=1)

    def check_cell(self, cell: Cell) -> None:
        check_state(cell, "values")

    def measure(self, subject: Subject) -> list[Columns]:
        batch, params = subject.sequences(self.samples), subject.parameters()
        last, inputs = subject.task.answer_steps(batch, -1), subject.driven(batch.inputs)
        if subject.part.is_backward:
            last = torch.full_like(last, len(inputs) - 1)
        lags = log_spaced_lags(subject.task.largest_lag, self.lags)
        per_run = 8 * self.samples * sum(subject.cell.measured_sizes) ** 2 * (len(lags) + 4)
        tables: list[Columns] = []
        for group in torch.split(torch.arange(len(last)), max(1, _GROUP_BYTES // per_run)):
            mine = {name: value[group] for name, value in params.items()}
            products = jacobian_products(subject.cell, mine, inputs[:, group], last[group], lags)
            rows = self._rows(subject.cell, mine, products)
            tables += [_table(rows, products, run) for run in range(len(group))]
        return tables

    def _rows(self, cell: Cell, params: Parameters, products: Products) -> dict[tuple[str, str], Tensor]:
        """Return numbers [lags, runs, batch, indices] for each (block, quantity)."""
        rows: dict[tuple[str, str], Tensor] = {}
        for block, sigma in log10_singular_values(cell, products).items():
            condition = torch.where(sigma[..., :1].isposinf(), torch.inf, sigma[..., :1] - sigma[..., -1:])
            rows |= {(block, "sigma"): sigma[..., : self.values], (block, "condition"): condition}
        if isinstance(cell, RNN) and products.slopes is not None:
            bounds = log10_bounds(cell, params["W"], products.lags, products.slopes)
            rows |= {(WHOLE, name): bound[..., None] for name, bound in bounds.items()}
        return rows


def log_spaced_lags(largest: int, number: int) -> list[int]:
    """Return about ``number`` lags from 1 to ``largest``, evenly spaced in the logarithm as whole numbers allow."""
    return sorted({int(lag) for lag in np.geomspace(max(1, largest), 1, number).round()})


def _table(
    rows: dict[tuple[str, str], Float[Tensor, "lags runs batch indices"]], products: Products, run: int
) -> Columns:
    """Return the table of one run, without the lags that none of its samples has."""
    parts: list[Columns] = []
    finite = products.matrix[:, run].isfinite().all(-1).all(-1)
    there = products.present[:, run] & finite
    lags = np.array(products.lags)
    for (block, quantity), values in rows.items():
        v = values[:, run].transpose(1, 2)  # [lags, indices, batch]
        unresolved = math.inf if quantity == "condition" else -math.inf
        numbers = quantiles(v, there[:, None].expand_as(v), unresolved)
        some = numbers["samples"].flatten() > 0
        indices = np.tile(np.arange(1, v.shape[1] + 1), len(lags))
        labels = {"block": block, "quantity": quantity, "lag": np.repeat(lags, v.shape[1]), "index": indices}
        made = {name: column.flatten()[some].cpu().numpy() for name, column in numbers.items()}
        kept = some.cpu().numpy()
        parts.append(
            {
                name: label[kept] if isinstance(label, np.ndarray) else np.full(kept.sum(), label, dtype=object)
                for name, label in labels.items()
            }
            | made
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
