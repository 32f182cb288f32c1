"""A study says the same whatever locale it is written and read in."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import LRD, TINY, run

from lrd.records import open_study

UTF8 = {"LC_ALL": "C.UTF-8"}
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # as Python itself no longer takes C for
PIPED = {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "ascii"}
LABEL = "né 😀"


@pytest.mark.slow
@pytest.mark.parametrize(("writes", "reads"), [(ASCII, UTF8), (UTF8, ASCII), (UTF8, PIPED)])
def test_written_in_one_and_read_in_another(tmp_path: Path, writes: dict[str, str], reads: dict[str, str]) -> None:
    small = ["tracker=none", "cell.hidden_size=3", "task.gap=3", *TINY]
    run([LRD, "train", "study='été'", f"cell.label='{LABEL}'", *small], tmp_path, **writes)
    study = tmp_path / "runs" / "été"
    ((name, label),) = open_study(study).sql("select study, cell_label from runs").fetchall()
    assert (name, label) == ("été", LABEL)
    shown = LABEL if reads is UTF8 else ascii(LABEL)[1:-1]
    assert shown in run([LRD, "status", "runs/été"], tmp_path, **reads).stdout
    done = run([LRD, "probe", "runs/été", "probe=gates", "--where", f"cell_label = '{LABEL}'"], tmp_path, **reads)
    assert "1 runs: 0 measurements taken before, 2 to take" in done.stdout
    assert open_study(study).check() == []
    nowhere = run([LRD, "status", "runs/là"], tmp_path, status=2, **reads)
    assert nowhere.stderr.startswith("lrd: there is no study at runs/l")
    assert nowhere.stderr.count("\n") == 1
