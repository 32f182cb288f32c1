"""A published result: what stands under ``paper:``, and the verdict on the whole of it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_runs import row, study

from lrd.findings import (
    FAILS,
    HOLDS,
    UNDECIDED,
    HypothesisError,
    check_hypotheses,
    hypotheses_from,
    paper_from,
    paper_verdict,
    read_paper,
    write_hypotheses,
)
from lrd.findings import paper as module
from lrd.findings.finding import Finding

GOOD: dict[str, Any] = {
    "source": "A. Author (1997),\n  A paper, table 1",
    "result": "It works.",
    "size": "as published; 10 seeds",
    "assumptions": [],
    "deviations": ["It is smaller."],
}
MOST = {"says": "Most do.", "measure": "share", "of": "cell = 'rnn'", "above": 0.5, "published": 1}


def test_a_paper_is_read_as_it_stands() -> None:
    paper = paper_from(GOOD)
    assert paper.source == "A. Author (1997), A paper, table 1"
    assert (paper.assumptions, paper.deviations, paper.further) == ((), ("It is smaller.",), ())
    assert (paper.figure, paper.quick) == ("learning_curves", False)


def test_the_example_of_its_grammar_is_one() -> None:
    block = (module.__doc__ or "").split("\n\n")[1]
    assert paper_from(yaml.safe_load(block)["paper"]).assumptions


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sourc": "A."}, "paper: there is no key 'sourc'; did you mean 'source'?"),
        ({"source": None}, "paper.source: must be a text, got None"),
        ({"size": 3}, "paper.size: must be a text, got 3"),
        ({"deviations": "It is smaller."}, "paper.deviations: must be a list of sentences, got 'It is smaller.'"),
        ({"assumptions": [1]}, "paper.assumptions: must be a text, got 1"),
        (
            {"deviations": ["It is smaller.", {"Rate": 0.1}]},
            "paper.deviations: put quotes around a sentence that holds a colon, got {'Rate': 0.1}",
        ),
        ({"quick": "yes"}, "paper.quick: must be true or false, got 'yes'"),
    ],
)
def test_a_mistake_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(HypothesisError) as caught:
        paper_from(GOOD | change)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["source", "result", "size", "assumptions", "deviations"])
def test_what_must_be_said_cannot_be_left_out(key: str) -> None:
    with pytest.raises(HypothesisError, match=f"paper: {key} is missing"):
        paper_from({name: value for name, value in GOOD.items() if name != key})


def test_the_verdict_on_the_whole_follows_from_those_on_its_parts() -> None:
    for verdicts in (v for n in (1, 2, 3) for v in product((HOLDS, FAILS, UNDECIDED), repeat=n)):
        findings = [Finding("a", "A.", verdict, "", "", 0, 0, 0, 0.95, 0, 1) for verdict in verdicts]
        held, failed = HOLDS in verdicts, FAILS in verdicts
        expected = "partly" if held and failed else "disagrees" if failed else "undecided"
        assert paper_verdict(findings) == ("agrees" if set(verdicts) == {HOLDS} else expected)


def test_a_result_without_hypotheses_is_undecided() -> None:
    assert paper_verdict([]) == UNDECIDED


def test_a_finding_says_what_was_published() -> None:
    (finding,) = check_hypotheses(hypotheses_from({"most": MOST}), study(row(seed, solved_at=10) for seed in range(10)))
    assert (finding.published, finding.stated) == (1, "above 0.5")
    assert finding.numbers.endswith("stated: above 0.5; published: 1")


def test_it_is_kept_beside_the_hypotheses_and_read_from_either_file(tmp_path: Path) -> None:
    write_hypotheses(tmp_path, {"most": MOST}, GOOD)
    assert read_paper(tmp_path) == read_paper(tmp_path / "hypotheses.yaml") == paper_from(GOOD)
    write_hypotheses(tmp_path, {"most": MOST})
    assert read_paper(tmp_path) is None
    assert read_paper(tmp_path / "nowhere.yaml") is None


def test_a_broken_one_in_a_file_is_named_with_the_file(tmp_path: Path) -> None:
    write_hypotheses(tmp_path, {"most": MOST}, {"source": "A."})
    with pytest.raises(HypothesisError, match=r"hypotheses\.yaml: paper: result is missing"):
        read_paper(tmp_path)
