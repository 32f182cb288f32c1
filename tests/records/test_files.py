"""Files replaced as a whole, and JSON with non-finite numbers."""

from __future__ import annotations

import errno
import json
import math
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrd.records import RunRecord, open_study
from lrd.records.files import (
    RecordError,
    from_json,
    plain_text,
    read_json,
    to_json,
    utf8_path,
    write_atomic,
    write_json,
)

texts = st.text() | st.sampled_from(["nan", "inf", "-inf", "~nan", "~~-inf", "NaN", "~", ""])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


def fail_on(error: type[BaseException]) -> Any:
    def raise_it(text: str) -> None:
        raise error(text)

    return raise_it


@given(values)
def test_json_comes_back_as_it_was_and_is_valid(value: Any) -> None:
    text = to_json(value)
    json.loads(text, parse_constant=fail_on(AssertionError))  # strict JSON: no NaN, no Infinity
    assert same(from_json(text), value)


def test_json_takes_numpy_scalars_tuples_and_paths() -> None:
    value = {"a": np.float32(0.5), "b": np.int64(3), "c": (1, np.bool_(True)), "d": Path("x/y"), "e": np.float64("nan")}
    back = from_json(to_json(value))
    assert back.pop("e") != 0
    assert back == {"a": 0.5, "b": 3, "c": [1, True], "d": "x/y"}


@pytest.mark.parametrize("value", [{1: 2}, object(), {"a": {3}}])
def test_json_refuses_what_it_could_not_give_back(value: Any) -> None:
    with pytest.raises(TypeError):
        to_json(value)


@pytest.mark.parametrize("text", ["", '{"a": 1', "NaN", '{"a": Infinity}', "[" * 100_000, "\x00", "{'a': 1}"])
def test_damaged_json_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"x\.json: it is damaged") as caught:
        read_json(path)
    assert "\n" not in str(caught.value)


def test_json_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(RecordError, match=r"x\.json"):
        read_json(tmp_path / "x.json")


def test_missing_json_is_missing_rather_than_damaged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_writer_that_raises_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})

    def write(temporary: Path) -> None:
        temporary.write_text('{"new":')
        assert temporary.parent == tmp_path
        assert temporary != path
        raise error("in the middle")

    with pytest.raises(RecordError if error is OSError else error):
        write_atomic(path, write)
    assert read_json(path) == {"old": 1}
    assert os.listdir(tmp_path) == ["x.json"]


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission"), (errno.EIO, "Input")],
)
def test_what_the_system_refuses_is_one_line_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    path = tmp_path / "x.json"
    write_json(path, 1)

    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(RecordError, match=words) as caught:
        write_json(path, 2)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert read_json(path) == 1
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_file_that_truly_does_not_fit(tmp_path: Path) -> None:
    """A limit on the size of files makes the system itself refuse in the middle of a write."""
    code = (
        "import signal, sys; from pathlib import Path; from lrd.records.files import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try: write_json(Path(sys.argv[1]), 'x' * 100000)\n"
        "except RecordError as error: print(error)\n"
    )
    path = tmp_path / "x.json"
    write_json(path, "old")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert str(path) in done.stdout
    assert "larger than allowed" in done.stdout
    assert read_json(path) == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_folder_gone_and_folder_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="folder is gone"):
        write_json(tmp_path / "gone" / "x.json", 1)
    (tmp_path / "x.json").mkdir()
    with pytest.raises(RecordError, match="folder stands in the place"):
        write_json(tmp_path / "x.json", 1)
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, [0] * 1000)
    done = threading.Event()

    def write() -> None:
        for number in range(100):
            write_json(path, [number] * (1000 + 200 * (number % 7)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        value = read_json(path)
        assert len(value) >= 1000
        assert len(set(value)) == 1
        seen.add(value[0])
        time.sleep(0)
    writer.join()
    assert len(seen) > 3  # it did read while the file changed
    assert os.listdir(tmp_path) == ["x.json"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("été 😀", "été 😀"),
        ("\udcc3\udca9t\udcc3\udca9", "été"),
        ("a\udcff", "a\ufffd"),
        ("\ud800b", "\ufffdb"),
        ("", ""),
    ],
)
def test_text_that_no_encoding_holds_is_kept_as_text(tmp_path: Path, text: str, kept: str) -> None:
    assert plain_text(text) == kept
    write_json(tmp_path / "a.json", {text: [text]})
    assert read_json(tmp_path / "a.json") == {kept: [kept]}
    (tmp_path / "b.json").write_text(json.dumps({"nan": text}))  # as others may have written it
    assert read_json(tmp_path / "b.json") == {"nan": kept}


def test_a_folder_whose_name_is_no_text_is_one_line(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    named = Path(os.fsdecode(os.fsencode(tmp_path) + "/été".encode()))
    assert utf8_path(named) == f"{tmp_path}/été"
    with pytest.raises(RecordError, match="its name is no text in UTF-8"):
        RunRecord(folder, "s", "a").create({"spec": {}})
    assert not folder.exists()
    folder.mkdir()
    (folder / "a").mkdir()
    (folder / "a" / "run.json").write_text("{}")
    with pytest.raises(RecordError, match="no readable runs"):
        open_study(folder)
