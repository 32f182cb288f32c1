"""The files of a group that a command line chooses: one, but of probes; ``glob(*)`` means every file by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Glob, Override
from omegaconf import DictConfig

from lrd.options import several_are_swept

_ONE_OF = ("task", "cell", "optimizer", "training", "evaluation", "tracker")
#: Stands for a class of the user's and needs its path, which no pattern can give: only its own name means it.
_CUSTOM = "custom"


def check_choices(config: DictConfig, choices: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` where several files of a group were chosen, which Hydra would mix into one.

    ``config`` is a composed configuration, ``choices`` what Hydra notes of the files that it is made of.
    """
    for group in _ONE_OF:
        if group in config and group not in choices:  # where Hydra notes single choices alone
            raise ValueError(_one_name(group, ("NAME", "NAME")))


def _one_name(group: str, names: Iterable[object]) -> str:
    return f"{group}: takes one name; {several_are_swept(group, names)}"


def settle(override: Override, names: Callable[[str], list[str]]) -> None:
    """Make the patterns of a sweep's override mean what is there, in place.

    Args:
        override: one of a sweep's overrides.
        names: gives the names of a group's files.

    Raises:
        ValueError: the override gives no value, or several files of a group for one run.
    """
    value: Any = override.value()
    if isinstance(value, ChoiceSweep):
        found = [_named(item, override.key_or_group, names) for item in value.list]
        value.list = [item for items in found for item in items]
    elif isinstance(value, Glob):
        _leave_out_custom(value)
    for item in value.list if isinstance(value, ChoiceSweep) else [value]:
        if isinstance(item, list) and override.key_or_group in _ONE_OF:
            raise ValueError(_one_name(override.key_or_group, item))
    if override.is_discrete_sweep() and next(override.sweep_string_iterator(), None) is None:
        raise ValueError(f"the sweep is empty: {override.input_line} gives no value")


def _named(item: Any, group: str, names: Callable[[str], list[str]]) -> list[Any]:
    """Return the names that an item of a choice means."""
    if not isinstance(item, Glob):
        return [item]
    _leave_out_custom(item)
    return item.filter(names(group))


def _leave_out_custom(glob: Glob) -> None:
    if _CUSTOM not in (*glob.include, *glob.exclude):
        glob.exclude.append(_CUSTOM)
