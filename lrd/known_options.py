"""Every option that a command line can set, by its dotted name: ``task.gap``, ``training.batch_size``, ``seed``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

GROUPS = ("task", "cell", "optimizer", "training", "evaluation", "probe", "tracker")
#: Where the options of a class in a researcher's file stand, by the group of its kind.
CUSTOM = {"cell": "cell", "task": "task", "probe": "probe.custom"}
#: Groups that can be left out: ``~tracker`` is ``tracker=none``.
MAY_BE_NONE = ("probe", "tracker")


def known_keys() -> set[str]:
    """Return the dotted name of every option, ``task.gap``, ``seed``, ..., and of the groups themselves."""
    paths = {f"{place}.path" for place in CUSTOM.values()}
    return {"seed", "experiment", "probe", *paths, *option_classes(), *(key for key, _ in _fields())}


def takes_text(key: str) -> bool:
    """Return whether an option may hold a text. Unknown ones, such as those of a custom cell, may."""
    types = [str(field.type) for known, field in _fields() if known == key]
    return key != "seed" and (not types or any("str" in kind for kind in types))


def takes_list(key: str) -> bool:
    """Return whether an option holds a list."""
    return any(str(field.type).startswith("tuple") for known, field in _fields() if known == key)


def _fields() -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    """Yield the dotted name of every option and its dataclass field."""
    from lrd import spec

    place: list[type[Any]] = [spec.Place]
    for group, members in {"": place, **option_classes()}.items():
        for kind in members:
            yield from ((f"{group}.{field.name}".lstrip("."), field) for field in dataclasses.fields(kind))


def option_classes() -> dict[str, list[type[Any]]]:
    """Return, for each group, the dataclasses whose fields are its options."""
    from lrd import spec
    from lrd.probes import Probe

    return {
        "task": [*spec.kinds_of("task").values()],
        "cell": [*spec.kinds_of("cell").values()],
        "optimizer": [*spec.OPTIMIZERS.values()],
        "training": [spec.Training],
        "evaluation": [spec.Evaluation],
        **{f"probe.{name}": [kind] for name, kind in spec.kinds_of("probe").items()},
        "probe.custom": [Probe],
        "tracker": [spec.TrackerOptions],
    }
