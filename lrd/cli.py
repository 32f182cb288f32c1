"""The command line ``lrd``: choice of the command (``lrd.commands``), help, version and tab completion."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from lrd import __version__
from lrd.commands import COMMANDS, FORMER_NAMES, INTERRUPTED, fail
from lrd.printing import print_anything
from lrd.sweeps.lossy_output import open_closed_streams, silence

_LINES = [(f"lrd {name} {follows}", does) for name, (follows, does) in COMMANDS.items()]
_USAGE = f"""lrd: recurrent networks and long-term dependencies

{chr(10).join(f"  {line:50} {does}" for line, does in _LINES)}

  lrd train --help        groups and options         lrd train --cfg job   the composed configuration
  eval "$(lrd -sc install=bash)"   tab completion    lrd --version
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status. This is the entry point of the console script.

    Args:
        arguments: the words behind ``lrd``; default: those of this process.
    """
    print_anything()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    open_closed_streams()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_USAGE, end="")
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"lrd {__version__}")
        return 0
    command, rest = FORMER_NAMES.get(arguments[0], arguments[0]), arguments[1:]
    if command == "-sc":
        return _complete(arguments)
    if command not in COMMANDS:
        from lrd.options import not_a_choice

        return fail(f"command: {not_a_choice(command, COMMANDS)} (lrd --help shows them)")
    try:
        status: int = importlib.import_module(f"lrd.commands.{command}").run(rest)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:  # outside of training, which catches its own
        print(INTERRUPTED, file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has seen enough
        silence(sys.stdout)
        return 141
    except OSError as error:
        return _refused(error)


def _refused(error: OSError) -> int:
    """Report in one line what the system refused and no command caught; return the exit status."""
    from lrd.records.files import storage_error

    if error.errno == errno.ENAMETOOLONG:
        return fail(f"a file's name can have 255 bytes, and its path some 4000; too long: {error.filename}")
    if error.filename is None:  # stdout
        silence(sys.stdout)
        return fail(f"cannot write what is to be printed: {error.strerror or error}")
    return fail(str(storage_error(Path(os.fsdecode(error.filename)), error.errno, error, doing="use")))


def _complete(arguments: list[str]) -> int:
    """Answer tab completion; Hydra completes what follows ``lrd train`` and ``lrd plan``.

    Hydra knows no subcommands, so the subcommand is taken out of the line that it sees.
    """
    from lrd.hydra_main import compose_from_command_line

    line = os.environ.get("COMP_LINE", "")
    words = line.split()
    if len(words) > 1 and words[1] in ("train", "plan"):
        os.environ["COMP_LINE"] = line.replace(f" {words[1]}", "", 1)
    elif arguments[1:] and arguments[1].startswith("query"):
        if len(words) < 2 or (len(words) == 2 and not line.endswith(" ")):
            print(*COMMANDS)
        return 0  # what follows the others is a folder, which the shell completes
    compose_from_command_line(arguments)
    return 0
