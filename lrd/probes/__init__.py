"""What is looked at: measurements of a pack that do not change it."""

from lrd.probes.base import Columns, Probe, Subject
from lrd.probes.gates import Gates
from lrd.probes.gradient_flow import Flow, answer_numbers, gradient_flow
from lrd.probes.memory_capacity import MemoryCapacity
from lrd.probes.parameter_gradient import ParameterGradient
from lrd.probes.profile import Fit, fit, over_samples, profile_columns
from lrd.probes.retention import Retention
from lrd.probes.schedule import log_spaced

__all__ = [
    "Columns",
    "Fit",
    "Flow",
    "Gates",
    "MemoryCapacity",
    "ParameterGradient",
    "Probe",
    "Retention",
    "Subject",
    "answer_numbers",
    "fit",
    "gradient_flow",
    "log_spaced",
    "over_samples",
    "profile_columns",
]
