"""Which keys the mirrors of a study hold: found in its records, and read back from wandb's own files."""

from __future__ import annotations

from pathlib import Path

import pytest
from made import make_record
from offline_runs import inspect, of_type

from lrd.records import open_study
from lrd.records.mirror_content import PICTURED
from lrd.records.mirror_keys import MirrorKeys, mirror_keys

PICTURES = tuple(f"{table}/" for table in PICTURED)


@pytest.mark.slow
def test_they_are_the_keys_that_wandb_wrote(trained: Path) -> None:
    study = trained / "runs" / "scratch"
    history: set[str] = set()
    media: set[str] = set()
    summary: set[str] = set()
    for folder in (study / "wandb").glob("offline-run-*"):
        records = inspect(folder)
        for row in (row["item"] for row in of_type(records, "history")):
            pictures = {key.removesuffix("._type") for key in row if key.endswith("._type")}
            media |= pictures
            history |= {key for key in row if not key.startswith("_") and key.split(".")[0] not in pictures}
        for part in of_type(records, "summary"):
            summary |= {key for key, value in part["update"].items() if not key.startswith("_") and value is not None}
    found = mirror_keys(open_study(study))
    assert {*found.history, "update"} == history
    assert {"slope_c", "gate_forget", "log10_kept_by_forget", "readable_h", "lyapunov_free", "eval_loss"} < history
    assert set(found.media) == media == {f"{table}/{name}" for table in PICTURED for name in "hc"}
    # wandb's summary has the last row of the history too.
    assert set(found.summary) <= summary
    assert summary - set(found.summary) <= history | {key for key in summary if key.startswith(PICTURES)}
    assert {"outcome", "seconds_per_update", "slope_h_start", "gate_forget_end", "test_loss"} < set(found.summary)
    assert "solved_at" not in found.summary  # in 25 updates


def test_what_is_damaged_or_not_there_yet_is_passed_over(tmp_path: Path) -> None:
    records = [make_record(tmp_path, run_id, finished=run_id == "c") for run_id in "abc"]
    whole = mirror_keys(open_study(tmp_path / "s"))
    assert whole == MirrorKeys(
        ("eval_loss", "slope_h", "horizon_h"),
        ("gradient_flow/h",),
        ("outcome", "update", "seconds", "test_loss", "seconds_per_update"),
    )
    (records[2].path / "gradient_flow.parquet").write_bytes(b"no parquet")  # it is finished, and read first
    assert mirror_keys(open_study(tmp_path / "s")) == whole
    (records[2].path / "summary.json").unlink()
    assert mirror_keys(open_study(tmp_path / "s")).summary == ()


def test_a_study_that_has_nothing_to_show_yet(tmp_path: Path) -> None:
    record = make_record(tmp_path, "a", finished=False)
    for table in record.path.glob("*.parquet"):
        table.unlink()
    assert mirror_keys(open_study(tmp_path / "s")) == MirrorKeys((), (), ())


@pytest.mark.parametrize("name", ['odd "name"', "eval_loss"])
def test_a_metric_that_no_run_measured_is_not_there(tmp_path: Path, name: str) -> None:
    record = make_record(tmp_path, "a", finished=False)
    record.metrics({"update": [0, 10, 20], "train_loss": [1.0, 2.0, 3.0], name: [None, None, None]})
    assert [key for key in mirror_keys(open_study(tmp_path / "s")).history if "_h" not in key] == ["train_loss"]
    record.metrics({"update": [0, 10, 20], "train_loss": [1.0, 2.0, 3.0], name: [None, float("nan"), None]})
    assert name in mirror_keys(open_study(tmp_path / "s")).history
