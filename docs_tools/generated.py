"""Parts of the documentation that are made from the code, so that they cannot differ from it.

A Markdown extension. A line of its own such as ``{{ reading gap_wall }}`` is exchanged for

* ``reading SCRIPT``: how to read a figure, from the docstring of its script in ``analysis/``;
* ``options GROUP``: a table of every option of a group (task, cell, optimizer, training, evaluation, probe);
* ``probes``: what a row of each probe's table is;
* ``tables``, ``files``: the tables of a study and the files of a run (``lrd.records.schema``).
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

DIRECTIVE = re.compile(r"\{\{ (\w+)(?: (\w+))? \}\}")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    """Return the lines of a Markdown table."""
    titles = list(head)
    lines = [titles, ["---"] * len(titles), *rows]
    return ["", *("| " + " | ".join(_cell(value) for value in row) + " |" for row in lines), ""]


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def plain(docstring: str | None) -> list[str]:
    """Return a docstring as Markdown: code in single backquotes, lists after an empty line."""
    text = inspect.cleandoc(docstring or "").replace("``", "`")
    return ["", *re.sub(r"(?m)^(?=\* )(?<!\n\n)", "\n", text, count=1).splitlines(), ""]


def reading(script: str) -> list[str]:
    """Return how to read a figure, as HTML.

    Raises:
        LookupError: the docstring of the script does not say it.
    """
    from lrd.report.reading import reading as read

    found = read(script)
    if not found.blocks:
        raise LookupError(f"analysis/{script}.py does not say how to read its figure")
    lines = [f"<p><em>{found.title}</em></p>"]
    for block in found.blocks:
        items = "".join(f"<li>{item}</li>" for item in block)
        lines.append(f"<ul>{items}</ul>" if len(block) > 1 else f"<p>{block[0]}</p>")
    return ["", *lines, ""]


def kinds(group: str) -> Mapping[str, type[Any]]:
    """Return the classes of a group of options by name."""
    from lrd.cells import CELLS
    from lrd.probes import PROBES
    from lrd.spec import OPTIMIZERS, Evaluation, Training
    from lrd.tasks import TASKS

    groups: dict[str, Mapping[str, type[Any]]] = {"cell": CELLS, "task": TASKS, "optimizer": OPTIMIZERS}
    alone = {"training": {"training": Training}, "evaluation": {"evaluation": Evaluation}}  # groups of one class
    return {**groups, **alone, "probe": PROBES}[group]


def options(group: str) -> list[str]:
    """Return the options of each class of a group."""
    lines: list[str] = []
    for name, kind in sorted(kinds(group).items()):
        prefix = {"probe": f"probe.{name}"}.get(group, group)
        rows = []
        for field in dataclasses.fields(kind):
            if "help" in field.metadata:
                value = list(field.default) if isinstance(field.default, tuple) else field.default
                default = "null" if value is None else f"`{str(value).lower()}`"
                allowed = ", ".join(map(str, field.metadata.get("choices", ())))
                meaning = field.metadata["help"] + (f" ({allowed})" if allowed else "")
                rows.append((f"`{prefix}.{field.name}`", default, meaning))
        summary = plain(kind.__doc__)[1]
        heading = [] if group == name else [f"### `{group}={name}`", "", summary]
        lines += ["", *heading, *table(("Option", "Default", "Meaning"), rows)]
    return lines


def probes() -> list[str]:
    """Return what a row of each probe's table is."""
    from lrd.probes import PROBES

    return [line for name, kind in PROBES.items() for line in ("", f"### `{name}`", *plain(kind.__doc__))]


def tables() -> list[str]:
    """Return every table of a study with its columns."""
    from lrd.records.schema import schema_tables

    return _described(schema_tables(), "Column")


def files() -> list[str]:
    """Return the files of a run: the JSON files key by key, then the others."""
    from lrd.records.schema import OTHER_FILES, schema_files

    others = ((f"`{name}`", meaning.replace("``", "`")) for name, meaning in OTHER_FILES.items())
    return [*_described(schema_files(), "Key"), "", "### Other files", *table(("File", "What it is"), others)]


def _described(parts: Iterable[tuple[str, str, list[tuple[str, str, str]]]], head: str) -> list[str]:
    lines: list[str] = []
    for name, description, columns in parts:
        rows = [(f"`{column}`", kind, meaning.replace("``", "`")) for column, kind, meaning in columns]
        lines += ["", f"### `{name}`", "", description.replace("``", "`"), *table((head, "Type", "Meaning"), rows)]
    return lines


DIRECTIVES: dict[str, Callable[..., list[str]]] = {
    "reading": reading,
    "options": options,
    "probes": probes,
    "tables": tables,
    "files": files,
}


class GeneratedParts(Preprocessor):
    """Exchanges each directive for its lines."""

    def run(self, lines: list[str]) -> list[str]:
        made: list[str] = []
        for line in lines:
            found = DIRECTIVE.fullmatch(line.strip())
            if found:
                made += DIRECTIVES[found.group(1)](*filter(None, [found.group(2)]))
            else:
                made.append(line)
        return made


class Generated(Extension):
    """The extension."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        md.preprocessors.register(GeneratedParts(md), "generated", 33)  # before snippets (32) and fences


def makeExtension(**options: object) -> Generated:  # noqa: N802
    """Return the extension; Markdown looks for a function of this name."""
    return Generated(**options)
