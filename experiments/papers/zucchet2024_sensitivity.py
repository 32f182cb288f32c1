"""The probe of ``zucchet2024_sensitivity.yaml``: how much a linear unit's state depends on its recurrent weight."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lrd.cells import Cell
from lrd.options import OptionError, option
from lrd.probes import Probe
from lrd.probes.base import Subject
from lrd.scalars import Columns


@dataclass(frozen=True)
class Sensitivity(Probe):
    """One row a run: the mean of (dh_t / dw)^2 over that of h_t^2, for h_t = w h_{t-1} + x_t and white Gaussian x.

    In closed form it is (1 + w^2) / (1 - w^2)^2 (Zucchet & Orvieto 2024): the mean of h^2 is 1 / (1 - w^2), that of
    (dh / dw)^2 is (1 + w^2) / (1 - w^2)^3.
    """

    name = "sensitivity"
    columns = {"weight": "DOUBLE", "ratio": "DOUBLE"}
    samples: int = option(2000, "sequences of the probe", ge=1)
    steps: int = option(20, "memory times 1 / (1 - w) that the sequences last", ge=10)

    def check_cell(self, cell: Cell) -> None:
        if cell.hidden_size != 1 or getattr(cell, "activation", "") != "identity":
            raise OptionError("probe.custom", "sensitivity is of one linear unit: hidden_size=1, activation=identity")

    def measure(self, subject: Subject) -> list[Columns]:
        weights = subject.params["W"].flatten().tolist()
        return [self._table(w, seed) for w, seed in zip(weights, subject.seeds.tolist(), strict=True)]

    def _table(self, w: float, seed: int) -> Columns:
        noise = torch.Generator().manual_seed(seed)
        h = torch.zeros(self.samples, dtype=torch.float64)
        dh = h.clone()
        for _ in range(round(self.steps / (1 - w))):
            dh = w * dh + h
            h = w * h + torch.randn(self.samples, dtype=torch.float64, generator=noise)
        return {"weight": [w], "ratio": [float(dh.square().mean() / h.square().mean())]}
