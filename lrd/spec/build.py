"""Objects of options made from plain values; each wrong option becomes a line of a message."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, get_origin, get_type_hints

from lrd.options import OptionError, nearest, not_a_choice, several_are_swept, wrong_options
from lrd.spec.error import SpecError


def named_options(kinds: Mapping[str, type[Any]], group: str, options: Mapping[str, Any]) -> Any:
    """Make an object of one of several kinds, which ``options["name"]`` chooses.

    Args:
        kinds: dataclasses of options by name.
        group: what stands before an option's name in a message (``hydra.launcher``).
        options: plain values by name.

    Raises:
        SpecError: what is wrong, one line an option.
    """
    errors: list[str] = []
    made = build_named(kinds, group, {group: options}, errors)
    if errors:
        raise SpecError("\n".join(errors))
    return made


def build_named(kinds: Mapping[str, type[Any]], group: str, config: Mapping[str, Any], errors: list[str]) -> Any:
    """Return the object that ``config[group]`` describes, or None with what is wrong appended to ``errors``.

    Args:
        kinds: dataclasses of options by name, of which ``config[group]["name"]`` chooses one.
        group: name of the group of options.
        config: plain values, nested by group.
        errors: gets one line for each option that is wrong.
    """
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


def _listed(hint: Any) -> Any:
    """Return the type of an option for pydantic: what is a tuple here is a list in configurations."""
    import pydantic

    return Annotated[hint, pydantic.Strict(False)] if get_origin(hint) is tuple else hint


@cache
def _model(kind: Callable[..., Any]) -> Any:
    import pydantic

    # pydantic checks types and unknown names; the dataclass checks its bounds (lrd.options).
    hints = {name: _listed(hint) for name, hint in get_type_hints(kind).items()}
    fields: dict[str, Any] = {f.name: (hints[f.name], f.default) for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return pydantic.create_model(kind.__name__, __config__={"extra": "forbid", "strict": True}, **fields)


def build(kind: type[Any], group: str, options: Any, errors: list[str]) -> Any:
    """Return an object made from plain values, or None with what is wrong appended to ``errors``.

    Args:
        kind: a dataclass of options.
        group: what stands before an option's name in a message; "" for the top level.
        options: plain values by name; what is missing has its default.
        errors: gets one line for each option that is wrong.
    """
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
            elif problem["type"] == "tuple_type":
                text = f"must be a list, in brackets, got {problem['input']!r}"
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
