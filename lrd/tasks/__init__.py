"""What must be remembered: one file a task."""

from lrd.tasks.adding import Adding
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.copy import Copy
from lrd.tasks.delay import Delay
from lrd.tasks.items import Item
from lrd.tasks.latch import Latch
from lrd.tasks.memorisation import Memorisation
from lrd.tasks.memory_capacity import ScalarMemory
from lrd.tasks.permutation import Permutation
from lrd.tasks.selective_copy import SelectiveCopy
from lrd.tasks.streams import SPLITS, Stream
from lrd.tasks.variable_copy import VariableCopy

_KINDS: tuple[type[Task], ...] = (
    Copy,
    Adding,
    Delay,
    VariableCopy,
    SelectiveCopy,
    Memorisation,
    Permutation,
    Latch,
    ScalarMemory,
)
TASKS: dict[str, type[Task]] = {task.name: task for task in _KINDS}

__all__ = [
    "SPLITS",
    "TASKS",
    "Adding",
    "Batch",
    "Copy",
    "Delay",
    "Item",
    "Latch",
    "Memorisation",
    "Permutation",
    "ScalarMemory",
    "SelectiveCopy",
    "Stream",
    "Task",
    "VariableCopy",
    "over_steps_and_batch",
]
