"""Folders for sockets: the usual one where it is short enough, another where not, and a line where there is none."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from lrd.sweeps import sockets
from lrd.sweeps.sockets import NoSocketError, short_folder


@pytest.mark.parametrize("length", [70, 75, 76, 100, 200])
def test_a_socket_fits_into_it(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path(tempfile.mkdtemp(dir="/tmp", prefix="t" * (length - len("/tmp/12345678"))))
    assert len(str(usual)) == length
    monkeypatch.setattr(tempfile, "tempdir", str(usual))
    try:
        with (
            short_folder(),
            tempfile.TemporaryDirectory(prefix="pymp-") as folder,
            socket.socket(socket.AF_UNIX) as one,
        ):
            one.bind(tempfile.mktemp(prefix="listener-", dir=folder))
            assert (Path(folder).parent == usual) == (length <= 75)
        assert tempfile.gettempdir() == str(usual)
    finally:
        usual.rmdir()


def test_where_there_is_none_a_line_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SHORT", ("/not/there",))
    monkeypatch.setattr(tempfile, "tempdir", "/tmp/" + "t" * 100)
    with pytest.raises(NoSocketError, match=r"^TMPDIR: must have at most 75 bytes where none of /not/there can be"):
        short_folder().__enter__()
