"""The generated part of a page, between two comments; the rest of the page is written by hand."""

from __future__ import annotations

import re

BEGIN = "<!-- made by `make papers-table` from docs/papers/results: change nothing down to the next such line -->"
END = "<!-- end of what `make papers-table` made -->"


def with_block(page: str, block: str) -> str:
    """Return a page with a block in the place of its generated part.

    Raises:
        ValueError: the page has no such part, or more than one.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"the page needs one line {BEGIN} and below it one line {END}")
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{block.strip()}\n\n{END}{rest.partition(END)[2]}"


def by_hand(page: str) -> str:
    """Return what of a page is written by hand."""
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", "", page, flags=re.DOTALL)


def text(words: str) -> str:
    """Return words as Markdown that shows them as they are, in a cell of a table too."""
    escaped = re.sub(r"([\\`*_\[\]|])", r"\\\1", " ".join(words.split()))
    return escaped.replace("<", "&lt;").replace("$", "&#36;")


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Return the lines of a table, with an empty one before and after."""
    return ["", *("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]), ""]
