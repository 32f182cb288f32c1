"""Errors of Hydra's composition, each explained in one line: the key, what is allowed, the nearest valid name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.plugins.plugin import Plugin
from hydra.plugins.sweeper import Sweeper
from omegaconf.errors import GrammarParseError, InterpolationResolutionError, OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError
from yaml.scanner import ScannerError

from lrd.known_options import GROUPS, known_keys, option_classes, takes_list, takes_text
from lrd.one_line import one_line
from lrd.options import nearest, not_a_choice, several_are_swept
from lrd.paths import CONF
from lrd.sweeps.compose import OverrideError
from lrd.sweeps.quoting import hydra_quoted, in_quotes, unreadable
from lrd.user_files import path_of

SWEEP_FLAGS = ("-m", "--multirun")
GLOBAL = "# @package _global_"  # the first line of a study's file
NOT_GLOBAL = f"experiment: the first line of a study's file must be `{GLOBAL}`"
#: What Hydra raises where it cannot compose, and what reading a file of configuration does.
COMPOSITION_ERRORS = (
    HydraException,
    OmegaConfBaseException,
    OverrideError,
    YAMLError,
    ValueError,
    AssertionError,
    RuntimeError,
)
_SWEEPER_KEYS = ("params", "union", "max_batch_size")


class CompositionError(ValueError):
    """A command line that no configuration can be composed from. The message is one line."""


def explain(error: BaseException, arguments: Sequence[str] = ()) -> str:
    """Explain an error of Hydra's composition in one line: the key, what is allowed, the nearest valid name.

    Args:
        error: what Hydra or OmegaConf raised.
        arguments: the command line, for what the error itself does not say.
    """
    text = str(error)
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        group, _, name = error.missing_cfg_file.rpartition("/")
        if group.partition("/")[0] == "experiment":
            study = error.missing_cfg_file.removeprefix("experiment/")
            return _inside_experiment(study, arguments) or _no_such_study(study, arguments)
        return f"{group}: {not_a_choice(name, error.options)}"
    if isinstance(error, YAMLError):
        return _not_yaml(error)
    if isinstance(error, UnicodeDecodeError):  # only files are decoded here, and Python does not say which
        return f"a study's file is no text in UTF-8{_named_file(arguments)}; save it as UTF-8"
    if "Cannot merge DictConfig with ListConfig" in text:
        way_out = "a study's file, and each group in it, must map keys to values, as in study: mine; one is a list"
        return f"{way_out}{_named_file(arguments)}"
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override, arguments)
    if isinstance(error, OverrideError):
        return str(error) if error.message else _no_such_option(error.key)
    if isinstance(refers := _deepest(error), InterpolationResolutionError | GrammarParseError):
        key = f"{refers.full_key}: " if refers.full_key else ""
        said = str(refers).partition("\n")[0]
        return f"{key}{said}; ${{ begins a reference to another option, for the text itself write \\${{"
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {one_line(error.msg or error)}"
    if match := re.search(r"Could not load '(\w+)/([^']+)'", text):  # one of a list of choices
        group, name = match.groups()
        return f"{group}: {not_a_choice(name, _files_of(group))}"
    if match := re.search(r"(?:Ambiguous value for argument|Sweep parameters) '(.+)' (?:1\.|requires)", one_line(text)):
        return _several(match[1])
    if "asicSweeper does not support sweep type" in text:
        swept = next((text for text in arguments if "interval(" in text), "an interval")
        return f"{swept}: lrd sweeps over values, as in 1,2,3 or range(1,4) or choice(a,b)"
    if match := re.search(
        r"Multiple values for (\w+)\.|force-add of config groups .*'\+\+(\w+)=|^(\w+) appears more", text
    ):
        return f"{match[1] or match[2] or match[3]}: is there already; leave out the +"
    if re.search(r"Could not override '[^'@]+@experiment\.", text):  # Hydra looks for the group inside of experiment
        return NOT_GLOBAL
    if match := re.search(r"Could not override '([^'@]+)@", text):
        return f"{match[1]}: is chosen without @, {match[1]}=NAME"
    match = re.search(r"Could not override '([^'@]+)'|'([^'@]+)' does not exist", text)
    if match:
        return _no_such_option(match.group(1) or match.group(2))
    if match := re.search(r"(?:Invalid plugin|Unknown plugin class :) '([^']+)'", text):
        return not_ours(match.group(1))
    if match := re.search(r"Could not append to config. An item is already at '([^']+)'", text):
        return f"{match.group(1)}: is there already; leave out the +"
    if match := re.search(r"Sweeper\.__init__\(\) got an unexpected keyword argument '([^']+)'", text):
        return unknown_in_sweeper([match[1]])
    if match := re.search(r"Additional config directory '(.+)' not found", text):
        return f"--config-dir: there is no folder {match[1]}; give the one that holds experiment/"
    return one_line(_deepest(error))


def _deepest(error: BaseException) -> BaseException:
    """Return the error, or the first with a message that it was raised from: Hydra wraps some in empty ones."""
    while not str(error).strip() and (cause := error.__cause__ or error.__context__):
        error = cause
    return error


def unknown_in_sweeper(keys: Iterable[str]) -> str:
    """Say which key of ``hydra.sweeper`` does not exist, and which do; "" where all of them exist."""
    wrong = next((key for key in keys if key not in ("_target_", *_SWEEPER_KEYS)), None)
    return "" if wrong is None else f"hydra.sweeper: {not_a_choice(wrong, _SWEEPER_KEYS)}"


def _own_folder(arguments: Sequence[str]) -> Path | None:
    """Return the folder that --config-dir names; None where it is not given."""
    given = get_args_parser().parse_known_args(list(arguments))[0].config_dir
    return path_of(given) if given else None


def _named_file(arguments: Sequence[str]) -> str:
    """Return ": FILE" of the study that a command line names, "" where it names none of --config-dir."""
    name = next((text.partition("=")[2] for text in arguments if text.startswith("experiment=")), "")
    folder = _own_folder(arguments)
    return f": {folder / 'experiment' / name}.yaml" if folder and name else ""


def _no_such_study(name: str, arguments: Sequence[str]) -> str:
    """Say which studies there are beside the one that was meant: those of its folder, else all of them."""
    roots = [CONF / "experiment", *(folder / "experiment" for folder in [_own_folder(arguments)] if folder)]
    there = sorted({str(file.relative_to(root).with_suffix("")) for root in roots for file in root.rglob("*.yaml")})
    beside = [study for study in there if study.rpartition("/")[0] == name.rpartition("/")[0]]
    return f"experiment: must be one of {', '.join(beside or there)}, got {name!r}{nearest(name, there)}"


def _inside_experiment(name: str, arguments: Sequence[str]) -> str:
    """Say which folder --config-dir must name where it names the one that holds the study's file; "" elsewhere."""
    folder = _own_folder(arguments)
    if not folder or not folder.joinpath(f"{name}.yaml").is_file():
        return ""
    if folder.absolute().name == "experiment":
        return f"--config-dir: give the folder that experiment/ lies in, --config-dir {shlex.quote(str(folder.parent))}"
    return f"--config-dir: {name}.yaml must lie in a folder experiment/; move it to {folder}/experiment/{name}.yaml"


