"""The parameters of runs, cell and readout: as they begin, and as the rows that a pack keeps them in."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from lrd.cells import Parameters, readout_parameters
from lrd.shapes import Float, Tensor
from lrd.spec import RunSpec


def split_theta(theta: Float[Tensor, "runs parameters"], shapes: Mapping[str, tuple[int, ...]]) -> Parameters:
    """Each parameter by name, [runs, *shape]: views of ``theta``."""
    parts = torch.split(theta, [math.prod(shape) for shape in shapes.values()], dim=1)
    return {name: part.view(len(theta), *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def initial_parameters(spec: RunSpec) -> Parameters:
    """Cell and readout of one run, drawn on the CPU so that they are the same on every device."""
    generator = torch.Generator().manual_seed(spec.seed)
    cell = spec.cell.parameters(spec.task.input_size, generator)
    return cell | readout_parameters(spec.cell, spec.task.output_size, generator, spec.task.input_size)
