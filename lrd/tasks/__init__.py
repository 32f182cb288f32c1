"""What must be remembered: one file a task."""

from lrd.tasks.adding import Adding
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.copy import Copy
from lrd.tasks.delay import Delay
from lrd.tasks.digits import Digits
from lrd.tasks.items import Item
from lrd.tasks.streams import SPLITS, Stream
from lrd.tasks.text import Text

TASKS: dict[str, type[Task]] = {task.name: task for task in (Copy, Adding, Delay, Digits, Text)}

__all__ = [
    "SPLITS",
    "TASKS",
    "Adding",
    "Batch",
    "Copy",
    "Delay",
    "Digits",
    "Item",
    "Stream",
    "Task",
    "Text",
    "over_steps_and_batch",
]
