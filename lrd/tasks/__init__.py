"""What must be remembered: one file a task."""

from lrd.tasks.adding import Adding
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.copy import Copy
from lrd.tasks.delay import Delay
from lrd.tasks.items import Item
from lrd.tasks.streams import SPLITS, Stream

TASKS: dict[str, type[Task]] = {task.name: task for task in (Copy, Adding, Delay)}

__all__ = ["SPLITS", "TASKS", "Adding", "Batch", "Copy", "Delay", "Item", "Stream", "Task", "over_steps_and_batch"]
