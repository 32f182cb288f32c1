"""Hydra's part of ``lrd train``: from the command line to plain configurations, and its errors in one line each."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any, NoReturn

from hydra import main as hydra_main
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.plugins.launcher import Launcher
from hydra.plugins.plugin import Plugin
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrd.options import nearest, not_a_choice
from lrd.paths import CONF
from lrd.sweeps.choices import check_choices
from lrd.sweeps.compose import OverrideError, plain
from lrd.sweeps.inbox import INBOX, Inbox
from lrd.sweeps.quoting import hydra_quoted, in_quotes, unreadable
from lrd.user_files import path_of

_ANSWERED = ("help", "hydra_help", "cfg", "info", "shell_completion")  # flags
_LAUNCHER = "hydra_plugins.lrd_plugin.PackLauncher"
_SWEEPER = "hydra_plugins.lrd_plugin.UnionSweeper"
GROUPS = ("task", "cell", "optimizer", "training", "probe", "tracker")
#: Groups of which one may have nothing: ``~tracker`` is ``tracker=none``.
_MAY_BE_NONE = ("probe", "tracker")
_GLOBAL = "# @package _global_"
_SWEEP_FLAGS, _SWEEP = ("-m", "--multirun"), "hydra.mode=MULTIRUN"


class CompositionError(ValueError):
    """The command line composes to nothing; the message is one line."""


def compose_from_command_line(arguments: list[str]) -> Inbox:
    """Let Hydra read the command line of ``lrd train``; gives the composed jobs, none where Hydra only answered.

    Raises ``CompositionError`` for what fits no group or option.
    """
    INBOX.configs.clear()
    INBOX.error = INBOX.hypotheses = None
    typed = sorted(arguments, key=lambda argument: argument not in _SWEEP_FLAGS)  # wherever it was put
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise, so that we can say it in one line
    before = sys.argv
    try:
        answers = _check_flags(typed)
        _name_registered()
        _leave_out_foreign_plugins()
        _hand_to_hydra(with_own_options([_meant(argument) for argument in typed]))
        if INBOX.error is not None:
            raise INBOX.error
        if not INBOX.configs and not answers:
            raise CompositionError("this command line leads Hydra to no run at all; leave out its options hydra.*")
    except SystemExit as end:
        if end.code not in (0, None):
            raise
    except CompositionError:
        raise
    except (HydraException, OmegaConfBaseException, OverrideError, ValueError, AssertionError, RuntimeError) as error:
        raise CompositionError(_not_a_name(typed) or explain(error, typed)) from error
    finally:
        sys.argv = before
    for config in INBOX.configs:
        if isinstance(config.get("experiment"), dict):
            raise CompositionError(f"experiment: the first line of a study's file must be `{_GLOBAL}`")
        INBOX.hypotheses = _hypotheses(config, INBOX.hypotheses)
    return INBOX


def _hypotheses(config: dict[str, Any], before: Any) -> Any:
    """Take what the study states out of a configuration; ``before`` where it states nothing.

    Raises:
        CompositionError: it stands under both keys, ``hypotheses`` and its former name ``claims``.
    """
    found = [config.pop(key) for key in ("hypotheses", "claims") if key in config]
    if len(found) > 1:
        raise CompositionError("hypotheses: stands beside claims:, its former name; keep hypotheses: alone")
    return found[0] if found else before


def _meant(argument: str) -> str:
    """Return the argument as Hydra should get it: a group left out is ``none``, ``~`` is the home folder."""
    group = argument.removeprefix("~").partition("=")[0]
    if argument.startswith("~") and group in _MAY_BE_NONE:
        return f"{group}=none"
    flag, equals, folder = argument.partition("=")
    return f"{flag}={path_of(folder)}" if equals and flag in ("--config-dir", "-cd") else argument


def _hand_to_hydra(arguments: list[str]) -> None:
    """Let Hydra compose, and once more where a study that sweeps came without ``-m``.

    Raises:
        CompositionError: the study sweeps and the command line forbids it.
    """
    compose = hydra_main(config_path=str(CONF), config_name="config", version_base="1.3")(_single_run)
    if any(flag in arguments for flag in _SWEEP_FLAGS):
        arguments = [*arguments, _SWEEP]  # or Hydra warns of a file that says otherwise
    sys.argv = [sys.argv[0], *arguments]
    INBOX.sweeps = False
    compose()
    if INBOX.sweeps and INBOX.error is None:
        INBOX.configs.clear()
        if forbids := next((text for text in arguments if text.startswith("hydra.mode=")), ""):
            raise CompositionError(f"{forbids}: the study sweeps (hydra.sweeper); leave {forbids} out")
        sys.argv = [sys.argv[0], *arguments, _SWEEP]
        compose()


def _single_run(config: DictConfig) -> None:
    """Hydra's task function: nothing is run here either."""
    hydra = HydraConfig.get()
    INBOX.sweeps = bool(hydra.sweeper.get("params") or hydra.sweeper.get("union"))
    try:
        check_choices(config, hydra.runtime.choices)
        INBOX.configs.append(plain(config))
    except (OmegaConfBaseException, ValueError) as error:
        INBOX.error = error
    launcher = OmegaConf.to_container(hydra.launcher, resolve=True)
    assert isinstance(launcher, dict)
    if (target := launcher.pop("_target_", None)) != _LAUNCHER:
        INBOX.error = CompositionError(_not_ours(str(target)))
    INBOX.launcher = {str(key): value for key, value in launcher.items()}


