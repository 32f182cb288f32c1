"""Any text can be printed on any terminal."""

from __future__ import annotations

import io
import sys

import pytest

from lrd.printing import print_anything


@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", b"\\xe9 \\U0001f600 \xc3 \\ud800\n"), ("utf-8", "é 😀 ".encode() + b"\xc3 \\ud800\n")],
)
def test_what_has_no_sign_is_written_otherwise(encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n"))
    print_anything()
    for stream in (sys.stdout, sys.stderr):
        print("é 😀 \udcc3 \ud800", file=stream, flush=True)
        assert stream.buffer.getvalue() == written  # type: ignore[attr-defined]
