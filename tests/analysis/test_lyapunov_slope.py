"""Exponents against rates: every point is what was written of that run at that update."""

from __future__ import annotations

from math import log
from pathlib import Path

import numpy as np
import pytest
from drawn import finished, number, rows_of, update_at
from synthetic import MadeStudy, make_study
from synthetic_probes import exponent

from lrd.figures import main
from lrd.figures.scripts import load_script
from lrd.probes import Lyapunov
from lrd.records import RunRecord, open_study

lyapunov_slope = load_script("lyapunov_slope")

pytestmark = pytest.mark.usefixtures("numbers_alone")


def test_points_are_the_runs(study: MadeStudy, tmp_path: Path) -> None:
    lyapunov_slope.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "lyapunov_slope.csv")
    runs = {run.run_id: run for run in finished(study.runs)}
    expected = {
        (run.run_id, moment)
        for run in runs.values()
        for moment in ("init", "end")
        if np.isfinite(exponent(run, update_at(run, moment), "driven"))
    }
    assert {(row["run_id"], row["moment"]) for row in rows} == expected
    assert len(rows) == len(expected) < 2 * len(runs)  # runs that diverged have no exponent at their end
    for row in rows:
        run = runs[row["run_id"]]
        update = update_at(run, row["moment"])
        variable = "c" if row["label"] == "lstm" else "h"
        assert (row["panel"], row["label"], int(row["gap"]), int(row["seed"])) == (
            run.task,
            run.label,
            run.gap,
            run.seed,
        )
        assert row["variable"] == variable
        assert number(row["rate"]) == pytest.approx(-log(10) * run.slopes[update, variable], rel=1e-8)
        assert number(row["rate_error"]) == pytest.approx(0.001 * log(10), rel=1e-8)
        assert number(row["exponent"]) == pytest.approx(exponent(run, update, "driven"), rel=1e-8)
        assert number(row["exponent_error"]) == 0.004


def test_a_study_without_the_probe_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_study(tmp_path, tasks=("copy",), gaps=(10,), seeds=1)
    for file in (tmp_path / "made").glob("*/lyapunov.parquet"):
        file.unlink()
        # A finished run keeps checksums of its tables: without this the file counts as lost, not as never made.
        status = file.parent / "status.json"
        status.write_text(status.read_text(encoding="utf-8").replace("lyapunov.parquet", "other.parquet"))
    assert main(lyapunov_slope.draw, None, [str(tmp_path / "made")]) == 1
    said = capsys.readouterr().err
    assert said == (
        f"{tmp_path / 'made'}: no run was measured by the probe `lyapunov`: "
        f"lrd probe {tmp_path / 'made'} probe=lyapunov\n"
    )


def test_nothing_finite_is_no_crash(tmp_path: Path) -> None:
    """A panel whose only run diverged has no point at its end."""
    made = make_study(tmp_path, tasks=("copy",), gaps=(30,), labels=("rnn g=2",), seeds=8)
    diverged = [run for run in made if run.outcome == "diverged"]
    assert diverged
    for run in made:
        if run not in diverged:
            (tmp_path / "made" / run.run_id / "lyapunov.parquet").unlink()
    study = open_study(tmp_path / "made")
    lyapunov_slope.draw(study, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "lyapunov_slope.csv")
    assert sorted((row["run_id"], row["moment"]) for row in rows) == sorted((run.run_id, "init") for run in diverged)


def test_a_study_of_which_nothing_is_finite_has_empty_panels(tmp_path: Path) -> None:
    made = make_study(tmp_path, tasks=("copy",), gaps=(10,), labels=("rnn",), seeds=2)
    for run in made:
        (tmp_path / "made" / run.run_id / "lyapunov.parquet").unlink()
        record, types = RunRecord(tmp_path, "made", run.run_id), Lyapunov.columns
        numbers = {key: [np.nan] for key in ("se_time", "se_samples", "standard_error")}
        rows = {"mode": ["driven"], "index": [1], "exponent": [-np.inf]} | numbers
        record.merge_measurement("lyapunov", 0, {name: np.array(column) for name, column in rows.items()}, types)
    lyapunov_slope.draw(open_study(tmp_path / "made"), tmp_path / "out")
    assert [set(row.values()) for row in rows_of(tmp_path / "out" / "lyapunov_slope.csv")] == [{""}]
