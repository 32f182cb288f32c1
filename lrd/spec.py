"""What a run is: typed, validated, frozen, hashed.

A configuration (nested plain dicts, as Hydra composes them) becomes a ``Job``: the ``RunSpec`` that decides every
number a run produces, and the ``Place`` where it is computed and kept. The run id is the hash of the ``RunSpec``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import pydantic
import torch

from lrd.cells import CELLS, Cell
from lrd.options import OptionError, check_options, nearest, not_a_choice, option, wrong_options
from lrd.probes import PROBES, Probe
from lrd.tasks import TASKS, Task
from lrd.tasks.streams import MAX_STEP

CLIPS = ("none", "norm", "value")


class SpecError(ValueError):
    """A configuration that is no run. ``str`` is one line a wrong option, each naming key, rule and way out."""


@dataclass(frozen=True)
class Optimizer:
    """Options that every optimiser has."""

    name: ClassVar[str]

    lr: float = option(1e-3, "learning rate", gt=0, per_run=True)
    clip: str = option("norm", "gradient clipping: by the norm over all parameters, by value, or none", choices=CLIPS)
    clip_threshold: float = option(1.0, "largest norm or value that passes", gt=0, per_run=True)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class SGD(Optimizer):
    """Stochastic gradient descent with momentum."""

    name: ClassVar[str] = "sgd"

    momentum: float = option(0.0, "momentum", ge=0, lt=1, per_run=True)
    nesterov: bool = option(False, "Nesterov's momentum (Sutskever et al. 2013)")


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """As in torch."""

    name: ClassVar[str] = "rmsprop"

    decay: float = option(0.9, "decay of the mean squared gradient", ge=0, lt=1, per_run=True)
    eps: float = option(1e-8, "added to the root mean squared gradient", gt=0, per_run=True)


@dataclass(frozen=True)
class RMSpropURNN(Optimizer):
    """As in the code of Arjovsky, Shah & Bengio (2016)."""

    name: ClassVar[str] = "rmsprop_urnn"

    decay: float = option(0.9, "decay of the mean squared gradient, which starts at 1e-3", ge=0, lt=1, per_run=True)


@dataclass(frozen=True)
class Adam(Optimizer):
    """Kingma & Ba (2015)."""

    name: ClassVar[str] = "adam"

    beta1: float = option(0.9, "decay of the mean gradient", ge=0, lt=1, per_run=True)
    beta2: float = option(0.999, "decay of the mean squared gradient", ge=0, lt=1, per_run=True)
    eps: float = option(1e-8, "added to the root mean squared gradient", gt=0, per_run=True)


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in (SGD, RMSprop, RMSpropURNN, Adam)}


@dataclass(frozen=True)
class Training:
    """How long and on how much."""

    batch_size: int = option(32, "sequences an update", ge=1)
    max_updates: int = option(2000, "updates after which a run ends unsolved", ge=1, lt=MAX_STEP)
    truncate: int | None = option(None, "steps after which the gradient is cut; null: full backpropagation", ge=1)
    eval_every: int = option(100, "updates between evaluations, and between rows of metrics", ge=1)
    eval_samples: int = option(512, "fresh sequences of the evaluation set, the same at each evaluation", ge=1)
    test_samples: int = option(2048, "fresh sequences of the test set, used once at the end", ge=1)
    solved_evals: int = option(3, "evaluations in a row that must meet the criterion for a run to be solved", ge=1)
    stop_when_solved: bool = option(True, "end a run as soon as it is solved")

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Seed:
    """The name of a run's random numbers."""

    seed: int = option(0, "names the run's data and initial weights", ge=0, lt=2**31)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class RunSpec:
    """Everything that decides what a run computes."""

    task: Task
    cell: Cell
    optimizer: Optimizer
    training: Training
    probes: tuple[Probe, ...]
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """The resolved configuration as nested plain values; ``name`` says which task, cell and optimiser."""
        return {
            "task": _named(self.task),
            "cell": _named(self.cell),
            "optimizer": _named(self.optimizer),
            "training": dataclasses.asdict(self.training),
            "probe": {probe.name: dataclasses.asdict(probe) for probe in self.probes},
            "seed": self.seed,
        }

    @cached_property
    def run_id(self) -> str:
        """``lstm-copy-T100-s3-<hash>``: the hash tells runs apart, the rest is for the eye."""
        identity = self._fields_with("identity") | {"seed": self.seed}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]
        return f"{self.cell.name}-{self.task.name}-T{self.task.gap}-s{self.seed}-{digest}"

    @cached_property
    def pack_key(self) -> str:
        """Equal for runs that can train in one pack."""
        return json.dumps(self._fields_with("per_run", False), sort_keys=True)

    def _fields_with(self, mark: str, value: bool = True) -> dict[str, Any]:
        """The options of all groups whose metadata has ``mark`` at ``value``."""
        groups = {group: _chosen(getattr(self, group), mark, value) for group in _GROUPS}
        return groups | {"probe": [_chosen(probe, mark, value) for probe in self.probes]}


