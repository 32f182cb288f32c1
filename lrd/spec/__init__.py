"""What a run is: typed, validated, frozen, hashed.

A configuration (nested plain dicts, as Hydra composes them) becomes a ``Job``: the ``RunSpec`` that decides every
number a run produces, and the ``Place`` where it is computed and kept. The run id is the hash of the ``RunSpec``.
"""

from lrd.spec.build import named_options
from lrd.spec.error import SpecError
from lrd.spec.evaluation import Evaluation, flow_probe
from lrd.spec.job import Job, job_from_config, run_from_dict
from lrd.spec.kinds import kinds_of
from lrd.spec.optimizers import CLIPS, OPTIMIZERS, SGD, Adam, AdamW, Optimizer, RMSprop, RMSpropURNN
from lrd.spec.place import Place, TrackerOptions
from lrd.spec.probes import probes_from_config
from lrd.spec.run import RunSpec, Seed
from lrd.spec.training import Training

__all__ = [
    "CLIPS",
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "AdamW",
    "Evaluation",
    "Job",
    "Optimizer",
    "Place",
    "RMSprop",
    "RMSpropURNN",
    "RunSpec",
    "Seed",
    "SpecError",
    "TrackerOptions",
    "Training",
    "flow_probe",
    "job_from_config",
    "kinds_of",
    "named_options",
    "probes_from_config",
    "run_from_dict",
]