def _leave_out_foreign_plugins() -> None:
    """Let Hydra know no launcher or sweeper but those that hand jobs to lrd: others would train nothing."""
    plugins = Plugins.instance()
    for name in (*_names(Launcher), *_names(Sweeper)):
        if name not in (_LAUNCHER, _SWEEPER):
            plugins.class_name_to_class.pop(name, None)


def _names(kind: type[Plugin]) -> list[str]:
    return [f"{plugin.__module__}.{plugin.__name__}" for plugin in Plugins.instance().discover(kind)]


def _not_ours(plugin: str) -> str:
    if plugin in _names(Sweeper):
        return f"hydra/sweeper: must be union, which sweeps as Hydra's basic one does, got {plugin}"
    return f"hydra/launcher: must be local or slurm, which alone train anything, got {plugin}"


def _check_flags(arguments: list[str]) -> bool:
    """Let Hydra's own parser look first: it would answer a wrong flag with its whole usage.

    Returns whether Hydra answers itself, and composes nothing to train.
    """
    parser = get_args_parser()
    flags = sorted(flag for action in parser._actions for flag in action.option_strings)

    def refuse(message: str) -> NoReturn:
        wrong = next((a for a in arguments if a.startswith("-") and a.split("=")[0] not in flags), "")
        raise CompositionError(f"{message}{nearest(wrong, flags)}")

    parser.error = refuse  # type: ignore[method-assign]
    if "--version" in arguments:
        return True
    given = vars(parser.parse_args(arguments))
    for flag in ("config_name", "config_path"):
        if given[flag] is not None:
            raise CompositionError(
                f"--{flag.replace('_', '-')}: a configuration of yours does not replace lrd's own, it goes over it: "
                f"save it as FOLDER/experiment/NAME.yaml, with `{_GLOBAL}` as its first line, and write "
                "--config-dir FOLDER experiment=NAME"
            )
    return any(given[flag] for flag in _ANSWERED)


def with_own_options(arguments: list[str]) -> list[str]:
    """The same with ++ before the options that a custom cell or task may have of its own, which Hydra cannot know."""
    written = {text.partition("=")[0]: text.partition("=")[2] for text in arguments}
    own = [group for group in ("cell", "task") if "custom" in re.findall(r"\w+", written.get(group, ""))]
    files = {group: set(OmegaConf.load(CONF / group / "custom.yaml")) for group in own}

    def adds(text: str) -> bool:
        group, _, name = text.partition("=")[0].partition(".")
        return group in files and bool(name) and name not in files[group] - {"path"}

    return [f"++{text}" if adds(text) else text for text in arguments]


def _name_registered() -> None:
    """Tell Hydra of the cells and tasks that installed packages register, as if each had a file in conf/."""
    if not any(entry_points(group=f"lrd.{group}s") for group in ("cell", "task")):
        return  # and nothing heavy is imported
    from lrd.custom import registered

    for group in ("cell", "task"):
        for name, kind in registered(group).items():
            options = {field.name: field.default for field in dataclasses.fields(kind)}
            ConfigStore.instance().store(name=name, group=group, node={"name": name, **options}, provider="lrd")


def _not_a_name(arguments: list[str]) -> str:
    """Return what is wrong with ``task=null`` or ``task=3``: Hydra's own message does not name the group."""
    parser = OverridesParser.create()
    for text in arguments:
        with suppress(HydraException):
            override = parser.parse_override(text)
            group = override.key_or_group
            if group not in (*GROUPS, "experiment") or override.is_delete():
                continue
            if not override.is_sweep_override() and not isinstance(override.value(), str | list | dict):
                none = f"; {group}=none is for nothing" if group in _MAY_BE_NONE else ""
                return f"{group}: must be the name of a file of conf/{group}/, got {override.get_value_string()}{none}"
    return ""


