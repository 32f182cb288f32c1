"""Probes: measurements of a pack that do not change it. One file a probe, and the protocol (``base``)."""

from lrd.probes.base import Probe, Subject
from lrd.probes.closing import Closing
from lrd.probes.gates import Gates
from lrd.probes.gradient_flow import GradientFlow
from lrd.probes.jacobian import Jacobian
from lrd.probes.lyapunov import Lyapunov
from lrd.probes.memory_capacity import MemoryCapacity
from lrd.probes.parameter_gradient import ParameterGradient
from lrd.probes.retention import Retention
from lrd.probes.schedule import log_spaced
from lrd.probes.text_units import TextUnits
from lrd.scalars import Columns

_KINDS: tuple[type[Probe], ...] = (
    GradientFlow,
    ParameterGradient,
    Jacobian,
    Lyapunov,
    Gates,
    Retention,
    MemoryCapacity,
    Closing,
    TextUnits,
)
#: Every probe by its name in ``conf/probe/``.
PROBES: dict[str, type[Probe]] = {kind.name: kind for kind in _KINDS}

__all__ = [
    "PROBES",
    "Closing",
    "Columns",
    "Gates",
    "GradientFlow",
    "Jacobian",
    "Lyapunov",
    "MemoryCapacity",
    "ParameterGradient",
    "Probe",
    "Retention",
    "Subject",
    "TextUnits",
    "log_spaced",
]
