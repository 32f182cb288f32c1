"""Features of a text that a network may keep track of: open quotes, open brackets, the place in the line.

At every character of a window, for the state after that character was read:

* ``quote``: 1 inside a pair of quotes, the opening one included, else 0;
* ``bracket``: how many pairs of brackets are open;
* ``line``: characters since the end of the last line, 0 at that end itself.

Which signs pair is said in ``lrd.tasks.pairs``. A network knows its window alone: what was opened before it is not
counted, and the place in the line is unknown up to the first end of a line.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from lrd.tasks.corpus import Corpus
from lrd.tasks.pairs import closing_distances
from lrd.tasks.streams import SPLITS, Stream
from lrd.tasks.text import Text

FEATURES = ("quote", "bracket", "line")
_QUOTES, _BRACKETS = "\"'”’", ")]}"


class Feature(NamedTuple):
    """A feature along windows, [characters, windows]: its levels, and where a network can know them."""

    levels: np.ndarray
    known: np.ndarray


def features_of(task: Text, stream: Stream, batch_size: int) -> tuple[np.ndarray, dict[str, Feature]]:
    """Return the characters of windows of one run [characters, windows], and each feature by name.

    Args:
        task: The text, and how long a window is.
        stream: Of one run. The windows are those that ``Text.draw`` gives for an equal stream.
        batch_size: How many windows.
    """
    places = task._places(stream, batch_size)[:-1, 0].cpu().numpy()
    of_text, steps = _of_text(task._corpus), np.arange(len(places))[:, None]
    known = {name: np.ones(places.shape, dtype=bool) for name in ("quote", "bracket")}
    levels = {name: _open(of_text.closed_after[name][places]) for name in known}
    levels["line"] = of_text.since_line[places]
    known["line"] = (levels["line"] >= 0) & (levels["line"] <= steps)
    return of_text.characters[places], {name: Feature(levels[name].astype(float), known[name]) for name in FEATURES}


def has_features(task: Text) -> bool:
    """Return whether the probe part of a text has any feature at all."""
    probed = task._corpus.parts[SPLITS["probe"] :]
    return task.has_closers or "\n" in task._corpus.text[probed[0].start : probed[-1].stop]


def _open(lengths: np.ndarray) -> np.ndarray:
    """Return how many pairs are open after each character of windows.

    Args:
        lengths: at each opening sign how many characters later it is closed, else 0; [characters, windows].
    """
    opened = (lengths > 0).astype(np.int64)
    ends, windows = np.nonzero(lengths)
    ends = ends + lengths[ends, windows]
    inside = ends < len(lengths)
    np.subtract.at(opened, (ends[inside], windows[inside]), 1)
    return opened.cumsum(0)


class _OfText(NamedTuple):
    characters: np.ndarray
    closed_after: dict[str, np.ndarray]  # characters from an opening sign to its closing one, 0 at all others
    since_line: np.ndarray  # characters since the end of the last line; -1 before the first


@functools.lru_cache(maxsize=8)
def _of_text(corpus: Corpus) -> _OfText:
    characters = np.array(list(corpus.text), dtype=object)
    distances = closing_distances(corpus.text)
    closed_after = {}
    for name, signs in (("quote", _QUOTES), ("bracket", _BRACKETS)):
        closers = np.flatnonzero((distances > 0) & np.isin(characters, list(signs)))
        closed_after[name] = np.zeros_like(distances)
        closed_after[name][closers - distances[closers]] = distances[closers]
    places = np.arange(len(characters))
    last = np.maximum.accumulate(np.where(characters == "\n", places, -1))
    return _OfText(characters, closed_after, np.where(last < 0, -1, places - last))
