"""The page: whole without a network, well-formed, true to its records, the same again; what is wrong stands on it."""

from __future__ import annotations

import base64
import re
import shutil
from io import BytesIO
from itertools import pairwise
from math import nan
from pathlib import Path

import pytest
from PIL import Image
from seen import Seen
from synthetic import MadeStudy

from lrd.figures import DrawnFigures
from lrd.findings import FAILS, HOLDS, UNDECIDED, Finding, Paper
from lrd.records import RunRecord, Study, open_study
from lrd.report import page

EVIL = "<script>alert('x')</script> & \"co\""


@pytest.fixture(scope="module")
def html(made: MadeStudy, drawn: DrawnFigures) -> str:
    return page(open_study(made.folder), drawn)


def finding(name: str, verdict: str, reason: str = "") -> Finding:
    return Finding(name, f"It is so, says {name}.", verdict, f"numbers of {name}", reason, 0.5, 0.4, 0.6, 0.95, 0.3, 9)


def test_every_link_and_picture_resolves_without_a_network(html: str) -> None:
    seen = Seen(html)
    ids = [attributes["id"] for _, attributes in seen.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes in seen.all("a")]
    assert len(links) > 8
    assert {str(link)[0] for link in links} == {"#"}
    assert {str(link)[1:] for link in links} <= set(ids)
    assert {attributes["href"] for attributes in seen.all("link")} == {"data:,"}
    assert len(seen.all("img")) == 3
    for attributes in seen.all("img"):
        head, _, data = str(attributes["src"]).partition(",")
        assert head == "data:image/png;base64"
        with Image.open(BytesIO(base64.b64decode(data, validate=True))) as image:
            assert image.size == (350, 100)
        # 350 dots of 1/200 in are 1.75 in, and an inch of CSS has 96 pixels.
        assert (attributes["width"], attributes["height"]) == ("168", "48")
    assert {"script", "iframe", "object"}.isdisjoint(name for name, _ in seen.elements)
    assert not re.search(r"url\(|@import|https?://", html)
    policy = next(each["content"] for each in seen.all("meta") if "http-equiv" in each)
    assert str(policy).startswith("default-src 'none'; img-src data:")


