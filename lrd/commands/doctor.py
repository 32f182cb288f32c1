"""``lrd doctor``: what works on this machine, for a new machine and for bug reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from lrd.commands import COMMANDS


def run(arguments: list[str]) -> int:
    """Print what was found about this machine, section by section.

    Args:
        arguments: of the command line, after ``doctor``.

    Returns:
        The exit status: 0 where all that this machine needs works, else 1.
    """
    parser = argparse.ArgumentParser(prog="lrd doctor", description=f"Says {COMMANDS['doctor'][1]}.")
    parser.add_argument("--runs", metavar="FOLDER", type=Path, default=Path("runs"), help="folder of all studies")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    given = parser.parse_args(arguments)

    from lrd.doctor import as_document, as_text, examine, summary
    from lrd.records.files import to_json
    from lrd.user_files import path_of

    found = {}
    for section, findings in examine(path_of(given.runs)):
        found[section] = findings
        if not given.json:
            print(as_text(section, findings), flush=True)
    line, status = summary(found)
    print(to_json(as_document(found), indent=1) if given.json else f"\n{line}")
    return status
