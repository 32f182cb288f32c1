"""Options objects from plain values, with every mistake told in a line of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, get_type_hints

from lrd.options import OptionError, nearest, not_a_choice, several_are_swept, wrong_options
from lrd.spec.error import SpecError


def named_options(kinds: Mapping[str, type[Any]], group: str, options: Mapping[str, Any]) -> Any:
    """An options object of one of several kinds, chosen by ``options["name"]``. Raises ``SpecError`` for what is wrong.

    ``group`` is what stands before an option's name in a message (``hydra.launcher``).
    """
    errors: list[str] = []
    made = build_named(kinds, group, {group: options}, errors)
    if errors:
        raise SpecError("\n".join(errors))
    return made


def build_named(kinds: Mapping[str, type[Any]], group: str, config: Mapping[str, Any], errors: list[str]) -> Any:
    """The options object that ``config[group]`` names, or None with what is wrong appended to ``errors``."""
    values = config.get(group)
    if not isinstance(values, Mapping):
        errors.append(f"{group}: must be one of {', '.join(kinds)}, got {values!r}")
        return None
    options = dict(values)
    name = options.pop("name", None)
    if not isinstance(name, str) or name not in kinds:
        errors.append(f"{group}.name: {not_a_choice(name, kinds)}")
        return None
    return build(kinds[name], group, options, errors)


@cache
def _model(kind: Callable[..., Any]) -> Any:
    import pydantic

    # Types and unknown names are pydantic's affair, bounds the dataclass's own (lrd.options).
    hints = get_type_hints(kind)
    fields: dict[str, Any] = {f.name: (hints[f.name], f.default) for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return pydantic.create_model(kind.__name__, __config__={"extra": "forbid", "strict": True}, **fields)


def build(kind: type[Any], group: str, options: Any, errors: list[str]) -> Any:
    """An options object from plain values, or None with what is wrong appended to ``errors``."""
    import pydantic  # here, so that packs train where there is none

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
                if isinstance(problem["input"], list) and problem["input"]:
                    text += f"; {several_are_swept(prefix + key, problem['input'])}"
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
