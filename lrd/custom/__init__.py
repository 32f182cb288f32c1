"""Cells, tasks and probes of a researcher: classes in a file, or ones that installed packages register."""

from lrd.custom.cell_protocol import CELL_PROTOCOL, check_cell
from lrd.custom.probe_protocol import PROBE_PROTOCOL, check_probe
from lrd.custom.protocol import Protocol, ProtocolError
from lrd.custom.protocols import PROTOCOLS
from lrd.custom.registered import registered
from lrd.custom.sources import CustomError, Source, load, load_any, source_of
from lrd.custom.task_protocol import TASK_PROTOCOL, check_task

__all__ = [
    "CELL_PROTOCOL",
    "PROBE_PROTOCOL",
    "PROTOCOLS",
    "TASK_PROTOCOL",
    "CustomError",
    "Protocol",
    "ProtocolError",
    "Source",
    "check_cell",
    "check_probe",
    "check_task",
    "load",
    "load_any",
    "registered",
    "source_of",
]
