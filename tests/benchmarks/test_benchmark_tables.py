"""Tables of benchmarks: as text, as Markdown, in their places of docs/speed.md."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import renew_docs
from table import Table


def test_a_table_is_printed_row_by_row_and_kept_as_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(["About."], ["name", "ratio"])
    table.add("a name that is long", 0.123)
    table.add("b", 4)
    table.note("Note.")
    assert capsys.readouterr().out.splitlines() == [
        "About.",
        "name       ratio",
        "a name that is long     0.12",
        "b" + 18 * " " + "        4",
        "Note.",
    ]
    expected = "About.\n\n| name | ratio |\n| --- | --- |\n| a name that is long | 0.12 |\n| b | 4 |\n\nNote.\n"
    assert table.markdown() == expected


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells, got 1"):
        Table([], ["a", "b"]).add("alone")


def test_a_table_takes_the_place_of_the_one_before() -> None:
    page = "x\n<!-- table: a -->\nold\n<!-- end of table -->\ny\n<!-- table: b -->\nother\n<!-- end of table -->\n"
    once = renew_docs.replaced(page, "a", "new \\1\n")
    assert once == page.replace("\nold\n", "\n\nnew \\1\n\n")
    assert renew_docs.replaced(once, "a", "new \\1\n") == once


@pytest.mark.parametrize("page", ["", 2 * "<!-- table: a -->\nold\n<!-- end of table -->\n"])
def test_a_page_without_one_place_for_a_table_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="one place"):
        renew_docs.replaced(page, "a", "new")


def test_the_page_has_a_place_for_every_benchmark_and_no_other() -> None:
    page = renew_docs.PAGE.read_text(encoding="utf-8")
    for name in renew_docs.BENCHMARKS:
        renew_docs.replaced(page, name, "new")
    assert page.count("<!-- table: ") == len(renew_docs.BENCHMARKS)
