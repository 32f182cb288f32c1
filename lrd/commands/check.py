"""``lrd check``: whether a researcher's cell or task keeps the protocol, and which line of it it breaks."""

from __future__ import annotations

import argparse

from lrd.commands import COMMANDS, fail


def run(arguments: list[str]) -> int:
    """The exit status: 0 where every line is kept, else 2."""
    parser = argparse.ArgumentParser(prog="lrd check", description=f"Says {COMMANDS['check'][1]}.")
    parser.add_argument("path", metavar="FILE.py:CLASS")
    path = parser.parse_args(arguments).path

    from lrd.custom import PROTOCOLS, CustomError, ProtocolError, load

    wrong: dict[str, str] = {}
    for group in PROTOCOLS:
        try:
            kind = load(group, path)
            break
        except CustomError as error:
            wrong[group] = str(error)
    else:
        return fail(wrong["task" if "derived from lrd.cells" in wrong["cell"] else "cell"])
    protocol = PROTOCOLS[group]
    try:
        remarks = protocol.check(kind)
        broken, message = len(protocol.lines) + 1, ""
    except ProtocolError as error:
        broken, message = error.line, str(error)
    print(f"{path}, held to the protocol of {group}s:\n")
    for number, line in enumerate(protocol.lines, 1):
        mark = "kept" if number < broken else "broken" if number == broken else ""
        print(f"  {number:2}. {mark:6}  {line}")
    if message:
        print()
        return fail(f"{path} breaks line {broken}: {message}")
    for remark in remarks:
        print(f"\nremark: {remark}")
    print(f"\nIt trains: lrd train {group}=custom {group}.path={path}")
    return 0
