"""Renew the tables of docs/speed.md: run each benchmark in turn on this machine, and put its table in its place.

    python benchmarks/renew_docs.py [NAME ...] [--quick]                      (make bench-docs)

A table stands between two comments, ``<!-- table: NAME -->`` and ``<!-- end of table -->``, where NAME is a benchmark
of ``BENCHMARKS``. Each is put in its place as soon as it is measured. ``--quick`` prints the page with tables of the
smallest shapes, and leaves the file as it is.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "speed.md"
BENCHMARKS = ("update", "probes", "pack", "sweep")


def replaced(page: str, name: str, table: str) -> str:
    """Return a page with another table under a name.

    Raises:
        ValueError: the page has no such place, or several.
    """
    place = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end of table -->)", re.DOTALL)
    if (count := len(place.findall(page))) != 1:
        raise ValueError(f"the page must have one place <!-- table: {name} --> ... <!-- end of table -->, has {count}")
    return place.sub(lambda found: f"{found[1]}\n{table.strip()}\n\n{found[2]}", page)


def measured(name: str, quick: bool) -> str:
    """Run a benchmark, whose output is shown, and return its table as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.md"
        command = [sys.executable, str(HERE / f"{name}.py"), "--markdown", str(file), *["--quick"] * quick]
        subprocess.run(command, check=True, stdout=sys.stderr)
        return file.read_text(encoding="utf-8")


def main() -> None:
    """Renew the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="smallest shapes; print the page and write nothing")
    given = parser.parse_args()
    if unknown := [name for name in given.names if name not in BENCHMARKS]:
        parser.error(f"{unknown[0]} is none of {', '.join(BENCHMARKS)}")
    page = PAGE.read_text(encoding="utf-8")
    for name in given.names or BENCHMARKS:
        table = measured(name, given.quick)
        page = replaced(page, name, table)
        if not given.quick:
            PAGE.write_text(page, encoding="utf-8")
    if given.quick:
        print(page)


if __name__ == "__main__":
    main()
