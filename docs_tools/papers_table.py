"""Gather what the tables of published results need from records, and write the tables: ``make papers-table``.

    python docs_tools/papers_table.py runs/papers

A study without records at hand, or with unfinished ones, keeps what was gathered before.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from papers.gathered import NotFinishedError, gathered, planned_study
from papers.pages import pages
from papers.plans import planned_runs
from papers.publications import publications
from papers.thumbnail import draw_thumbnail

from lrd.findings import HypothesisError, read_paper
from lrd.hydra_errors import CompositionError
from lrd.records import RecordError, write_json
from lrd.spec import SpecError

ROOT = Path(__file__).resolve().parents[1]
FILES, PAGES = ROOT / "experiments" / "papers", ROOT / "docs" / "papers"


def gather(records: Path, file: Path, pages: Path, options: Sequence[str] = ()) -> str:
    """Write what the tables need of one study, with its picture; return in a line what became of it.

    Args:
        records: folder of all studies of published results.
        file: of the study.
        pages: folder of the pages, with ``results`` and ``images`` in it.
        options: further words of the command line that composes the study.
    """
    folder = records / file.stem
    if not folder.is_dir():
        return "no records here, kept as it was"
    try:
        paper = read_paper(file)
        study = planned_study(folder, planned_runs(file.stem, *options))
        result = gathered(study, file)
    except (CompositionError, HypothesisError, NotFinishedError, RecordError, SpecError) as error:
        return f"kept as it was: {error}"
    (pages / "results").mkdir(parents=True, exist_ok=True)
    write_json(pages / "results" / f"{file.stem}.json", result)
    why = draw_thumbnail(study, paper.figure, pages / "images" / f"{file.stem}.png") if paper else ""
    said = f"{result['verdict']}, {result['runs']} runs"
    return f"{said}; no picture: {why}" if why else said


def main(arguments: Sequence[str]) -> int:
    """Gather and write; return the exit status."""
    records = Path(arguments[0] if arguments else "runs/papers")
    for file in sorted(FILES.glob("*.yaml")):
        print(f"{file.stem}: {gather(records, file, PAGES)}", flush=True)
    try:
        made = pages(publications(FILES, PAGES / "results"), PAGES)
    except (HypothesisError, RecordError) as error:
        print(error, file=sys.stderr)
        return 1
    for page, text in made.items():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
