"""Cells and tasks that a researcher brings along: a class in a file, or one that an installed package registers."""

from lrd.custom.cell_protocol import CELL_PROTOCOL, check_cell
from lrd.custom.protocol import Protocol, ProtocolError
from lrd.custom.protocols import PROTOCOLS
from lrd.custom.registered import registered
from lrd.custom.sources import CustomError, Source, load, source_of
from lrd.custom.task_protocol import TASK_PROTOCOL, check_task

__all__ = [
    "CELL_PROTOCOL",
    "PROTOCOLS",
    "TASK_PROTOCOL",
    "CustomError",
    "Protocol",
    "ProtocolError",
    "Source",
    "check_cell",
    "check_task",
    "load",
    "registered",
    "source_of",
]
