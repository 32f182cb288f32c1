"""A cell and a task as a researcher would write them, and ways to spoil them."""

from __future__ import annotations

CELL = """
from dataclasses import dataclass
import torch
from lrd.cells import Cell
from lrd.options import option

@dataclass(frozen=True)
class Leaky(Cell):
    name, state_names = "leaky", ("h",)
    leak: float = option(0.5, "the rate", gt=0, le=1)
    gain: float = option(1.0, "factor on W", ge=0, per_run=True)

    def parameters(self, input_size, generator):
        n = self.hidden_size
        u, w = torch.randn(n, input_size, generator=generator), torch.randn(n, n, generator=generator)
        return {"U": u / input_size**0.5, "W": self.gain * w / n**0.5}

    def step(self, p, x, state):
        (h,) = state
        return ((1 - self.leak) * h + self.leak * torch.tanh(p["U"] @ x + p["W"] @ h),)
"""

TASK = """
from dataclasses import dataclass
from math import log
import torch
from lrd.options import option
from lrd.tasks import Batch, Task, over_steps_and_batch

@dataclass(frozen=True)
class First(Task):
    name, classification, criterion = "first", True, "accuracy >= 0.99 (ours)"
    input_size = output_size = 4
    answers = 1
    gap: int = option(5, "steps", ge=1)
    sequence_length = property(lambda self: self.gap + 1)
    smallest_lag = largest_lag = property(lambda self: self.gap)
    loss_steps = property(lambda self: range(self.gap, self.gap + 1))

    def draw(self, stream, batch_size):
        symbols = stream.integers(4, self.sequence_length, batch_size).transpose(0, 1)
        return Batch(torch.nn.functional.one_hot(symbols, 4).float(), symbols[:1].contiguous())

    def metrics(self, outputs, batch):
        right = (outputs.argmax(-1) == batch.targets).float()
        return {"loss": self.loss(outputs, batch), "accuracy": over_steps_and_batch(right)}

    def chance(self):
        return {"loss": log(4), "accuracy": 0.25}

    def solved(self, metrics):
        return metrics["accuracy"] >= 0.99
"""


def spoiled(text: str, old: str, new: str) -> str:
    """The text with one thing changed that is there exactly once."""
    assert text.count(old) == 1, old
    return text.replace(old, new)


PROBE = """
from dataclasses import dataclass
import torch
from lrd.options import OptionError, option
from lrd.probes import Probe

@dataclass(frozen=True)
class Norms(Probe):
    name, columns = "my_norms", {"t": "BIGINT", "part": "VARCHAR", "norm": "DOUBLE", "large": "BOOLEAN"}
    scale: float = option(1.0, "factor", gt=0)

    def measure(self, subject):
        h = self.scale * subject.states(subject.sequences(self.samples))["h"]
        tables = []
        for run in range(len(subject.seeds)):
            norm = h[:, run].norm(dim=-1).mean(-1)
            table = {"t": range(len(norm)), "part": ["h"] * len(norm), "norm": norm, "large": norm > 1}
            tables.append(table)
        return tables
"""