def test_it_can_be_read_without_seeing_it(html: str) -> None:
    seen = Seen(html)
    assert seen.all("html") == [{"lang": "en"}]
    assert len(seen.all("title")) == 1
    levels = [int(name[1]) for name, _ in seen.elements if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(len(str(attributes["alt"])) > 20 for attributes in seen.all("img"))
    assert len({attributes["alt"] for attributes in seen.all("img")}) == 3
    assert len(seen.tables) == len(seen.all("table")) > 4  # each has a caption of its own
    for attributes in seen.all("th"):
        assert attributes["scope"] in ("col", "row")
    assert {len(row) for rows in seen.tables.values() for row in rows if len(row) != len(rows[0])} == set()


def test_figures_stand_in_order_with_how_to_read_them(html: str) -> None:
    seen = Seen(html)
    headings = re.findall(r"<h3 id=\"(\w+)\"", html)
    assert headings == ["gradient_flow", "gap_wall", "undrawn"]
    assert [attributes["id"] for attributes in seen.all("img")] == [
        "picture-gradient_flow",
        "picture-gap_wall",
        "picture-gap_wall_2",
    ]
    assert "One panel a task, one line a cell. A point is the share of all runs begun" in seen.text
    assert "Numbers: figures/gap_wall.csv, figures/gap_wall_2.csv." in seen.text
    assert "the study <b> has one gap" in seen.text
    assert "are drawn against: regimes." in seen.text


def test_nobodys_home_stands_on_the_page(made: MadeStudy, drawn: DrawnFigures) -> None:
    missing, wrong = {"walls": "lrd probe /home/anna/runs/x"}, {"regimes": "/Users/bob/y failed"}
    failed = DrawnFigures(drawn.paths, missing, wrong, drawn.scripts)
    html = page(open_study(made.folder), failed, unreadable="cannot read /cluster/home/anna/hypotheses.yaml")
    assert "lrd probe ~/runs/x" in html
    assert "~/y failed" in html
    assert "cannot read ~/hypotheses.yaml" in html
    assert "anna" not in html


def test_the_same_records_give_the_same_bytes(made: MadeStudy, drawn: DrawnFigures, html: str, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / made.folder.name
    shutil.copytree(made.folder, moved)
    shutil.rmtree(moved / made.runs[0].run_id)
    shutil.copytree(made.folder / made.runs[0].run_id, moved / made.runs[0].run_id)  # now the last in its folder
    assert page(open_study(moved), drawn) == html


def test_hypotheses_are_shown_with_their_verdicts(made: MadeStudy, drawn: DrawnFigures) -> None:
    found = [finding("one", HOLDS), finding("two", FAILS), finding("three", HOLDS), finding("four", UNDECIDED, "few")]
    seen = Seen(page(open_study(made.folder), drawn, found))
    assert "4 hypotheses: 2 hold, 1 fails, 1 undecided." in seen.text
    _, *rows = seen.tables["Hypotheses of the study, each held against its records"]
    assert [row[1] for row in rows] == [HOLDS, FAILS, HOLDS, UNDECIDED]
    assert [row[0].startswith("It is so, says") for row in rows] == [True] * 4
    assert rows[3][2] == "numbers of fourfew"
    assert "No hypothesis was written down" in Seen(page(open_study(made.folder), drawn)).text
    unreadable = Seen(page(open_study(made.folder), drawn, (), "hypotheses.yaml is bad"))
    assert "left out: hypotheses.yaml is bad" in unreadable.text


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [((HOLDS, HOLDS), "agrees"), ((HOLDS, FAILS), "partly"), ((FAILS, UNDECIDED), "disagrees"), ((), "undecided")],
)
def test_a_published_result_stands_beside_the_hypotheses(
    verdicts: tuple[str, ...], whole: str, made: MadeStudy, drawn: DrawnFigures
) -> None:
    found = [finding(f"h{number}", verdict) for number, verdict in enumerate(verdicts)]
    paper = Paper("A. Author (1997), table <1>", "It works.", "smaller; 9 seeds", (), ("One.", "Two."), ("It is so.",))
    html = page(open_study(made.folder), drawn, found, paper=paper)
    seen = Seen(html)
    section = html.partition('<section aria-labelledby="paper">')[2].partition("</section>")[0]
    assert html.index('aria-labelledby="hypotheses">') < html.index(section) < html.index('aria-labelledby="results">')
    assert "It works. (A. Author (1997), table <1>)" in seen.text
    assert f"On the whole: {whole} ." in seen.text
    assert re.findall(r"<d([td])>(.*?)</d", section) == [
        *[("t", "Size"), ("d", "smaller; 9 seeds")],
        *[("t", "What the source does not say"), ("d", "nothing")],
        *[("t", "What is done otherwise"), ("d", "One."), ("d", "Two.")],
        *[("t", "Checked since"), ("d", "It is so.")],
    ]
    assert {"href": "#paper"} in seen.all("a")
    levels = [int(name[1]) for name, _ in seen.elements if re.fullmatch(r"h[1-6]", name)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    never = page(open_study(made.folder), drawn, found, paper=Paper("A. (1997)", "It.", "as published", (), ()))
    assert "Checked since" not in never
    some = page(open_study(made.folder, "gap = 10"), drawn, found, condition="gap = 10", paper=paper)
    assert "Only some of the runs count here." in Seen(some).text


def test_a_study_that_re_runs_nothing_has_no_such_section(html: str) -> None:
    assert "published result" not in html
    assert "#paper" not in html


def test_of_some_runs_alone(made: MadeStudy, drawn: DrawnFigures) -> None:
    condition = "cell = 'lstm' and gap < 20"
    seen = Seen(page(open_study(made.folder, condition), drawn, condition=condition))
    assert f"Only runs that meet {condition} ." in seen.text
    assert "4 runs of 1 cell (lstm) on 2 tasks (adding, copy), with 2 seeds" in seen.text


def test_what_runs_say_of_themselves_is_text_and_not_html(tmp_path: Path, drawn: DrawnFigures) -> None:
    record = RunRecord(tmp_path, "evil", "run")
    spec = {"task": {"name": "copy", "gap": 3}, "cell": {"name": "rnn", "label": EVIL, "init": EVIL}, "seed": 0}
    record.create({"spec": spec, "task": {}, "parameters": 1})
    record.status("failed", update=1, max_updates=2, message=f"no luck: {EVIL}")
    hypothesis = Finding(EVIL, EVIL, UNDECIDED, EVIL, EVIL, nan, nan, nan, 0.95, 0.0, 0, EVIL)
    html = page(open_study(tmp_path / "evil"), drawn, [hypothesis], condition=f"cell_label = '{EVIL}'")
    seen = Seen(html)
    assert not seen.all("script")
    assert "<script" not in html
    assert EVIL in seen.tables["Runs that failed, by reason"][1][0]
    assert seen.tables["Training time, by task and cell"][1][1] == EVIL
    assert EVIL in seen.tables["Hypotheses of the study, each held against its records"][1][0]


def test_a_study_in_pieces_still_gives_a_page(made: MadeStudy, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    shutil.copytree(made.folder, folder)
    broken, cut, silent, *_ = (run.run_id for run in made.runs)
    (folder / broken / "run.json").write_text("{")
    (folder / cut / "metrics.parquet").write_bytes(b"PAR1")
    (folder / silent / "environment.json").write_text("nothing")
    (folder / "holiday").mkdir()
    seen = Seen(page(open_study(folder), DrawnFigures(missing={"walls": EVIL}, scripts=("walls",))))
    left_out = " ".join(row[0] for row in seen.tables["Files and folders that were left out"][1:])
    assert f"cannot read {broken}/run.json" in left_out
    assert f"cannot read {cut}/metrics.parquet" in left_out
    assert "holiday is no run" in left_out
    assert str(tmp_path) not in left_out
    assert seen.tables["Machines"][-1] == ["not known", "", "", "", "", "1"]
    assert "No figure could be drawn." in seen.text


def test_a_study_that_has_just_begun(tmp_path: Path, drawn: DrawnFigures) -> None:
    record = RunRecord(tmp_path, "begun", "run")
    spec = {"task": {"name": "copy", "gap": 5}, "cell": {"name": "rnn"}, "seed": 0}
    record.create({"spec": spec, "task": {}, "parameters": 1})
    record.status("running", update=0, max_updates=10)
    seen = Seen(page(open_study(tmp_path / "begun"), drawn))
    assert "1 run of 1 cell (rnn) on 1 task (copy), with 1 seed: 0 solved, 1 unfinished." in seen.text
    assert seen.tables["Runs that have not ended"][1] == ["copy", "5", "rnn", "running", "1", "0", "10"]


def test_no_table_has_a_row_a_run(drawn: DrawnFigures) -> None:
    """Of 200 runs that differ in everything, as rows of the table ``runs``: no folder is there to be read."""
    rows = [
        {"run_id": f"r{n}", "task": "copy", "gap": n, "cell": f"c{n}", "cell_label": f"c{n}", "seed": n}
        | {"state": ("failed", "finished")[n % 2], "outcome": (None, "diverged")[n % 2], "message": f"reason {n}"}
        | {"update": 5, "max_updates": 9, "diverged_at": n, "seconds": 1.0, "optimizer_lr": 0.1 * n}
        for n in range(200)
    ]
    seen = Seen(page(Study(Path("/nowhere/big"), rows, [f"problem {n}" for n in range(400)]), drawn))
    assert max(len(table) for table in seen.tables.values()) <= 151
    assert seen.text.count("370 more rows not shown here.") == 1  # of 400 problems 30 are shown
    assert seen.text.count(" 70 more rows not shown here.") == 2  # of 100 failures and of 100 divergences
