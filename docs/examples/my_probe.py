from dataclasses import dataclass
import torch
from lrd.options import option
from lrd.probes import Probe


@dataclass(frozen=True)
class Dimension(Probe):
    """Directions in which the state varies over sequences: the participation ratio of its covariance at a step,
    (sum of lambda)^2 / (sum of lambda^2), between 1 and the number of units."""

    name, columns = "dimension", {"variable": "VARCHAR", "t": "BIGINT", "dimension": "DOUBLE"}
    every: int = option(5, "steps from one that is measured to the next", ge=1)

    def measure(self, subject):
        states = subject.states(subject.sequences(self.samples))  # h (and c): [time, runs, samples, units]
        return [
            self.table({name: h[:: self.every, run] for name, h in states.items()}) for run in range(len(subject.seeds))
        ]

    def table(self, states):
        rows = {"variable": [], "t": [], "dimension": []}
        for name, h in states.items():
            eigenvalues = torch.linalg.svdvals(h - h.mean(1, keepdim=True)) ** 2
            rows["variable"] += [name] * len(h)
            rows["t"] += range(0, self.every * len(h), self.every)
            rows["dimension"] += (eigenvalues.sum(1) ** 2 / (eigenvalues**2).sum(1)).tolist()
        return rows

    def scalars(self, tables):
        return {"dimension_mean": float(tables["dimension"]["dimension"].mean())}
