"""The tables of published results: numbers as readers read them, and rows of results that were made up."""

from __future__ import annotations

from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown import markdown
from papers.blocks import BEGIN, END, by_hand, text, with_block
from papers.numbers import as_published, rounded, shown
from papers.pages import disagreements_block, flow_block, pages, regime, results_block
from papers.publications import publications

from lrd.findings import HypothesisError
from lrd.records import write_json

PAPER: dict[str, Any] = {
    "source": "B. Author & C. Author (2013), A paper, table 5",
    "result": "W_rec | alone costs $5.",
    "size": "as published",
    "assumptions": [],
    "deviations": [],
    "further": ["With 20 seeds it is the same."],
}
STATED = {
    "soon": {"says": "It is soon.", "measure": "mean", "number": "solved_at", "of": "true", "within_factor": 2}
    | {"published": 31390},
    "most": {"says": "Most do.", "measure": "share", "of": "true", "above": 0.5},
}
SOON = {"says": "It is soon.", "stated": "within a factor of 2 of 31390", "published": 31390.0, "verdict": "holds"}
SOON |= {"estimate": 28900.0, "low": 24100.0, "high": 33000.0, "level": 0.975, "runs": 10}
MOST = {"says": "Most do.", "stated": "above 0.5", "published": None, "verdict": "undecided"}
MOST |= {"estimate": nan, "low": nan, "high": nan, "level": 0.975, "runs": 10}
MOMENT = {"factor": 0.93124, "horizon": 14.03, "regimes": {"vanishing": 10}}
FLOW = {
    "task": "adding",
    "cell": "lstm",
    "gap": 1000,
    "options": "lr 0.1",
    "variable": "h",
    "lag": 990,
    "before": MOMENT,
}
FLOW |= {"after": {"factor": 1.0012, "horizon": inf, "regimes": {"preserving": 7, "exploding": 3}}}
RESULT = {"verdict": "undecided", "hypotheses": {"soon": SOON, "most": MOST}, "runs": 1200, "plan": "", "seeds": 10}
RESULT |= {"solved": 0.5, "training_seconds": 700.0, "machines": [], "versions": [], "gradient_flow": [FLOW]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three results of two sources, one of them not run yet, and the three pages."""
    (tmp_path / "results").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "zoom.png").touch()
    older = PAPER | {"source": "A. Author (1997). An older paper, table 1"}
    for name, paper in {"zoom": PAPER, "apple": PAPER, "zebra": older}.items():
        tree = {"paper": paper, "hypotheses": STATED}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(tree))
    write_json(tmp_path / "results" / "zoom.json", RESULT)
    agreeing = RESULT | {"verdict": "agrees", "hypotheses": {"soon": SOON}}
    write_json(tmp_path / "results" / "zebra.json", agreeing | {"gradient_flow": []})
    for page in ("index", "gradient_flow", "disagreements"):
        (tmp_path / f"{page}.md").write_text(f"# A page\n\nBy hand.\n\n{BEGIN}\nstale\n{END}\n\n## zoom\n\nAlso.\n")
    return tmp_path


@pytest.mark.parametrize(
    ("value", "words"),
    [(28904.4, "28,904"), (0.14532, "0.145"), (0.0, "0"), (1e-12, "0"), (-3.0, "−3"), (1000.0, "1,000"), (433.0, "433")]
    + [(inf, "∞"), (-inf, "−∞"), (nan, "–"), (None, "–"), (2.48e-14, "0"), (3.2e-5, "3.2e-05"), (999.7, "1,000")],
)
def test_a_number_is_shown_as_one_reads_it(value: float | None, words: str) -> None:
    assert shown(value) == words


def test_published_numbers_keep_their_digits() -> None:
    assert [as_published(value) for value in (446850.0, 0.00025, 1.0)] == ["446,850", "0.00025", "1"]


def test_floats_are_kept_with_four_digits_and_all_else_as_it_is() -> None:
    kept = {"a": [1 / 3, 446850.0, inf, 123456], "b": None, "c": "1.23456"}
    assert rounded(kept) == {"a": [0.3333, 446800.0, inf, 123456], "b": None, "c": "1.23456"}


@pytest.mark.parametrize("words", ["W_rec | _a_ *b* `c`", "a < b [c](d) \\e", "2 * 3 * 4"])
def test_words_are_shown_as_they_are(words: str) -> None:
    html = markdown(f"| a | b |\n| --- | --- |\n| {text(words)} | x |\n", extensions=["tables"])
    seen = html.partition("<tbody>")[2].partition("<td>")[2].partition("</td>")[0]
    assert seen.replace("&lt;", "<") == words


def test_a_dollar_begins_no_equation() -> None:
    assert "$" not in text("costs $5$")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"vanishing": 3}, "vanishing"),
        ({"vanishing": 6, "preserving": 4}, "vanishing (6 of 10)"),
        ({"vanishing": 5, "preserving": 5}, "5 vanishing, 5 preserving"),
    ],
)
def test_a_regime_is_that_of_most_runs(counts: dict[str, int], words: str) -> None:
    assert regime(counts) == words


def test_sources_stand_by_year_and_results_of_one_source_together(folder: Path) -> None:
    found = publications(folder, folder / "results")
    assert [each.name for each in found] == ["zebra", "apple", "zoom"]
    assert [each.authors_and_year for each in found] == ["A. Author (1997)", *["B. Author & C. Author (2013)"] * 2]
    assert [each.where for each in found] == ["An older paper, table 1", *["A paper, table 5"] * 2]
    assert [each.verdict for each in found] == ["agrees", "not run yet", "undecided"]


def test_a_row_says_what_was_published_what_came_out_and_from_how_much(folder: Path) -> None:
    block = results_block(publications(folder, folder / "results"), folder / "images")
    assert block.startswith("Published results: 3. Re-run: 2; agrees: 1; undecided: 1.\n")
    (zoom,) = (line for line in block.splitlines() if "papers/zoom.yaml" in line)
    cells = [cell.strip() for cell in zoom.strip("|").split(" | ")]
    published, came_out, verdict, size, picture = cells
    assert published == "**table 5**<br>W\\_rec \\| alone costs &#36;5.<br>`experiments/papers/zoom.yaml`"
    first, second = came_out.split("<br>")
    assert first == "It is soon. **28,900** (24,100 to 33,000), published 31,390: holds"
    assert second == "Most do. **–** (no interval): undecided"
    assert verdict == "[**undecided**](disagreements.md)"
    assert size == "as published<br>10 seeds, 1,200 runs, 12 min"
    image = '<img src="images/zoom.png" width="240" alt="learning curves of zoom">'
    assert picture == f'<a href="images/zoom.png">{image}</a>'
    assert "\n## B. Author & C. Author (2013)\n\n*A paper*\n\n| Published |" in block
    assert "| **An older paper, table 1**<br>" in block  # of one result alone there is nothing to share
    (apple,) = (line for line in block.splitlines() if "papers/apple.yaml" in line)
    assert "| not run yet |" in apple
    (zebra,) = (line for line in block.splitlines() if "papers/zebra.yaml" in line)
    assert "| **agrees** |" in zebra
    assert "<img" not in zebra
    html = markdown(block, extensions=["tables"])
    assert (html.count("<table>"), html.count("<h2>"), html.count("<td")) == (2, 2, 3 * 5)


def test_what_the_gradient_did_stands_beside_the_lag(folder: Path) -> None:
    block = flow_block(publications(folder, folder / "results"))
    (row,) = (line for line in block.splitlines() if "`zoom`" in line)
    assert row == (
        "| `zoom` | lstm, lr 0.1 | 1,000 | 990 | dL/dh | 0.9312 → 1.001 | vanishing → preserving (7 of 10) | 14 → ∞ |"
    )
    assert "apple" not in block
    assert "zebra" not in block
    assert flow_block([]) == "No study that was re-run has the probe yet."


def test_what_did_not_come_out_as_published_is_listed_with_what_was_checked_since(folder: Path) -> None:
    lines = disagreements_block(publications(folder, folder / "results")).splitlines()
    assert lines == [
        "* **undecided** `zoom`, B. Author & C. Author (2013): W\\_rec \\| alone costs &#36;5.",
        "    * Most do. **–** (no interval): undecided; stated: above 0.5",
        "    * Checked since: With 20 seeds it is the same.",
    ]
    assert disagreements_block([]) == "Every result that was re-run agrees."


def test_what_is_written_by_hand_stays(folder: Path) -> None:
    made = pages(publications(folder, folder / "results"), folder)
    assert {page.name for page in made} == {"index.md", "gradient_flow.md", "disagreements.md"}
    for page, words in made.items():
        assert words.startswith("# A page\n\nBy hand.\n\n")
        assert words.endswith("\n\n## zoom\n\nAlso.\n")
        assert "stale" not in words
        assert by_hand(words) == "# A page\n\nBy hand.\n\n\n\n## zoom\n\nAlso.\n"
        page.write_text(words, encoding="utf-8")
    assert pages(publications(folder, folder / "results"), folder) == made
    with pytest.raises(ValueError, match="needs one line"):
        with_block("# A page\n", "block")


def test_a_file_without_a_paper_is_named(folder: Path) -> None:
    (folder / "bare.yaml").write_text(yaml.safe_dump({"hypotheses": STATED}))
    with pytest.raises(HypothesisError, match=r"bare\.yaml says under paper: of no published result"):
        publications(folder, folder / "results")
