"""Every cell on every task: trained, recorded, measured and drawn, as small as it goes."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from commands import LRD, run

from lrd.figures import main
from lrd.figures.scripts import load_script
from lrd.paths import CONF
from lrd.records import open_study

SMALL = ["cell.hidden_size=8", "task.gap=22", "training.max_updates=1", "training.batch_size=2"]
FEW = ["training.eval_samples=2", "training.test_samples=2", "probe.gradient_flow.samples=2", "tracker=none"]


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml") if path.stem != "custom")


@pytest.mark.usefixtures("numbers_alone")
def test_every_cell_on_every_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every = [f"{group}=glob(*,exclude=custom)" for group in ("cell", "task")]
    run([LRD, "train", "-m", *every, *SMALL, *FEW, "study=every"], tmp_path)
    study = open_study(tmp_path / "runs" / "every")
    finished = study.sql("select coalesce(cell_label, cell), task from runs where state = 'finished'").fetchall()
    assert sorted(finished) == [(cell, task) for cell in names("cell") for task in names("task")]
    # Each has a profile of its answer's gradient, at start and end, of every variable: numbers or exact zeros.
    query = """
        select count(distinct (run_id, "update")) from gradient_flow
        where part = 'total' and lag = 0 and variable = 'h' and not isnan(log10_gmean)
    """
    assert study.sql(query).fetchall() == [(2 * len(finished),)]
    assert study.check() == []

    run([LRD, "probe", "runs/every", "probe=gates", "probe.gates.samples=2", "--at", "end"], tmp_path)
    script = load_script("gradient_flow")
    assert main(script.draw, "", [str(study.path), "--out", str(tmp_path / "figures")]) == 0
    pages = [Path(line) for line in capsys.readouterr().out.splitlines() if line.endswith(".csv")]
    rows = [row for page in pages for row in csv.DictReader(page.read_text(encoding="utf-8").splitlines())]
    assert {(row["label"], row["panel"]) for row in rows} == set(finished)
