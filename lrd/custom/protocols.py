"""The protocol of each kind of class that a researcher can bring along."""

from __future__ import annotations

from lrd.custom.cell_protocol import CELL_PROTOCOL
from lrd.custom.probe_protocol import PROBE_PROTOCOL
from lrd.custom.protocol import Protocol
from lrd.custom.task_protocol import TASK_PROTOCOL

#: By the name of the kind's group of options.
PROTOCOLS: dict[str, Protocol] = {"cell": CELL_PROTOCOL, "task": TASK_PROTOCOL, "probe": PROBE_PROTOCOL}
