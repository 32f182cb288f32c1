"""Every published result in miniature: it trains, and all of its hypotheses can be asked of its records."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import ROOT, TINY, process_as_before

from lrd.cli import main
from lrd.figures.scripts import FIGURES
from lrd.findings import HYPOTHESES, check_hypotheses, read_hypotheses, read_paper
from lrd.records import open_study

FILES = ROOT / "experiments" / "papers"
NAMES = sorted(path.stem for path in FILES.glob("*.yaml"))
#: What makes probes small, for studies that have them.
SMALL = {
    "gradient_flow": ("samples=4",),
    "lyapunov": ("samples=2", "steps=5", "transient=0"),
    "memory_capacity": ("samples=4", "steps=40"),
    "retention": ("samples=20", "test_samples=20"),
}


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")  # a probe of a study's own lies beside it
    monkeypatch.chdir(tmp_path)
    with process_as_before():
        yield


def small_probes(file: Path) -> list[str]:
    """Return the options that make the probes of a study small."""
    chosen = re.findall(r"override /probe: \[(.*?)\]", file.read_text(encoding="utf-8"))
    probes = re.findall(r"\w+", " ".join(chosen))
    return [f"probe.{probe}.{option}" for probe in probes for option in SMALL.get(probe, ())]


@pytest.mark.parametrize("name", NAMES)
def test_a_published_result_trains_and_is_asked_what_it_states(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In this process, by one worker: most of the time of so small a study would go into starting others."""
    file, study = FILES / f"{name}.yaml", tmp_path / "runs" / "papers" / name
    options = ["runs_dir=runs/papers", "seed=0", "tracker=none", "hydra.launcher.workers=1", *TINY, *small_probes(file)]
    assert main(["train", f"experiment=papers/{name}", *options]) == 0
    trained = capfd.readouterr().out
    assert (study / HYPOTHESES).is_file()
    assert read_hypotheses(study) == read_hypotheses(file)
    paper = read_paper(study)
    assert paper is not None
    assert paper == read_paper(file)
    assert paper.figure in FIGURES

    records = open_study(study)
    ((runs, finished),) = records.sql("select count(*), count(*) filter (state = 'finished') from runs").fetchall()
    assert runs == finished > 0
    findings = check_hypotheses(read_hypotheses(study), records)
    assert [finding.broken for finding in findings] == [""] * len(findings)

    assert main(["hypotheses", str(study)]) == 0
    asked = capfd.readouterr().out
    for said in (trained, asked):
        assert re.search(rf"^\w+: {re.escape(f'{paper.result} ({paper.source})')}$", said, re.MULTILINE)
