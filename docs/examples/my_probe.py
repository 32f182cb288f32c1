from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.probes import Probe


@dataclass(frozen=True)
class Dimension(Probe):
    """In how many directions the hidden state varies over sequences: (sum of lambda)^2 / sum of lambda^2 of its covariance."""

    name, columns = "dimension", {"t": "BIGINT", "variable": "VARCHAR", "dimension": "DOUBLE"}
    every: int = option(5, "steps between two that are measured", ge=1)

    def measure(self, subject):
        states = subject.states(subject.sequences(self.samples))  # by name, [time, runs, samples, units]
        return [self.table({name: h[:: self.every, run] for name, h in states.items()}) for run in range(len(subject.seeds))]

    def table(self, states):
        steps = range(0, self.every * len(next(iter(states.values()))), self.every)
        centred = [h - h.mean(1, keepdim=True) for h in states.values()]
        eigenvalues = torch.cat([torch.linalg.svdvals(h) ** 2 for h in centred])
        dimension = eigenvalues.sum(1) ** 2 / (eigenvalues**2).sum(1)
        names = [name for name in states for _ in steps]
        return {"t": [*steps] * len(states), "variable": names, "dimension": dimension}

    def scalars(self, tables):
        return {"dimension_mean": float(tables["dimension"]["dimension"].mean())}
