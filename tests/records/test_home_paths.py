"""Nobody's home stands in what is sent to others."""

from __future__ import annotations

import pytest

from lrd.records import without_home


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/anna/work/my_cell.py:Mine", "~/work/my_cell.py:Mine"),
        ("cannot read /Users/anna/x y: it is", "cannot read ~/x y: it is"),
        ("'/cluster/home/anna/x'", "'~/x'"),
        ("/root/x and /root", "~/x and ~"),
        ("/users/anna/x", "~/x"),
        ("/home2/anna/x", "~/x"),
        ("https://example.org/home/x", "https://example.org/home/x"),
        ("/mine/own/x", "~/x"),
        ("/mine/ownership/x", "/mine/ownership/x"),
        ("runs/home/anna/x", "runs/home/anna/x"),
        ("~/home/anna", "~/home/anna"),
        ("and/or, 1/2, /tmp/x", "and/or, 1/2, /tmp/x"),
        ("lstm", "lstm"),
    ],
)
def test_homes(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/mine/own")
    assert without_home(text) == shown


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    assert without_home("/tmp/x") == "/tmp/x"
