"""The parameters of a run that was trained, from its record."""

from __future__ import annotations

from lrd.cells import Parameters
from lrd.records import RecordError, RunRecord
from lrd.spec import RunSpec
from lrd.training.parameters import initial_parameters, split_theta


def trained_parameters(record: RunRecord, spec: RunSpec) -> tuple[Parameters, int]:
    """Return the parameters of a run's last checkpoint by name, and the update at which it was written.

    Args:
        record: The record of the run.
        spec: The run.

    Raises:
        RecordError: There is no checkpoint, or it cannot be read.
    """
    checkpoint = record.load_checkpoint()
    if checkpoint is None:
        raise RecordError(f"{record.path} has no checkpoint")
    shapes = {name: tuple(value.shape) for name, value in initial_parameters(spec).items()}
    theta = split_theta(checkpoint["pack"]["theta"][None], shapes)
    return {name: value[0] for name, value in theta.items()}, int(checkpoint["pack"]["update"])
