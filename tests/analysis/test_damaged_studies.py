"""Damaged files under the figures: each is named, and the rest is drawn as if it had never been there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from synthetic import make_study

from lrd import cli
from lrd.figures import draw_all, main
from lrd.figures.scripts import load_script
from lrd.records import open_study

SCRIPTS = {"metrics.parquet": "learning_curves", "gradient_flow.parquet": "gradient_flow"}
SCRIPTS |= {"gradient_fit.parquet": "gradient_flow", "summary.json": "gap_wall"}
SCRIPTS |= {"lyapunov.parquet": "lyapunov_slope", "retention.parquet": "retention_along_gap"}


def tables(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.csv")}


@pytest.mark.slow
@pytest.mark.usefixtures("tables_alone")
@pytest.mark.parametrize("file", SCRIPTS)
@pytest.mark.parametrize("how", ["cut", "rows"])
def test_what_is_damaged_is_named_and_the_rest_drawn(
    file: str, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where a run has lost a table, the figure is that of a study whose run never had one."""
    make_study(tmp_path, tasks=("copy",), gaps=(10,), seeds=3)
    study = tmp_path / "made"
    victim = sorted(study.glob("rnn-*"))[0] / file
    shutil.copytree(study, tmp_path / "without")
    bare = tmp_path / "without" / victim.parent.name
    if file == "summary.json":
        shutil.rmtree(bare)
    else:
        status = json.loads((bare / "status.json").read_text(encoding="utf-8"))
        del status["crc32"][file]
        (bare / "status.json").write_text(json.dumps(status))
        (bare / file).unlink()
    if how == "cut":
        victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    elif file == "summary.json":
        victim.write_text("{}")  # whole JSON, and nothing in it
    else:
        import duckdb

        rows = f"from read_parquet('{victim}') limit 1"
        duckdb.sql(f"copy ({rows}) to '{victim}.half' (format parquet)")
        Path(f"{victim}.half").rename(victim)
    assert cli.main(["figures", str(study), "--out", str(tmp_path / "a")]) == 0
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if line.startswith("lrd: left out: ") and str(victim) in line]
    draw_all(open_study(tmp_path / "without"), tmp_path / "b")
    assert tables(tmp_path / "a") == tables(tmp_path / "b") != {}
    module = load_script(SCRIPTS[file])
    assert main(module.draw, module.__doc__, [str(study), "--out", str(tmp_path / "c")]) == 0
    assert str(victim) in capsys.readouterr().err
    assert cli.main(["status", str(study)]) == 0
    assert f"left out: cannot read {victim}: it is damaged" in capsys.readouterr().out
