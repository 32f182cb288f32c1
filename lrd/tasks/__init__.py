"""What must be remembered: one file a task."""

from lrd.tasks.adding import Adding
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.copy import Copy
from lrd.tasks.delay import Delay
from lrd.tasks.items import Item
from lrd.tasks.long_lag import LongLag
from lrd.tasks.multiplication import Multiplication
from lrd.tasks.reber import Reber
from lrd.tasks.streams import SPLITS, Stream
from lrd.tasks.temporal_order import TemporalOrder
from lrd.tasks.two_sequence import TwoSequence

TASKS: dict[str, type[Task]] = {
    task.name: task
    for task in (
        Copy,
        Adding,
        Delay,
        Reber,
        LongLag,
        TwoSequence,
        Multiplication,
        TemporalOrder,
    )
}

__all__ = [
    "SPLITS",
    "TASKS",
    "Adding",
    "Batch",
    "Copy",
    "Delay",
    "Item",
    "LongLag",
    "Multiplication",
    "Reber",
    "Stream",
    "Task",
    "TemporalOrder",
    "TwoSequence",
    "over_steps_and_batch",
]
