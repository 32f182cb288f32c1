"""Tasks, one file each: what must be remembered, with the level of chance in closed form."""

from lrd.tasks.adding import Adding
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.continual_reber import ContinualReber
from lrd.tasks.copy import Copy
from lrd.tasks.counting import Counting
from lrd.tasks.delay import Delay
from lrd.tasks.digits import Digits
from lrd.tasks.items import Item
from lrd.tasks.latch import Latch
from lrd.tasks.long_lag import LongLag
from lrd.tasks.memorisation import Memorisation
from lrd.tasks.memory_capacity import ScalarMemory
from lrd.tasks.multiplication import Multiplication
from lrd.tasks.permutation import Permutation
from lrd.tasks.reber import Reber
from lrd.tasks.selective_copy import SelectiveCopy
from lrd.tasks.spike_delays import SpikeDelays
from lrd.tasks.streams import SPLITS, Stream
from lrd.tasks.temporal_order import TemporalOrder
from lrd.tasks.text import Text
from lrd.tasks.third_spike import ThirdSpike
from lrd.tasks.two_sequence import TwoSequence
from lrd.tasks.variable_copy import VariableCopy
from lrd.tasks.warp import Warp

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
    Reber,
    ContinualReber,
    LongLag,
    TwoSequence,
    Multiplication,
    TemporalOrder,
    Warp,
    Counting,
    SpikeDelays,
    ThirdSpike,
    Digits,
    Text,
)
#: Every task by its name in ``conf/task/``.
TASKS: dict[str, type[Task]] = {task.name: task for task in _KINDS}

__all__ = [
    "SPLITS",
    "TASKS",
    "Adding",
    "Batch",
    "ContinualReber",
    "Copy",
    "Counting",
    "Delay",
    "Digits",
    "Item",
    "Latch",
    "LongLag",
    "Memorisation",
    "Multiplication",
    "Permutation",
    "Reber",
    "ScalarMemory",
    "SelectiveCopy",
    "SpikeDelays",
    "Stream",
    "Task",
    "TemporalOrder",
    "Text",
    "ThirdSpike",
    "TwoSequence",
    "VariableCopy",
    "Warp",
    "over_steps_and_batch",
]
