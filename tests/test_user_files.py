"""Files that users name: of a pipe or a device nobody waits for the end, and a byte order mark is no text."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from commands import process_as_before

from lrd import cli
from lrd.custom import CustomError, load
from lrd.findings import HypothesisError, read_hypotheses
from lrd.options import OptionError
from lrd.tasks.corpus import corpus
from lrd.user_files import path_of, read_user_text

CELL = (
    (Path(__file__).parent / "custom" / "written.py")
    .read_text(encoding="utf-8")
    .partition('CELL = """')[2]
    .partition('"""')[0]
)


@pytest.fixture(params=["pipe", "device", "socket", "link to a device"])
def endless(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of what is no regular file, in the current folder."""
    monkeypatch.chdir(tmp_path)
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        if request.param == "pipe":
            os.mkfifo("endless")
        elif request.param == "socket":
            listening.bind("endless")
        else:
            os.symlink("/dev/zero", "endless")
        yield "/dev/zero" if request.param == "device" else "endless"


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (lambda name: load("cell", f"{name}:Mine"), CustomError),
        (lambda name: load("task", f"{name}:Mine"), CustomError),
        (corpus, OptionError),
        (read_hypotheses, HypothesisError),
        (lambda name: read_user_text(Path(name)), OSError),
    ],
)
def test_what_is_no_regular_file_is_refused_at_once(
    endless: str, read: Callable[[str], object], wrong: type[Exception]
) -> None:
    with pytest.raises(wrong, match="it is no regular file"):
        read(endless)


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "task=text", "task.file={}"],
        ["plan", "cell=custom", "cell.path={}:Mine"],
        ["check", "{}:Mine"],
        ["train", "task=custom", "task.path={}:Mine"],
    ],
)
def test_the_commands_say_so_in_one_line(
    endless: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with process_as_before():
        assert cli.main([argument.replace("{}", endless) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "it is no regular file" in error


def test_a_byte_order_mark_is_no_part_of_a_cell_or_of_hypotheses(tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain.py", tmp_path / "marked.py"
    plain.write_text(CELL, encoding="utf-8")
    marked.write_text(CELL, encoding="utf-8-sig")
    assert marked.read_bytes() == b"\xef\xbb\xbf" + plain.read_bytes()
    assert read_user_text(marked) == CELL
    assert load("cell", f"{marked}:Leaky").__module__ == load("cell", f"{plain}:Leaky").__module__  # named by the text
    file = tmp_path / "hypotheses.yaml"
    text = "hypotheses:\n  a: {says: It does., measure: share, of: solved, above: 0.5}\n"
    for encoding in ("utf-8", "utf-8-sig"):
        file.write_text(text, encoding=encoding)
        assert [hypothesis.name for hypothesis in read_hypotheses(file)] == ["a"]


def test_the_home_folder_may_be_written_as_in_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my_cell.py").write_text(CELL)
    (tmp_path / "text.txt").write_text("some text. " * 40)
    assert load("cell", "~/my_cell.py:Leaky").__name__ == "Leaky"
    assert corpus("~/text.txt").digest == corpus(str(tmp_path / "text.txt")).digest
    assert path_of("./~") == Path("~")
