from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from pydoc_data.topics import topics

import pytest
from texts import written

from lrd.options import OptionError
from lrd.tasks.corpus import LEAST_LENGTH, corpus, known_corpus
from lrd.tasks.parts import PARTS


@pytest.mark.parametrize("size", [LEAST_LENGTH, 101, 109, 997, 12345])
def test_parts_are_one_piece_each_share_nothing_and_leave_nothing_out(size: int, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("ab" * (size // 2) + "c" * (size % 2))
    parts = corpus(str(path)).parts
    assert len(parts) == PARTS
    assert [place for part in parts for place in part] == list(range(size))
    shares = (0.7, 0.1, 0.1, *[0.1 / 3] * 3)
    assert all(abs(len(part) - share * size) <= 1 for part, share in zip(parts, shares, strict=True))


def test_codes_are_places_in_the_alphabet_of_the_training_part(tmp_path: Path) -> None:
    text = corpus(written(tmp_path))
    train = Counter(text.text[text.parts[0].start : text.parts[0].stop])
    least = 5
    assert 0 < train["¶"] < least <= train["§"], "the text must have rare signs for this test"
    alphabet = text.alphabet(least)
    assert alphabet == "".join(sorted(sign for sign, n in train.items() if n >= least))
    assert text.codes(least).tolist() == [alphabet.find(sign) + 1 for sign in text.text]


def test_a_sign_that_training_lacks_is_other(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("a" * 90 + "z" * 10)
    assert corpus(str(path)).alphabet(1) == "a"
    assert corpus(str(path)).codes(1).tolist() == [1] * 90 + [0] * 10


def test_signs_beyond_16_bits_count_as_one(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("\U0001d11eä" * 60, encoding="utf-8")
    assert corpus(str(path)).alphabet(1) == "ä\U0001d11e"
    assert len(corpus(str(path)).text) == 120


def test_the_default_text_has_each_paragraph_of_the_topics_once() -> None:
    text = corpus(None)
    paragraphs = text.text.split("\n\n")
    assert len(paragraphs) == len(set(paragraphs))
    assert set(paragraphs) == {part.strip("\n") for topic in topics.values() for part in topic.split("\n\n")}
    first = min(topics)
    assert paragraphs[0] == topics[first].split("\n\n")[0].strip("\n")


def test_the_digest_is_of_the_text() -> None:
    text = corpus(None)
    assert text.digest == hashlib.sha256(text.text.encode("utf-8")).hexdigest()[:12]
    assert corpus(None, text.digest) is text
    with pytest.raises(OptionError, match=f"has the digest {text.digest}, got 0123: it is another text") as caught:
        corpus(None, "0123")
    assert caught.value.key == "digest"


def test_a_file_is_read_again_when_it_changes_but_a_known_text_stays(tmp_path: Path) -> None:
    path = written(tmp_path)
    first = corpus(path)
    assert corpus(path) is first
    assert known_corpus(path, first.digest).text == first.text
    written(tmp_path, words=1400, seed=1)
    second = corpus(path)
    assert second.digest != first.digest
    assert second.text == Path(path).read_text(encoding="utf-8")
    assert known_corpus(path, first.digest).text == first.text


def test_line_ends_do_not_make_another_text(tmp_path: Path) -> None:
    for name, end in (("unix", b"\n"), ("windows", b"\r\n")):
        (tmp_path / name).write_bytes(end.join([b"a line of a text"] * 20))
    assert corpus(str(tmp_path / "unix")).digest == corpus(str(tmp_path / "windows")).digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read .*text': No such file"),
        (b"\xff\xfe" * 200, "is no text in UTF-8 .byte 0 is not"),
        (b"too short", "must have at least 100 characters, .* has 9"),
        (b"", "must have at least 100 characters, .* has 0"),
    ],
)
def test_what_is_no_text_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "text"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OptionError, match=message) as caught:
        corpus(str(path))
    assert caught.value.key == "file"


def test_a_folder_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"cannot read .*: Is a directory"):
        corpus(str(tmp_path))
