from dataclasses import dataclass
from math import log
from torch.nn.functional import one_hot
from lrd.options import option
from lrd.tasks import Batch, Task, over_steps_and_batch


@dataclass(frozen=True)
class First(Task):
    """Which of four symbols came first? Asked when ``gap`` further ones have gone by."""

    name, classification, criterion = "first", True, "accuracy >= 0.99 (our own)"
    input_size = output_size = 4
    answers = 1
    gap: int = option(20, "steps between the symbol and the answer", ge=1)

    sequence_length = property(lambda self: self.gap + 1)
    smallest_lag = largest_lag = property(lambda self: self.gap)
    loss_steps = property(lambda self: range(self.gap, self.gap + 1))

    def draw(self, stream, batch_size):
        symbols = stream.integers(4, self.sequence_length, batch_size).transpose(0, 1)  # [time, runs, batch]
        return Batch(one_hot(symbols, 4).float(), symbols[:1].contiguous())

    def metrics(self, outputs, batch):
        right = (outputs.argmax(-1) == batch.targets).float()
        return {"loss": self.loss(outputs, batch), "accuracy": over_steps_and_batch(right)}

    def chance(self):
        return {"loss": log(4), "accuracy": 1 / 4}

    def solved(self, metrics):
        return metrics["accuracy"] >= 0.99
