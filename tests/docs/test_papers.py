"""The pages of published results are what the records said, as it is kept, and what the studies' files say now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from papers.blocks import by_hand
from papers.pages import pages
from papers.plans import digest, planned_runs
from papers.publications import Publication, publications
from papers.thumbnail import LARGEST, WIDTH
from papers_table import FILES, PAGES
from PIL import Image

from lrd.records import read_json

RESULTS = sorted(path.stem for path in (PAGES / "results").glob("*.json"))


@pytest.fixture(scope="module")
def found() -> list[Publication]:
    return publications(FILES, PAGES / "results")


def test_the_pages_are_what_their_numbers_make(found: list[Publication]) -> None:
    for page, text in pages(found, PAGES).items():
        assert page.read_text(encoding="utf-8") == text, f"{page.name}: make papers-table writes the tables"


def test_what_is_kept_belongs_to_a_file_that_states_the_same(found: list[Publication]) -> None:
    assert {each.name for each in found} >= set(RESULTS)
    for each in found:
        if each.result is not None:
            hypotheses = each.result["hypotheses"].items()
            kept = [(name, one["says"], one["stated"], one["published"]) for name, one in hypotheses]
            stated = [(one.name, one.says, one.stated, one.published) for one in each.hypotheses]
            assert kept == stated, f"{each.file} has changed: make papers-table asks its records again"


@pytest.mark.slow
@pytest.mark.parametrize("name", RESULTS)
def test_what_is_kept_is_of_the_runs_that_the_file_plans(name: str) -> None:
    result = read_json(PAGES / "results" / f"{name}.json")
    planned = planned_runs(name)
    same = (result["runs"], result["plan"]) == (len(planned), digest(planned))
    assert same, f"experiments/papers/{name}.yaml plans other runs than those of its result: train it again"


def test_a_verdict_follows_from_those_on_its_hypotheses() -> None:
    for name in RESULTS:
        result = read_json(PAGES / "results" / f"{name}.json")
        verdicts = [one["verdict"] for one in result["hypotheses"].values()]
        fails, holds = verdicts.count("fails"), verdicts.count("holds")
        expected = "agrees" if holds == len(verdicts) else "undecided"
        if fails:
            expected = "partly" if holds else "disagrees"
        assert result["verdict"] == expected, name


def test_what_was_not_repeated_has_a_heading_that_names_it(found: list[Publication]) -> None:
    headings = re.findall(r"^##+ .*$", by_hand((PAGES / "disagreements.md").read_text(encoding="utf-8")), re.MULTILINE)
    named = {name for heading in headings for name in re.findall(r"\w+", heading)}
    missing = [each.name for each in found if each.result is not None and each.verdict != "agrees"]
    missing = [name for name in missing if name not in named]
    assert not missing, "docs/papers/disagreements.md needs a heading with the name of each, and what we think of it"


def test_pictures_are_small_and_belong_to_a_result() -> None:
    pictures = sorted((PAGES / "images").glob("*"))
    assert {path.name for path in pictures} <= {f"{name}.png" for name in RESULTS}
    for path in pictures:
        assert path.stat().st_size <= LARGEST
        with Image.open(path) as picture:
            assert picture.width <= WIDTH


def test_no_host_or_home_is_kept() -> None:
    for name in RESULTS:
        text = Path(PAGES / "results" / f"{name}.json").read_text(encoding="utf-8")
        assert not re.search(r'"(host|user|executable|package)"|/home/|/root|/tmp', text)
