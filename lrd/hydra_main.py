"""Hydra's part of ``lrd train``: from the command line to plain configurations."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any, NoReturn

from hydra import main as hydra_main
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lrd.hydra_errors import (
    COMPOSITION_ERRORS,
    GLOBAL,
    NOT_GLOBAL,
    SWEEP_FLAGS,
    CompositionError,
    explain,
    not_ours,
    plugin_names,
    unknown_in_sweeper,
)
from lrd.known_options import CUSTOM, GROUPS, MAY_BE_NONE
from lrd.options import nearest
from lrd.paths import CONF
from lrd.sweeps.choices import check_choices
from lrd.sweeps.compose import plain
from lrd.sweeps.inbox import INBOX, Inbox
from lrd.user_files import path_of

_ANSWERED = ("help", "hydra_help", "cfg", "info", "shell_completion")  # flags
_LAUNCHER = "hydra_plugins.lrd_plugin.PackLauncher"
_SWEEPER = "hydra_plugins.lrd_plugin.UnionSweeper"
_SWEEP = "hydra.mode=MULTIRUN"


def compose_from_command_line(arguments: list[str]) -> Inbox:
    """Compose the jobs of a command line of ``lrd train`` with Hydra.

    Args:
        arguments: what the user typed behind ``lrd train``.

    Returns:
        The inbox with the composed configurations; none where Hydra only answered, as for ``--help``.

    Raises:
        CompositionError: an argument fits no group or option.
    """
    INBOX.configs.clear()
    INBOX.error = INBOX.hypotheses = INBOX.paper = None
    typed = sorted(arguments, key=lambda argument: argument not in SWEEP_FLAGS)  # wherever the user put it
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise, so that the error can be explained in one line
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
    except COMPOSITION_ERRORS as error:
        raise CompositionError(_not_a_name(typed) or explain(error, typed)) from error
    finally:
        sys.argv = before
    for config in INBOX.configs:
        if isinstance(config.get("experiment"), dict):
            raise CompositionError(NOT_GLOBAL)
        INBOX.hypotheses = _hypotheses(config, INBOX.hypotheses)
        INBOX.paper = config.pop("paper", INBOX.paper)
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
    """Translate an argument for Hydra: ``~tracker`` becomes ``tracker=none``, ``~`` in a path the home folder."""
    group = argument.removeprefix("~").partition("=")[0]
    if argument.startswith("~") and group in MAY_BE_NONE:
        return f"{group}=none"
    flag, equals, folder = argument.partition("=")
    return f"{flag}={path_of(folder)}" if equals and flag in ("--config-dir", "-cd") else argument


def _hand_to_hydra(arguments: list[str]) -> None:
    """Let Hydra compose, and compose again with ``-m`` where a study turns out to be a sweep.

    Raises:
        CompositionError: the study is a sweep, which ``hydra.mode`` of the command line forbids.
    """
    compose = hydra_main(config_path=str(CONF), config_name="config", version_base="1.3")(_single_run)
    if any(flag in arguments for flag in SWEEP_FLAGS):
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
    """Put one composed configuration into the inbox. This is Hydra's task function, which trains nothing itself."""
    hydra = HydraConfig.get()
    INBOX.sweeps = bool(hydra.sweeper.get("params") or hydra.sweeper.get("union"))
    try:
        check_choices(config, hydra.runtime.choices)
        INBOX.configs.append(plain(config))
    except (OmegaConfBaseException, ValueError) as error:
        INBOX.error = error
    if wrong := unknown_in_sweeper(map(str, hydra.sweeper)):
        INBOX.error = CompositionError(wrong)
    launcher = OmegaConf.to_container(hydra.launcher, resolve=True)
    assert isinstance(launcher, dict)
    if (target := launcher.pop("_target_", None)) != _LAUNCHER:
        INBOX.error = CompositionError(not_ours(str(target)))
    INBOX.launcher = {str(key): value for key, value in launcher.items()}


def _leave_out_foreign_plugins() -> None:
    """Hide all launchers and sweepers from Hydra but those that hand jobs to lrd: others would train nothing."""
    plugins = Plugins.instance()
    for name in (*plugin_names(Launcher), *plugin_names(Sweeper)):
        if name not in (_LAUNCHER, _SWEEPER):
            plugins.class_name_to_class.pop(name, None)


def _check_flags(arguments: list[str]) -> bool:
    """Check the flags before Hydra does, which answers a wrong one with its whole usage.

    Returns:
        Whether Hydra will only answer, as for ``--help``, and compose nothing to train.

    Raises:
        CompositionError: a flag is unknown, or would replace lrd's own configuration.
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
                f"save it as FOLDER/experiment/NAME.yaml, with `{GLOBAL}` as its first line, and write "
                "--config-dir FOLDER experiment=NAME"
            )
    return any(given[flag] for flag in _ANSWERED)


def with_own_options(arguments: list[str]) -> list[str]:
    """Return the command line with ++ before options that only a custom class has: Hydra cannot know them."""
    written = {text.partition("=")[0]: text.partition("=")[2] for text in arguments}
    own = [group for group in CUSTOM if "custom" in re.findall(r"\w+", written.get(group, ""))]
    known = {CUSTOM[group]: set(OmegaConf.load(CONF / group / "custom.yaml")) - {"path"} for group in own}

    def adds(text: str) -> bool:
        key, _, name = text.partition("=")[0].rpartition(".")
        return bool(name) and name not in known.get(key, {name})

    return [f"++{text}" if adds(text) else text for text in arguments]


def _name_registered() -> None:
    """Make Hydra know the classes that installed packages register, as if each had a file in conf/."""
    if not any(entry_points(group=f"lrd.{group}s") for group in CUSTOM):
        return  # and nothing heavy is imported
    from lrd.custom import registered

    for group in CUSTOM:
        for name, kind in registered(group).items():
            options = {field.name: field.default for field in dataclasses.fields(kind)}
            node, package = ({"name": name, **options}, None) if group != "probe" else (options, f"probe.{name}")
            ConfigStore.instance().store(name=name, group=group, package=package, node=node, provider="lrd")


def _not_a_name(arguments: list[str]) -> str:
    """Explain a choice that is no name, such as ``task=null``, or return "" where there is none.

    Hydra's own message does not name the group.
    """
    parser = OverridesParser.create()
    for text in arguments:
        with suppress(HydraException):
            override = parser.parse_override(text)
            group = override.key_or_group
            if group not in (*GROUPS, "experiment") or override.is_delete():
                continue
            if not override.is_sweep_override() and not isinstance(override.value(), str | list | dict):
                none = f"; {group}=none is for nothing" if group in MAY_BE_NONE else ""
                return f"{group}: must be the name of a file of conf/{group}/, got {override.get_value_string()}{none}"
    return ""
