"""The command: files where they belong, the same bytes again, one line for every mistake."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import process_as_before
from PIL import Image
from synthetic import MadeStudy

from lrd import cli
from lrd.figures import DrawnFigures
from lrd.records import Study, open_study
from lrd.report import PdfError

HYPOTHESIS = """hypotheses:
  solved:
    says: Some LSTMs solve it.
    measure: share
    of: cell = 'lstm'
    above: 0
"""


@pytest.fixture
def folder(made: MadeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A study of one's own, of which nothing is drawn but a stand-in: the README's tests draw all there is."""
    shutil.copytree(made.folder, tmp_path / "made")

    def draw_all(study: Study, out: Path, asked: object) -> DrawnFigures:
        out.mkdir(exist_ok=True)
        Image.new("RGB", (7, 7)).save(out / "gap_wall.png")
        return DrawnFigures([out / "gap_wall.png"])

    monkeypatch.setattr("lrd.figures.draw_all", draw_all)
    with process_as_before():
        yield tmp_path / "made"


def test_a_report_and_the_same_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hypotheses.yaml").write_text(HYPOTHESIS)
    assert cli.main(["report", str(folder), "--no-pdf"]) == 0
    page = folder / "report" / "report.html"
    assert capsys.readouterr() == (f"{page}\n", "")
    first = page.read_bytes()
    assert b"Some LSTMs solve it." in first
    assert first.count(b"data:image/png;base64") == 1
    assert [path.name for path in (folder / "report" / "figures").iterdir()] == ["gap_wall.png"]
    study = open_study(folder)
    assert not study.check()  # the report is taken for no run
    assert cli.main(["report", str(folder), "--no-pdf"]) == 0
    assert page.read_bytes() == first


def test_a_published_result_is_read_from_where_the_hypotheses_are(folder: Path) -> None:
    paper = "paper: {source: A. Author (1997), result: It works., size: same, assumptions: [], deviations: []}"
    page = folder / "report" / "report.html"
    (folder / "hypotheses.yaml").write_text(HYPOTHESIS + paper)
    assert cli.main(["report", str(folder), "--no-pdf"]) == 0
    assert "A. Author (1997)" in page.read_text(encoding="utf-8")
    (folder.parent / "other.yaml").write_text(HYPOTHESIS)
    assert cli.main(["report", str(folder), "--no-pdf", "--hypotheses", str(folder.parent / "other.yaml")]) == 0
    assert "A. Author (1997)" not in page.read_text(encoding="utf-8")


def test_a_broken_published_result_is_left_out_and_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hypotheses.yaml").write_text(HYPOTHESIS + "paper: {source: A. Author (1997)}\n")
    assert cli.main(["report", str(folder), "--no-pdf"]) == 0
    assert "paper: result is missing" in capsys.readouterr().err
    assert "paper: result is missing" in (folder / "report" / "report.html").read_text(encoding="utf-8")


def test_a_figure_that_failed_stands_on_the_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reason = "ValueError: <none> of it"
    monkeypatch.setattr("lrd.figures.draw_all", lambda *_: DrawnFigures(failed={"walls": reason}))
    assert cli.main(["report", str(folder), "--no-pdf"]) == 1
    assert capsys.readouterr() == (f"{folder / 'report' / 'report.html'}\n", f"lrd: failed: walls: {reason}\n")
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert "ValueError: &lt;none&gt; of it" in page
    assert "walls" not in page.partition('id="undrawn"')[2]


def test_elsewhere_of_some_runs_with_other_hypotheses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.parent / "other.yaml").write_text(HYPOTHESIS.replace("Some", "Other"))
    options = ["--out", str(folder.parent / "out" / "deep"), "--filter", "gap = 10", "--no-pdf"]
    assert cli.main(["report", str(folder), *options, "--hypotheses", str(folder.parent / "other.yaml")]) == 0
    html = (folder.parent / "out" / "deep" / "report.html").read_text(encoding="utf-8")
    assert "Other LSTMs solve it." in html
    assert "<code>gap = 10</code>" in html
    assert not (folder / "report").exists()
    assert capsys.readouterr().err == ""


def test_without_a_pdf_the_page_is_there_and_the_status_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise PdfError("no Pango")

    monkeypatch.setattr("lrd.report.write_pdf", refuse)
    assert cli.main(["report", str(folder)]) == 1
    said = capsys.readouterr()
    assert said.out == f"{folder / 'report' / 'report.html'}\n"
    assert said.err == "lrd: no Pango\n"
    assert (folder / "report" / "report.html").exists()


def test_hypotheses_that_cannot_be_read_are_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "hypotheses.yaml").write_text(HYPOTHESIS.replace("measure: share", "measure: sahre"))
    assert cli.main(["report", str(folder), "--no-pdf"]) == 0
    said = capsys.readouterr().err
    assert said.startswith("lrd: left out: ")
    assert "sahre" in said
    assert said.count("\n") == 1
    assert "cannot be read, and were left out: hypotheses.yaml" in (folder / "report" / "report.html").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nowhere"], "there is no study at nowhere"),
        (["made", "--filter", "cel = 'x'"], "cannot use the condition"),
        (["made", "--filter", "gap < 0"], "no run of made meets"),
        (["made", "--hypotheses", "gone.yaml"], "there is no file of hypotheses at gone.yaml"),
        (["made", "--claims", "gone.yaml"], "there is no file of hypotheses at gone.yaml"),
        (["made", "--hypotheses", "bad.yaml"], "bad.yaml: hypotheses.solved: there is no key 'abovee'"),
        (["made", "--out", "file"], "--out: file is a file; give a folder"),
        (["made", "--out", "file/x"], "--out: file is a file; give a folder"),
    ],
)
def test_a_mistake_is_one_line_before_any_work(
    folder: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setattr("lrd.figures.draw_all", None)
    Path("bad.yaml").write_text(HYPOTHESIS.replace("above:", "abovee:"))
    Path("file").touch()
    assert cli.main(["report", *options]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lrd: ")
    assert said in error
    assert error.count("\n") == 1
    assert not (folder / "report").exists()
