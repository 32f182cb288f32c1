"""Any text or error as one line."""

from __future__ import annotations

from lrd.one_line import one_line


def test_line_breaks_become_single_spaces() -> None:
    assert one_line(" a\n\n  b\tc\n") == "a b c"
    assert one_line(ValueError("no\nsuch  file")) == "no such file"


def test_an_error_without_a_message_is_named_by_its_class() -> None:
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert one_line("") == ""


def test_no_more_than_the_longest() -> None:
    assert one_line("abcdef", 3) == "abc"
    assert one_line(RuntimeError(), 3) == "Run"