@dataclass(frozen=True)
class Tracker:
    """The mirror of records that one can watch."""

    name: str = option("wandb", "where metrics are mirrored", choices=("wandb", "none"))
    mode: str = option("offline", "wandb's mode", choices=("online", "offline", "disabled"))
    project: str = option("lrd", "wandb's project")
    entity: str | None = option(None, "wandb's entity; null: the user's default")

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Place:
    """Where runs are computed and kept: nothing here changes a result."""

    study: str = option("scratch", "folder of the study below runs_dir, and wandb's group")
    runs_dir: str = option("runs", "folder of all studies")
    device: str = option("auto", "auto, cpu, cuda or cuda:0, cuda:1, ...")
    checkpoint_seconds: float = option(60.0, "seconds between checkpoints", gt=0)

    def __post_init__(self) -> None:
        check_options(self)
        if not self.study or self.study.startswith(".") or "/" in self.study:
            raise OptionError("study", f"must be a plain folder name, got {self.study!r}")

    def torch_device(self) -> torch.device:
        """The device that ``device`` means here. Raises ``SpecError`` where this machine has none such."""
        name = self.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "cpu"
        if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
            raise SpecError(f"device: must be auto, cpu, cuda or cuda:N, got {name!r}")
        device = torch.device(name)
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise SpecError(f"device: this machine has {torch.cuda.device_count()} CUDA GPUs, got {name!r}; use cpu")
        return device

    @property
    def folder(self) -> Path:
        """Where this study's records lie."""
        return Path(self.runs_dir) / self.study


@dataclass(frozen=True)
class Job:
    """A run, its place and its mirror: one composed configuration."""

    run: RunSpec
    place: Place
    tracker: Tracker


def job_from_config(config: Mapping[str, Any]) -> Job:
    """A typed job from nested plain values. Raises ``SpecError`` naming every option that is wrong."""
    errors: list[str] = []
    top = {field.name for field in dataclasses.fields(Place)} | {"seed"}
    groups = {"task", "cell", "optimizer", "training", "probe", "tracker"}
    for key in sorted(set(config) - top - groups):
        errors.append(f"{key}: there is no such option{nearest(key, top | groups)}")

    task = _build_named(TASKS, "task", config, errors)
    cell = _build_named(CELLS, "cell", config, errors)
    optimizer = _build_named(OPTIMIZERS, "optimizer", config, errors)
    training = _build(Training, "training", config.get("training", {}), errors)
    probes = _build_probes(config.get("probe"), errors)
    tracker = _build(Tracker, "tracker", config.get("tracker", {}), errors)
    place = _build(Place, "", {k: v for k, v in config.items() if k in top - {"seed"}}, errors)
    seed = _build(Seed, "", {k: v for k, v in config.items() if k == "seed"}, errors)
    for probe in probes:
        try:
            if task is not None:
                probe.check(task)
        except OptionError as error:
            errors.append(f"probe.{probe.name}.{error.key}: {error.message}")
    if errors:
        raise SpecError("\n".join(errors))
    cell = cell.for_length(task.sequence_length)
    return Job(RunSpec(task, cell, optimizer, training, tuple(probes), seed.seed), place, tracker)


def named_options(kinds: Mapping[str, type[Any]], group: str, options: Mapping[str, Any]) -> Any:
    """An options object of one of several kinds, chosen by ``options["name"]``. Raises ``SpecError`` for what is wrong.

    ``group`` is what stands before an option's name in a message (``hydra.launcher``).
    """
    errors: list[str] = []
    made = _build_named(kinds, group, {group: options}, errors)
    if errors:
        raise SpecError("\n".join(errors))
    return made


