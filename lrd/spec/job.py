"""Jobs: a run with its place and its mirror, typed and checked, from a composed configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch

from lrd.options import OptionError, nearest
from lrd.spec.build import build, build_named
from lrd.spec.error import SpecError
from lrd.spec.kinds import build_kind
from lrd.spec.optimizers import OPTIMIZERS
from lrd.spec.place import Place, TrackerOptions
from lrd.spec.probes import build_probes, key_of
from lrd.spec.run import RunSpec, Seed
from lrd.spec.training import Training


@dataclass(frozen=True)
class Job:
    """One composed configuration: a run, the place where it is computed and kept, and the mirror of its record."""

    run: RunSpec
    place: Place
    tracker: TrackerOptions

    def torch_device(self) -> torch.device:
        """Return the device that trains the run.

        Raises:
            SpecError: this machine has no such device, or the device cannot train the run.
        """
        device = self.place.torch_device()
        try:
            self.run.training.check_device(device)
        except OptionError as error:
            raise SpecError(f"training.{error.key}: {error.message}") from error
        return device


def run_from_dict(spec: Mapping[str, Any], sources: Mapping[str, str]) -> RunSpec:
    """Return the run that a record describes.

    Args:
        spec: what ``RunSpec.to_dict`` gave.
        sources: what ``RunSpec.sources`` gave.

    Raises:
        SpecError: these options make no run, or a class cannot be made from its text.
    """
    return job_from_config(spec, sources).run


def job_from_config(config: Mapping[str, Any], sources: Mapping[str, str] = MappingProxyType({})) -> Job:
    """Return the job that a configuration describes.

    Args:
        config: plain values, nested by group, as Hydra composes them.
        sources: texts of classes out of files, by ``task``, ``cell`` or ``probe.NAME``; what is missing is read from
            the file as it is now.

    Raises:
        SpecError: every option that is wrong, one line each.
    """
    errors: list[str] = []
    top = {field.name for field in dataclasses.fields(Place)} | {"seed"}
    groups = {"task", "cell", "optimizer", "training", "probe", "tracker"}
    for key in sorted(set(config) - top - groups):
        errors.append(f"{key}: there is no such option{nearest(key, top | groups | {'hypotheses'})}")

    task = build_kind("task", config, sources, errors)
    cell = build_kind("cell", config, sources, errors)
    optimizer = build_named(OPTIMIZERS, "optimizer", config, errors)
    training = build(Training, "training", config.get("training", {}), errors)
    probes = build_probes(config.get("probe"), sources, errors)
    tracker = build(TrackerOptions, "tracker", config.get("tracker", {}), errors)
    place = build(Place, "", {k: v for k, v in config.items() if k in top - {"seed"}}, errors)
    seed = build(Seed, "", {k: v for k, v in config.items() if k == "seed"}, errors)
    if cell is not None and training is not None:
        try:
            training.check(cell)
        except OptionError as error:
            errors.append(f"training.{error.key}: {error.message}")
    if task is not None and cell is not None:
        if cell.bidirectional and task.predicts_inputs:
            errors.append(f"cell.bidirectional: must be false for task={task.name}, whose answers are its next inputs")
        cell = cell.for_length(task.sequence_length)
    for probe in probes:
        try:
            if task is not None:
                probe.check(task)
            if task is not None and cell is not None:
                probe.check_cell(cell)
        except OptionError as error:
            errors.append(f"probe.{key_of(probe)}.{error.key}: {error.message}")
    if errors:
        raise SpecError("\n".join(errors))
    return Job(RunSpec(task, cell, optimizer, training, tuple(probes), seed.seed), place, tracker)
