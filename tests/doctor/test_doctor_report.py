"""The findings as text and as a document: widths, states, exit status, keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrd.doctor import SECTIONS, STATES, Finding, as_document, as_text, examine, summary


def finding(state: str = "ok", value: str = "fine", name: str = "packed", way_out: str = "") -> Finding:
    return Finding("kernels", name, state, value, way_out, {"size": 1e-7})


@pytest.mark.parametrize("value", ["fine", "word " * 60, "w" * 300, ""])
@pytest.mark.parametrize("name", ["packed", "packed_lstm on cuda in bfloat16", "n" * 60])
@pytest.mark.parametrize("state", STATES)
def test_lines_have_100_columns_at_most_and_say_all(state: str, name: str, value: str) -> None:
    text = as_text("kernels", [finding(state, value, name, way_out="report it " * 20)])
    assert max(map(len, text.splitlines())) <= 100
    words = text.replace("\n", " ").split()
    assert state in words
    assert words.count("report") == 20
    assert words.count("->") == 1
    assert "".join(words).count("".join(value.split())) >= 1 or not value.split()
    assert name in text


def test_a_short_finding_is_one_line() -> None:
    text = as_text("slurm", [finding(value="it answers", name="slurm")])
    assert text.splitlines() == ["", "slurm", "  ok       slurm                 it answers"]


def test_only_what_failed_makes_the_exit_status() -> None:
    fine = {"kernels": [finding("ok"), finding("note")]}
    assert summary(fine) == ("all that this machine needs works", 0)
    assert summary({"kernels": [finding("warning")]}) == ("all that this machine needs works, with 1 warning", 0)
    line, status = summary(fine | {"storage": [finding("failed", name="a"), finding("failed", name="b")]})
    assert (line, status) == ("2 failed: kernels a, kernels b", 1)
    many = {"kernels": [finding("failed", name=f"kernel number {number}") for number in range(30)]}
    assert max(map(len, summary(many)[0].splitlines())) <= 100


def test_the_document_holds_the_same() -> None:
    found = {"kernels": [finding("failed", way_out="report it")]}
    assert as_document(found) == {
        "schema": 1,
        "works": False,
        "findings": [
            {
                "section": "kernels",
                "name": "packed",
                "state": "failed",
                "value": "fine",
                "way_out": "report it",
                "facts": {"size": 1e-7},
            }
        ],
    }


def test_a_section_that_fails_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(runs: Path) -> list[Finding]:
        raise RuntimeError("two\nlines")

    for name in SECTIONS:
        monkeypatch.setitem(SECTIONS, name, broken if name == "machine" else lambda runs: [finding()])
    found = dict(examine(tmp_path))
    assert list(found) == list(SECTIONS)
    (of_machine,) = found["machine"]
    assert (of_machine.state, of_machine.value) == ("failed", "could not be examined: RuntimeError: two lines")
    assert summary(found)[1] == 1
