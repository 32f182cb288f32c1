"""``lrd check``: whether a researcher's cell, task or probe keeps its protocol, and which line of it it breaks."""

from __future__ import annotations

import argparse

from lrd.commands import COMMANDS, fail

#: How a class that keeps its protocol is used, by its group.
_USES = {
    "cell": ("It trains: lrd train cell=custom cell.path={path}",),
    "task": ("It trains: lrd train task=custom task.path={path}",),
    "probe": (
        "It measures while runs train: lrd train probe=custom probe.custom.path={path}",
        "It measures runs that are trained: lrd probe STUDY probe=custom probe.custom.path={path}",
        "Its table: lrd.records.open_study(STUDY).sql('select * from {name}')",
    ),
}


def run(arguments: list[str]) -> int:
    """Hold a class to its protocol, and print each line of it with whether it is kept.

    Args:
        arguments: of the command line, after ``check``.

    Returns:
        The exit status: 0 where every line is kept, else 2.
    """
    parser = argparse.ArgumentParser(prog="lrd check", description=f"Says {COMMANDS['check'][1]}.")
    parser.add_argument("path", metavar="FILE.py:CLASS")
    path = parser.parse_args(arguments).path

    from lrd.custom import PROTOCOLS, CustomError, ProtocolError, load_any
    from lrd.one_line import one_line

    try:
        group, kind = load_any(path)
    except CustomError as error:
        return fail(str(error))
    protocol = PROTOCOLS[group]
    try:
        remarks = protocol.check(kind)
        broken, message = len(protocol.lines) + 1, ""
    except ProtocolError as error:
        broken, message = error.line, one_line(error)
    print(f"{path}, held to the protocol of {group}s:\n")
    for number, line in enumerate(protocol.lines, 1):
        mark = "kept" if number < broken else "broken" if number == broken else ""
        print(f"  {number:2}. {mark:6}  {line}")
    if message:
        print()
        return fail(f"{path} breaks line {broken}: {message}")
    for remark in remarks:
        print(f"\nremark: {remark}")
    print()
    for use in _USES[group]:
        print(use.format(path=path, name=vars(kind).get("name", "")))
    return 0
