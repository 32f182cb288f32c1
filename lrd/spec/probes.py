"""Probes from their options by name: lrd's, those of installed packages, and one in a researcher's file."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lrd.custom import source_of
from lrd.options import not_a_choice
from lrd.probes import Probe
from lrd.spec.build import build
from lrd.spec.error import SpecError
from lrd.spec.kinds import build_own, kinds_of

CUSTOM = "custom"


def probes_from_config(config: Any) -> list[Probe]:
    """Return typed probes.

    Args:
        config: the options of each probe by its name, as ``conf/probe/`` composes them.

    Raises:
        SpecError: what is wrong, one line an option.
    """
    errors: list[str] = []
    probes = build_probes(config, MappingProxyType({}), errors)
    if errors:
        raise SpecError("\n".join(errors))
    return probes


def build_probes(chosen: Any, sources: Mapping[str, str], errors: list[str]) -> list[Probe]:
    """Return typed probes in an order of their own, so that a run's id does not depend on how they were written.

    Args:
        chosen: the options of each probe by its name. ``custom`` is a class in a file, which its option ``path`` names;
            so is one with an option ``code``, as in a record, whatever its name.
        sources: texts of such classes by ``probe.NAME``, where they are not to be read from the file.
        errors: gets one line for each option that is wrong.
    """
    if not isinstance(chosen, Mapping | type(None)):
        errors.append(f"probe: must hold the options of probes by their names, got {chosen!r}")
        return []
    options = {name: {} if given is None else given for name, given in (chosen or {}).items()}
    own = [
        name for name, given in options.items() if name == CUSTOM or (isinstance(given, Mapping) and "code" in given)
    ]
    kinds = kinds_of("probe") if set(options) - set(own) else {}
    errors += [f"probe: {not_a_choice(name, [*kinds, CUSTOM])}" for name in options if name not in {*kinds, *own}]
    built = [build(kinds[name], f"probe.{name}", options[name], errors) for name in kinds if name in options]
    mine = [_own(name, options[name], sources, errors) for name in own]
    probes = [probe for probe in built if probe is not None]
    probes += sorted((probe for probe in mine if probe is not None), key=lambda probe: probe.name)
    names = [probe.name for probe in probes]
    errors += [f"probe: there are two probes named {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    return probes


def key_of(probe: Probe) -> str:
    """Return the name under which a probe's options are set on the command line."""
    source = source_of(type(probe))
    return CUSTOM if source is not None and source.in_file else probe.name


def _own(name: str, options: Any, sources: Mapping[str, str], errors: list[str]) -> Any:
    if isinstance(options, Mapping):
        return build_own("probe", f"probe.{name}", options, sources.get(f"probe.{name}"), errors)
    errors.append(f"probe.{name}: must hold options, got {options!r}")
    return None
