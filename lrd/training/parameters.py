"""The parameters of runs, cell and readout: their first values, and the rows in which a pack keeps them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from lrd.cells import Parameters, network_parameters, readout_parameters
from lrd.shapes import Float, Tensor
from lrd.spec import RunSpec


def split_theta(theta: Float[Tensor, "runs parameters"], shapes: Mapping[str, tuple[int, ...]]) -> Parameters:
    """Return each parameter by name, [runs, *shape], as a view of ``theta``.

    Args:
        theta: The parameters of each run in one row.
        shapes: The shape of each parameter of a run, in the order in which they lie in a row.
    """
    parts = torch.split(theta, [math.prod(shape) for shape in shapes.values()], dim=1)
    return {name: part.view(len(theta), *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def initial_parameters(spec: RunSpec) -> Parameters:
    """Draw the parameters of layers and readout of one run, on the CPU so that they are the same on every device."""
    generator = torch.Generator().manual_seed(spec.seed)
    layers = network_parameters(spec.cell, spec.task.input_size, generator)
    return layers | readout_parameters(spec.cell, spec.task.output_size, generator, spec.task.input_size)
