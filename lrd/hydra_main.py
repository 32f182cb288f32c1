"""Hydra's part of ``lrd train``: from the command line to plain configurations, and its errors in one line each."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import entry_points
from typing import NoReturn

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
from lrd.sweeps.compose import OverrideError, plain
from lrd.sweeps.inbox import INBOX, Inbox

_ANSWERED = ("help", "hydra_help", "cfg", "info", "shell_completion")  # flags
_LAUNCHER = "hydra_plugins.lrd_plugin.PackLauncher"
_SWEEPERS = ("hydra_plugins.lrd_plugin.UnionSweeper", "hydra._internal.core_plugins.basic_sweeper.BasicSweeper")
GROUPS = ("task", "cell", "optimizer", "training", "probe", "tracker")


class CompositionError(ValueError):
    """The command line composes to nothing; the message is one line."""


def compose_from_command_line(arguments: list[str]) -> Inbox:
    """Let Hydra read the command line of ``lrd train``; gives the composed jobs, none where Hydra only answered.

    Raises ``CompositionError`` for what fits no group or option.
    """
    INBOX.configs.clear()
    INBOX.error = INBOX.claims = None
    arguments = sorted(arguments, key=lambda argument: argument not in ("-m", "--multirun"))  # wherever it was put
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise, so that we can say it in one line
    before, sys.argv = sys.argv, [sys.argv[0], *arguments]
    try:
        answers = _check_flags(arguments)
        arguments = with_own_options(arguments)
        sys.argv = [sys.argv[0], *arguments]
        _name_registered()
        _leave_out_foreign_plugins()
        hydra_main(config_path=str(CONF), config_name="config", version_base="1.3")(_single_run)()
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
        raise CompositionError(_not_a_name(arguments) or explain(error)) from error
    finally:
        sys.argv = before
    for config in INBOX.configs:
        INBOX.claims = config.pop("claims", INBOX.claims)
    return INBOX


def _single_run(config: DictConfig) -> None:
    """Hydra's task function: nothing is run here either."""
    try:
        INBOX.configs.append(plain(config))
    except OmegaConfBaseException as error:
        INBOX.error = error
    launcher = OmegaConf.to_container(HydraConfig.get().launcher, resolve=True)
    assert isinstance(launcher, dict)
    if (target := launcher.pop("_target_", None)) != _LAUNCHER:
        INBOX.error = CompositionError(_not_ours(str(target)))
    INBOX.launcher = {str(key): value for key, value in launcher.items()}


def _leave_out_foreign_plugins() -> None:
    """Let Hydra know no launcher or sweeper but those that hand jobs to lrd: others would train nothing."""
    plugins = Plugins.instance()
    for name in (*_names(Launcher), *_names(Sweeper)):
        if name not in (_LAUNCHER, *_SWEEPERS):
            plugins.class_name_to_class.pop(name, None)


def _names(kind: type[Plugin]) -> list[str]:
    return [f"{plugin.__module__}.{plugin.__name__}" for plugin in Plugins.instance().discover(kind)]


def _not_ours(plugin: str) -> str:
    if plugin in _names(Sweeper):
        return f"hydra/sweeper: must be union or basic, got {plugin}"
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
    """What is wrong with ``task=null`` or ``task=3``: Hydra's own message does not name the group."""
    parser = OverridesParser.create()
    for text in arguments:
        with suppress(HydraException):
            override = parser.parse_override(text)
            group = override.key_or_group
            plainly = not override.is_delete() and not override.is_sweep_override()
            if group in GROUPS and plainly and not isinstance(override.value(), str | list | dict):
                return f"{group}: must be the name of a file of conf/{group}/, got {override.get_value_string()}"
    return ""


def explain(error: BaseException) -> str:
    """An error of Hydra's composition in one line: the key, what is allowed, the nearest valid name."""
    text = str(error)
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        return f"{group}: {not_a_choice(name, error.options)}"
    if isinstance(error, OverrideParseException):
        return f"cannot read the override {error.override!r}: write option=value, for example task.gap=100"
    if isinstance(error, OverrideError):
        return str(error) if error.message else _no_such_option(error.key)
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {' '.join(str(error.msg or error).split())}"
    if match := re.search(r"Could not load '(\w+)/([^']+)'", text):  # one of a list of choices
        group, name = match.groups()
        return f"{group}: {not_a_choice(name, sorted(path.stem for path in (CONF / group).glob('*.yaml')))}"
    match = re.search(r"Could not override '([^'@]+)'|'([^'@]+)' does not exist", text)
    if match:
        return _no_such_option(match.group(1) or match.group(2))
    if match := re.search(r"(?:Invalid plugin|Unknown plugin class :) '([^']+)'", text):
        return _not_ours(match.group(1))
    if match := re.search(r"Could not append to config. An item is already at '([^']+)'", text):
        return f"{match.group(1)}: is there already; leave out the +"
    return " ".join(text.split())


def _no_such_option(key: str) -> str:
    group, _, name = key.rpartition(".")
    keys = known_keys()
    siblings = sorted({k.rpartition(".")[2] for k in keys if k.rpartition(".")[0] == group and k != group})
    hint = nearest(name, siblings) if siblings else nearest(key, keys)
    has = f"; {group or 'the top level'} has {', '.join(siblings)}" if siblings else ""
    return f"{key}: there is no such option{hint}{has}"


def known_keys() -> set[str]:
    """Every option there is, dotted: ``task.gap``, ``seed``, ... and the groups themselves."""
    from lrd import spec
    from lrd.probes import PROBES

    kinds: dict[str, Iterable[type]] = {
        "task": spec.kinds_of("task").values(),
        "cell": spec.kinds_of("cell").values(),
        "optimizer": spec.OPTIMIZERS.values(),
        "training": [spec.Training],
        **{f"probe.{name}": [kind] for name, kind in PROBES.items()},
        "tracker": [spec.Tracker],
    }
    keys = {
        "seed",
        "experiment",
        "probe",
        "task.path",
        "cell.path",
        *kinds,
        *(f.name for f in dataclasses.fields(spec.Place)),
    }
    for group, members in kinds.items():
        keys |= {f"{group}.{f.name}" for kind in members for f in dataclasses.fields(kind)}
    return keys
