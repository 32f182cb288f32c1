"""Small texts of which everything is known, for the tests of tasks and probes on text."""

from __future__ import annotations

import random
from pathlib import Path

WORDS = ("of", "gap", "(a b)", '"to"', "it's", "[x, y]", "long lag", "{k}", "cell", "(see [it])")


def written(folder: Path, words: int = 1500, seed: int = 0, name: str = "text.txt") -> str:
    """A file of random words, some of them in brackets and quotes, the rare sign § and the rarer ¶ among them."""
    chosen = random.Random(seed).choices(WORDS, k=words)
    chosen[5::100] = ["§"] * len(chosen[5::100])
    chosen[7::400] = ["¶"] * len(chosen[7::400])
    path = folder / name
    path.write_text(" ".join(chosen), encoding="utf-8")
    return str(path)


def in_lines(folder: Path, words: int = 1500, seed: int = 0) -> str:
    """The same with an end of a line after every seventh to twelfth word, a blank line after every fortieth."""
    path = Path(written(folder, words, seed, "lines.txt"))
    chosen, ends = path.read_text(encoding="utf-8").split(" "), random.Random(seed + 1)
    after = dict.fromkeys(range(7, len(chosen), ends.randint(7, 12)), "\n")
    after |= dict.fromkeys(range(40, len(chosen), 40), "\n\n")
    path.write_text("".join(word + after.get(place, " ") for place, word in enumerate(chosen)), encoding="utf-8")
    return str(path)
