"""Train the published results that take minutes, one after another, and print the verdict on each: ``make papers``.

    python docs_tools/train_papers.py runs/papers

They are the studies of ``experiments/papers`` with ``quick: true``. What was trained before is not trained again.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lrd.findings import HypothesisError, check_hypotheses, paper_verdict, read_hypotheses, read_paper
from lrd.records import RecordError, open_study

FILES = Path(__file__).resolve().parents[1] / "experiments" / "papers"


def quick_studies(files: Path = FILES) -> list[str]:
    """Return the names of the studies that their files call quick."""
    return [file.stem for file in sorted(files.glob("*.yaml")) if (paper := read_paper(file)) and paper.quick]


def command(name: str, records: Path, options: Sequence[str] = ()) -> list[str]:
    """Return the command that trains a study.

    Args:
        name: of the study.
        records: folder of the records of all published results.
        options: further words of the command line.
    """
    lrd = str(Path(sys.executable).with_name("lrd"))
    return [lrd, "train", f"experiment=papers/{name}", f"runs_dir={records}", *options]


def exit_status(words: Sequence[str]) -> int:
    """Run a command and return its exit status, as a shell gives it.

    Ctrl-C reaches the command as well, which then writes its checkpoints: it is waited for, however long that takes.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)  # a handler, since the command would inherit SIG_IGN
    try:
        status = subprocess.run(words).returncode
    finally:
        signal.signal(signal.SIGINT, before)
    return 128 - status if status < 0 else status


def main(arguments: Sequence[str]) -> int:
    """Train each study and print all verdicts; return the exit status, that of the worst training."""
    records, options = Path(arguments[0] if arguments else "runs/papers"), arguments[1:]
    names = quick_studies()
    worst = 0
    for number, name in enumerate(names, start=1):
        print(f"\n{number} of {len(names)}: {name}", flush=True)
        status = exit_status(command(name, records, options))
        if status == 130:  # Ctrl-C is meant for all of them
            return status
        worst = max(worst, status)
    print()
    for name in names:
        print(f"{_verdict(records / name):10}  {name}")
    return worst


def _verdict(folder: Path) -> str:
    try:
        return paper_verdict(check_hypotheses(read_hypotheses(folder), open_study(folder)))
    except (HypothesisError, RecordError):  # its training did not begin
        return "no records"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