def explain(error: BaseException, arguments: Sequence[str] = ()) -> str:
    """Return an error of Hydra's composition in one line: the key, what is allowed, the nearest valid name.

    ``arguments`` is the command line.
    """
    text = str(error)
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}: {not_a_choice(name, error.options)}"
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override, arguments)
    if isinstance(error, OverrideError):
        return str(error) if error.message else _no_such_option(error.key)
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {' '.join(str(error.msg or error).split())}"
    if match := re.search(r"Could not load '(\w+)/([^']+)'", text):  # one of a list of choices
        group, name = match.groups()
        return f"{group}: {not_a_choice(name, _files_of(group))}"
    if match := re.search(
        r"(?:Ambiguous value for argument|Sweep parameters) '(.+)' (?:1\.|requires)", " ".join(text.split())
    ):
        return _several(match[1])
    if "asicSweeper does not support sweep type" in text:
        swept = next((text for text in arguments if "interval(" in text), "an interval")
        return f"{swept}: lrd sweeps over values, as in 1,2,3 or range(1,4) or choice(a,b)"
    if match := re.search(
        r"Multiple values for (\w+)\.|force-add of config groups .*'\+\+(\w+)=|^(\w+) appears more", text
    ):
        return f"{match[1] or match[2] or match[3]}: is there already; leave out the +"
    if match := re.search(r"Could not override '([^'@]+)@", text):
        return f"{match[1]}: is chosen without @, {match[1]}=NAME"
    match = re.search(r"Could not override '([^'@]+)'|'([^'@]+)' does not exist", text)
    if match:
        return _no_such_option(match.group(1) or match.group(2))
    if match := re.search(r"(?:Invalid plugin|Unknown plugin class :) '([^']+)'", text):
        return _not_ours(match.group(1))
    if match := re.search(r"Could not append to config. An item is already at '([^']+)'", text):
        return f"{match.group(1)}: is there already; leave out the +"
    return " ".join(text.split())


def _unreadable(text: str, arguments: Sequence[str]) -> str:
    """Return what to write instead of what Hydra's grammar cannot read, of the command line or of a study's file."""
    text = text if text in arguments else text.removeprefix("++")  # which with_own_options has put there
    key, equals, value = text.partition("=")
    key = key.lstrip("+")
    if arguments and text not in arguments and equals and text.isprintable():
        quoted = hydra_quoted(value).replace("'", "''")
        return f"cannot read {key}: {value} of hydra.sweeper: a text needs two kinds of quotes there, {key}: '{quoted}'"
    if key in GROUPS and equals and value[:1] not in ("[", "{"):
        return f"{key}: {not_a_choice(value, _files_of(key))}"
    sweeps = any(flag in arguments for flag in _SWEEP_FLAGS)
    return unreadable(text, arguments, sweeps, _takes_text(key), known_keys())


def _several(argument: str) -> str:
    """Return what to write for several values without ``-m``: Hydra's own advice holds for no shell and no type."""
    key, _, value = argument.partition("=")
    advice = f"{argument}: several values are swept, with -m (--multirun)"
    if key == "probe" and "(" not in value:
        return f"{advice}, or taken together, '{key}=[{value}]'"
    key = key.lstrip("+")
    one_text = key not in (*GROUPS, "experiment") and _takes_text(key) and "(" not in value
    return f"{advice}; as one text, {in_quotes(argument)}" if one_text else advice


def _files_of(group: str) -> list[str]:
    """Return the names that one may choose of a group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _no_such_option(key: str) -> str:
    group, _, name = key.rpartition(".")
    keys = known_keys()
    if key in keys and not group:
        return f"{key}: cannot be set so; write {key}=VALUE"
    if key in keys:
        having = [kind.name for kind in _kinds()[group] if name in kind.__dataclass_fields__] or ["custom"]
        return f"{key}: there is no such option of the {group} chosen; {', '.join(having)} has it"
    siblings = sorted({k.rpartition(".")[2] for k in keys if k.rpartition(".")[0] == group and k != group})
    hint = nearest(name, siblings) if siblings else nearest(key, keys)
    has = f"; {group or 'the top level'} has {', '.join(siblings)}" if siblings else ""
    return f"{key}: there is no such option{hint}{has}"


def known_keys() -> set[str]:
    """Every option there is, dotted: ``task.gap``, ``seed``, ... and the groups themselves."""
    return {"seed", "experiment", "probe", "task.path", "cell.path", *_kinds(), *(key for key, _ in _fields())}


def _takes_text(key: str) -> bool:
    """Return whether an option may hold a text; one that is not known here, as a custom cell's own, may."""
    types = [str(field.type) for known, field in _fields() if known == key]
    return key != "seed" and (not types or any("str" in kind for kind in types))


def _fields() -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    """Yield every option's dotted name and its field."""
    from lrd import spec

    place: list[type[Any]] = [spec.Place]
    for group, members in {"": place, **_kinds()}.items():
        for kind in members:
            yield from ((f"{group}.{field.name}".lstrip("."), field) for field in dataclasses.fields(kind))


def _kinds() -> dict[str, list[type[Any]]]:
    """Return the classes whose fields are a group's options."""
    from lrd import spec
    from lrd.probes import PROBES

    return {
        "task": [*spec.kinds_of("task").values()],
        "cell": [*spec.kinds_of("cell").values()],
        "optimizer": [*spec.OPTIMIZERS.values()],
        "training": [spec.Training],
        **{f"probe.{name}": [kind] for name, kind in PROBES.items()},
        "tracker": [spec.TrackerOptions],
    }
