"""A real text: where it comes from, which text it was, its parts and its alphabet.

By default the reference text on the Python language in Python's own ``pydoc_data.topics``, present on every machine:
its topics in the order of their names, cut into paragraphs (at blank lines) of which each is kept once, where it first
comes, joined by one blank line. Topics quote each other at length, and without that the text that is trained on would
come again in the parts that score. Other releases of Python have other topics: ``digest`` says which text it was.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lrd.options import OptionError
from lrd.tasks.parts import PROBED
from lrd.user_files import check_regular, path_of

LEAST_LENGTH = 100
#: In tenths of the text: where the parts of train, eval, test and probe end.
ENDS = (7, 8, 9, 10)
Parts = tuple[range, range, range, range, range, range]


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text of at least ``LEAST_LENGTH`` characters."""

    text: str

    @cached_property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of the text in UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    @cached_property
    def parts(self) -> Parts:
        """Places of the characters of each part, numbered as by ``lrd.tasks.parts.part_number``.

        The first 7 tenths of the text, then three parts of a tenth, the last in thirds: one piece each, none shared.
        """
        *bounds, last = (len(self.text) * end // 10 for end in (0, *ENDS))
        bounds += [bounds[-1] + (last - bounds[-1]) * k // PROBED for k in range(1, PROBED + 1)]
        train, evaluated, tested, one, two, three = (range(a, b) for a, b in itertools.pairwise(bounds))
        return train, evaluated, tested, one, two, three

    @functools.lru_cache(maxsize=4)  # noqa: B019 -- texts are few, and kept anyway
    def alphabet(self, least: int) -> str:
        """Return the characters that are frequent in the training part, in the order of their code points.

        Args:
            least: how many times a character must come there.
        """
        train = self.parts[0]
        characters, counts = np.unique(_points(self.text[train.start : train.stop]), return_counts=True)
        return "".join(map(chr, characters[counts >= least]))

    @functools.lru_cache(maxsize=4)  # noqa: B019
    def codes(self, least: int) -> np.ndarray:
        """Return each character of the text as its place in the alphabet, counted from 1, and 0 for all others."""
        alphabet, points = _points(self.alphabet(least)), _points(self.text)
        place = np.searchsorted(alphabet, points).clip(max=len(alphabet) - 1)
        return np.where(alphabet[place] == points, place + 1, 0)


def _points(text: str) -> np.ndarray:
    """Return the code points of a text."""
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)


def corpus(file: str | None, digest: str | None = None) -> Corpus:
    """Return the text of a UTF-8 file, or of ``pydoc_data.topics``. Ends of lines are read as one line feed.

    Raises:
        OptionError: the file cannot be read, is no text or too short; the text has another digest than the one
            given.
    """
    if file is None:
        found = _topics()
    else:
        try:
            state = check_regular(path_of(file))
            found = _file(file, state.st_mtime_ns, state.st_size)
        except OSError as error:
            raise OptionError("file", f"cannot read {file!r}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise OptionError("file", f"{file!r} is no text in UTF-8 (byte {error.start} is not)") from error
    if len(found.text) < LEAST_LENGTH:
        raise OptionError("file", f"must have at least {LEAST_LENGTH} characters, {file!r} has {len(found.text)}")
    if digest not in (None, found.digest):
        raise OptionError("digest", f"the text here has the digest {found.digest}, got {digest}: it is another text")
    return found


@functools.lru_cache(maxsize=8)
def known_corpus(file: str | None, digest: str) -> Corpus:
    """Return the text with this digest, read once a process whatever becomes of the file."""
    return corpus(file, digest)


@functools.lru_cache(maxsize=8)
def _file(file: str, modified: int, size: int) -> Corpus:
    """Return the text of a file, read again only when the file has changed."""
    return Corpus(path_of(file).read_text(encoding="utf-8"))  # a byte order mark is a character: the digest holds it


@functools.cache
def _topics() -> Corpus:
    # Only here, since few runs need it.
    from pydoc_data.topics import topics

    paragraphs = [part.strip("\n") for name in sorted(topics) for part in topics[name].split("\n\n")]
    return Corpus("\n\n".join(dict.fromkeys(paragraphs)))
