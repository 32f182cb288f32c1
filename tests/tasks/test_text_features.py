"""Features of a text at each character of a window, against a plain loop over the pairs that the window shows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from texts import in_lines

from lrd.tasks import Stream, Text
from lrd.tasks.corpus import corpus
from lrd.tasks.pairs import closing_distances
from lrd.tasks.text_features import FEATURES, features_of, has_features

SEED = torch.tensor([4])


def by_hand(text: str, start: int, place: int) -> dict[str, int | None]:
    """Each feature after a character of a window that begins at ``start``; None: the window does not show it."""
    pairs = [(close - int(far), close) for close, far in enumerate(closing_distances(text)) if far]
    opened = [text[close] for opening, close in pairs if start <= opening <= place < close]
    line = text.rfind("\n", start, place + 1)
    return {
        "quote": sum(sign in "\"'" for sign in opened),
        "bracket": sum(sign in ")]}" for sign in opened),
        "line": place - line if line >= 0 else None,
    }


def test_features_by_hand() -> None:
    text = 'a (b "c d"\n[e]) f'
    found = [by_hand(text, 0, place) for place in range(len(text))]
    assert [f["quote"] for f in found] == [0] * 5 + [1] * 4 + [0] * 8
    assert [f["bracket"] for f in found] == [0, 0] + [1] * 9 + [2, 2, 1, 0, 0, 0]
    assert [f["line"] for f in found] == [None] * 10 + [0, 1, 2, 3, 4, 5, 6]


def test_features_of_windows_are_those_of_the_plain_loop(tmp_path: Path) -> None:
    path = in_lines(tmp_path)
    text, task = corpus(path).text, Text(gap=70, file=path)
    stream, seen = Stream(SEED, "probe", 1), Counter[str]()
    characters, features = features_of(task, stream, 12)
    places = task._places(Stream(SEED, "probe", 1), 12)[:-1, 0]
    assert characters.shape == (70, 12)
    assert tuple(features) == FEATURES
    symbols = task.batch(SEED, "probe", 1, 12).inputs[:, 0].argmax(-1)
    for window in range(12):
        for step in range(70):
            place, start = int(places[step, window]), int(places[0, window])
            assert characters[step, window] == text[place]
            assert symbols[step, window] == task.alphabet.find(text[place]) + 1
            for name, level in by_hand(text, start, place).items():
                assert features[name].known[step, window] == (level is not None)
                if level is not None:
                    assert features[name].levels[step, window] == level
                    seen[f"{name} {min(level, 2)}"] += 1
    assert {"quote 0", "quote 1", "bracket 0", "bracket 1", "bracket 2", "line 0", "line 2"} <= set(seen)


@pytest.mark.parametrize(
    ("text", "has"), [("plain words " * 40, False), ("a line\n" * 60, True), ("a (pair) and " * 40, True)]
)
def test_a_text_may_have_no_feature_at_all(text: str, has: bool, tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text(text)
    assert has_features(Text(gap=4, file=str(path))) is has