def _not_yaml(error: YAMLError) -> str:
    """Say where a file is no YAML, and what to do about it."""
    way_out = "write key: value, indented with spaces, and quotes around a text that holds a colon"
    if not isinstance(error, MarkedYAMLError):  # a character that no YAML may hold
        return f"{one_line(error)}: the file is no YAML; {way_out}"
    begins = error.context_mark if isinstance(error, ScannerError) else None  # where what never ends begins
    mark = begins or error.problem_mark or error.context_mark
    where = f"{mark.name}, line {mark.line + 1}" if mark else "a file"
    return f"{where}: it is no YAML, {one_line(error.problem or error.context or error)}; {way_out}"


def _unreadable(text: str, arguments: Sequence[str]) -> str:
    """Say what to write instead of an argument, or a line of a study's file, that Hydra's grammar cannot read."""
    text = text if text in arguments else text.removeprefix("++")  # which with_own_options has put there
    key, equals, value = text.partition("=")
    key = key.lstrip("+")
    if arguments and text not in arguments and equals and text.isprintable():
        quoted = hydra_quoted(value).replace("'", "''")
        return f"cannot read {key}: {value} of hydra.sweeper: a text needs two kinds of quotes there, {key}: '{quoted}'"
    sweeps = any(flag in arguments for flag in SWEEP_FLAGS)
    names = key in GROUPS and value.endswith(",")
    if key in GROUPS and equals and value[:1] not in ("[", "{") and not names:
        return f"{key}: {not_a_choice(value, _files_of(key))}"
    return unreadable(text, arguments, sweeps, takes_text(key) and not names, known_keys())


def _several(argument: str) -> str:
    """Say how to write several values of one option.

    Hydra's own advice, which this replaces, fits neither the quoting of shells nor the type of the option.
    """
    key, _, value = argument.partition("=")
    if takes_list(key.lstrip("+")):
        return f"{key.lstrip('+')}: must be a list, in brackets and quotes: '{key}=[{value}]'"
    advice = f"{key.lstrip('+')}: takes one value; {several_are_swept(key, [value])}"
    if key == "probe" and "(" not in value:
        return f"{advice}, or taken together, '{key}=[{value}]'"
    key = key.lstrip("+")
    one_text = key not in (*GROUPS, "experiment") and takes_text(key) and "(" not in value
    return f"{advice}; as one text, {in_quotes(argument)}" if one_text else advice


def _files_of(group: str) -> list[str]:
    """Return the names that can be chosen in a group."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def _no_such_option(key: str) -> str:
    group, _, name = key.rpartition(".")
    keys = known_keys()
    if key in keys and not group:
        return f"{key}: cannot be set so; write {key}=VALUE"
    if key in keys:
        having = [
            getattr(kind, "name", "custom") for kind in option_classes()[group] if name in kind.__dataclass_fields__
        ] or ["custom"]
        have = f"{', '.join(having)} {'have' if len(having) > 1 else 'has'} it"
        return f"{key}: there is no such option of the {group} chosen; {have}"
    siblings = sorted({k.rpartition(".")[2] for k in keys if k.rpartition(".")[0] == group and k != group})
    hint = nearest(name, siblings) if siblings else nearest(key, keys)
    has = f"; {group or 'the top level'} has {', '.join(siblings)}" if siblings else ""
    return f"{key}: there is no such option{hint}{has}"


def plugin_names(kind: type[Plugin]) -> list[str]:
    """Return the full class names of Hydra's plugins of a kind, such as its launchers."""
    return [f"{plugin.__module__}.{plugin.__name__}" for plugin in Plugins.instance().discover(kind)]


def not_ours(plugin: str) -> str:
    """Say which launchers and sweepers can be chosen instead of another plugin, given by its class name."""
    if plugin in plugin_names(Sweeper):
        return f"hydra/sweeper: must be union, which sweeps as Hydra's basic one does, got {plugin}"
    return f"hydra/launcher: must be local or slurm, which alone train anything, got {plugin}"