def probes_from_config(config: Any) -> list[Probe]:
    """Typed probes from their options by name. Raises ``SpecError`` for what is wrong."""
    errors: list[str] = []
    probes = _build_probes(config, errors)
    if errors:
        raise SpecError("\n".join(errors))
    return probes


_GROUPS = ("task", "cell", "optimizer", "training")


def _chosen(options: Any, mark: str, value: bool) -> dict[str, Any]:
    """The options whose metadata has ``mark`` at ``value``, with the name of their kind."""
    keys = _marked(type(options), mark, value)  # type: ignore[arg-type]
    chosen = {key: getattr(options, key) for key in keys}
    name = getattr(options, "name", None)
    return chosen if name is None else {"name": name} | chosen


@cache
def _marked(kind: Callable[..., Any], mark: str, value: bool) -> tuple[str, ...]:
    """Names of the options of a kind whose metadata has ``mark`` at ``value``."""
    return tuple(field.name for field in dataclasses.fields(kind) if field.metadata[mark] == value)  # type: ignore[arg-type]


def _named(value: Any) -> dict[str, Any]:
    return {"name": value.name, **dataclasses.asdict(value)}


def _build_named(kinds: Mapping[str, type[Any]], group: str, config: Mapping[str, Any], errors: list[str]) -> Any:
    values = config.get(group)
    if not isinstance(values, Mapping):
        errors.append(f"{group}: must be one of {', '.join(kinds)}, got {values!r}")
        return None
    options = dict(values)
    name = options.pop("name", None)
    if not isinstance(name, str) or name not in kinds:
        errors.append(f"{group}.name: {not_a_choice(name, kinds)}")
        return None
    return _build(kinds[name], group, options, errors)


def _build_probes(chosen: Any, errors: list[str]) -> list[Probe]:
    """Probes from their options by name, in the order of ``PROBES``, so that a run's id does not depend on theirs."""
    if not isinstance(chosen, Mapping | type(None)):
        errors.append(f"probe: must hold the options of probes by their names, got {chosen!r}")
        return []
    chosen = chosen or {}
    errors += [f"probe: {not_a_choice(name, PROBES)}" for name in chosen if name not in PROBES]
    built = [_build(PROBES[name], f"probe.{name}", chosen[name] or {}, errors) for name in PROBES if name in chosen]
    return [probe for probe in built if probe is not None]


@cache
def _model(kind: Callable[..., Any]) -> type[pydantic.BaseModel]:
    # Types and unknown names are pydantic's affair, bounds the dataclass's own (lrd.options).
    hints = get_type_hints(kind)
    fields: dict[str, Any] = {f.name: (hints[f.name], f.default) for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return pydantic.create_model(kind.__name__, __config__={"extra": "forbid", "strict": True}, **fields)


def _build(kind: type[Any], group: str, options: Any, errors: list[str]) -> Any:
    """An options object from plain values, or None with what is wrong appended to ``errors``."""
    prefix = f"{group}." if group else ""
    if not isinstance(options, Mapping):
        errors.append(f"{group}: must hold options, got {options!r}")
        return None
    known = [field.name for field in dataclasses.fields(kind)]
    wrong: dict[str, str] = {}  # one message an option
    try:
        options = _model(kind).model_validate(options).model_dump()  # type: ignore[arg-type]
    except pydantic.ValidationError as error:
        for problem in error.errors():
            key = str(problem["loc"][0])
            if problem["type"] == "extra_forbidden":
                text = f"there is no such option{nearest(key, known)}; {group or 'here'} has {', '.join(known)}"
            elif key in wrong:  # none of several types
                allowed = problem["msg"].removeprefix("Input should be")
                text = f"{wrong[key].split(', got ')[0]} or{allowed}, got {problem['input']!r}"
            else:
                text = f"{problem['msg'][0].lower()}{problem['msg'][1:]}, got {problem['input']!r}"
            wrong[key] = text
    typed = {key: value for key, value in options.items() if key in known and key not in wrong}
    wrong |= {error.key: error.message for error in wrong_options(kind, typed)}
    if not wrong:
        try:
            return kind(**options)
        except OptionError as error:  # options that do not go together
            wrong[error.key] = error.message
    errors += [f"{prefix}{key}: {message}" for key, message in wrong.items()]
    return None
