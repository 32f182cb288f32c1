"""Each published result: its file in ``experiments/papers`` beside what is kept of its records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lrd.findings import Hypothesis, HypothesisError, Paper, read_hypotheses, read_paper
from lrd.records import read_json
from lrd.report.runs import natural

NOT_RUN = "not run yet"


@dataclass(frozen=True)
class Publication:
    """A published result that a study re-runs.

    Attributes:
        name: of the study.
        paper: what its file says of the source.
        hypotheses: of the study.
        result: what was gathered of its records (``papers.gathered``); None before it was trained.
    """

    name: str
    paper: Paper
    hypotheses: tuple[Hypothesis, ...]
    result: dict[str, Any] | None

    @property
    def verdict(self) -> str:
        """What the records say of the whole."""
        return NOT_RUN if self.result is None else str(self.result["verdict"])

    @property
    def file(self) -> str:
        """Path of the study's file, from the root of the checkout."""
        return f"experiments/papers/{self.name}.yaml"

    @property
    def authors_and_year(self) -> str:
        """The source up to its year: ``Hochreiter & Schmidhuber (1997)``."""
        return self._source[0]

    @property
    def where(self) -> str:
        """The rest of the source: title, table or figure."""
        return self._source[1]

    @property
    def _source(self) -> tuple[str, str]:
        found = re.match(r"(.*?[( ](?:1[89]|20)\d\d[a-z]?\)?)[,.:;]?\s*(.*)", self.paper.source)
        if not found:
            head, _, rest = self.paper.source.partition(",")
            return head, rest.strip()
        return found[1], found[2]


def publications(files: Path, results: Path) -> list[Publication]:
    """Return all published results, those of one source side by side, sources by year.

    Args:
        files: folder of the studies' files.
        results: folder of what was gathered, ``NAME.json`` each.

    Raises:
        HypothesisError: a file has no ``paper:``, or something is wrong with it or with the hypotheses.
    """
    found = []
    for file in sorted(files.glob("*.yaml")):
        paper = read_paper(file)
        if paper is None:
            raise HypothesisError(f"{file} says under paper: of no published result")
        kept = results / f"{file.stem}.json"
        result = read_json(kept) if kept.exists() else None
        found.append(Publication(file.stem, paper, tuple(read_hypotheses(file)), result))
    return sorted(found, key=lambda each: (_year(each), each.authors_and_year, natural(each.where), each.name))


def shared_title(found: Sequence[Publication]) -> str:
    """Return what all results of one source begin with after its year, such as its title; empty of one result alone."""
    parts = [each.where.split(", ") for each in found]
    alike = [first for first, *others in zip(*(part[:-1] for part in parts), strict=False) if set(others) == {first}]
    title = ", ".join(alike)
    return title if all(each.where.startswith(f"{title}, ") for each in found) else ""


def _year(publication: Publication) -> str:
    found = re.search(r"\b(?:1[89]|20)\d\d", publication.authors_and_year)
    return found[0] if found else ""
