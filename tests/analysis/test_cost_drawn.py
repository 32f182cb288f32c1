"""Time per update against what was written of seconds, updates, kernels and hardware."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import finished, grouped, number, rows_of
from synthetic import MadeStudy

from lrd.figures import NothingToDrawError
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

cost = load_script("cost")

pytestmark = pytest.mark.usefixtures("numbers_alone")


def test_times(study: MadeStudy, tmp_path: Path) -> None:
    cost.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "cost.csv")
    groups = grouped(study.runs)
    assert {(row["panel"], row["label"], int(row["gap"])) for row in rows} == set(groups)
    assert len(rows) == len(groups)
    kernels = {"rnn": "packed", "lstm": "stock", "rnn g=2": "not recorded"}
    for row in rows:
        runs = finished(groups[row["panel"], row["label"], int(row["gap"])])
        times = [1000 * run.seconds / run.updates[-1] for run in runs]
        assert int(row["runs"]) == len(runs)
        assert number(row["median_ms"]) == pytest.approx(np.median(times), rel=1e-8)
        assert (number(row["low_ms"]), number(row["high_ms"])) == pytest.approx((min(times), max(times)), rel=1e-8)
        assert row["kernel"] == kernels[row["label"]]
        recorded = row["kernel"] != "not recorded"
        assert row["hardware"] == ("made up, 1 thread" if recorded else "not recorded")
        assert (row["least_pack"], row["greatest_pack"]) == (("4", "4") if recorded else ("", ""))
        assert int(row["resumed"]) == (sum(run.seed % 2 for run in runs) if recorded else 0)
        assert int(row["sequence_length"]) == int(row["gap"]) + 20 * (row["panel"] == "copy")


def write(root: Path, run_id: str, seconds: float | None, update: int = 100, gap: int = 5, **how: Any) -> None:
    record = RunRecord(root, "small", run_id)
    spec = {"task": {"name": "copy", "gap": gap}, "cell": {"name": "rnn"}, "seed": int(run_id)}
    record.create({"spec": spec, "task": {"sequence_length": 25}, "parameters": 1})
    record.status("running", update=update, max_updates=100, **how)
    if seconds is not None:
        record.finish({"outcome": "diverged", "update": update, "seconds": seconds})


def test_kernels_and_devices_are_never_mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    names: list[str] = []
    monkeypatch.setattr("lrd.figures.layout.foot", lambda _, lines: notes.extend(lines))
    monkeypatch.setattr("lrd.figures.layout.legend", lambda _, handles, labels: names.extend(labels))
    write(tmp_path, "0", 1.0, kernel="packed", hardware="A", pack_size=2.0, resumed=0)
    write(tmp_path, "1", 3.0, kernel="packed", hardware="A", pack_size=8.0, resumed=2)
    write(tmp_path, "2", 7.0, kernel="packed", hardware="B", pack_size=1.0, resumed=0)
    write(tmp_path, "3", 5.0, kernel="loop", hardware="A", pack_size=1.0, resumed=0)
    write(tmp_path, "4", 9.0)
    write(tmp_path, "5", 0.0, update=0, kernel="packed", hardware="A", resumed=0)
    write(tmp_path, "6", None, kernel="packed", hardware="A", resumed=0)
    cost.draw(open_study(tmp_path / "small"), tmp_path)
    rows = rows_of(tmp_path / "cost.csv")
    found = {(row["kernel"], row["hardware"]): (row["median_ms"], row["runs"]) for row in rows}
    assert found == {
        ("packed", "A"): ("20", "2"),
        ("packed", "B"): ("70", "1"),
        ("loop", "A"): ("50", "1"),
        ("not recorded", "not recorded"): ("90", "1"),
    }
    assert names == ["rnn, kernel not recorded, C", "rnn, loop, A", "rnn, packed, A", "rnn, packed, B"]
    assert "Hardware: A: A; B: B; C: not recorded. Runs in a pack: 1–8. Went on from a checkpoint: 1 runs." in notes[0]
    assert "Not drawn: 1 runs that did not come to an end, 1 without a time." in notes[0].replace(
        "runs without", "without"
    )


@pytest.mark.parametrize("gaps", [(5,), (0,), (0, 5)])
def test_few_gaps_have_room_on_their_axis(
    gaps: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[tuple[float, float]] = []
    monkeypatch.setattr(cost, "save_figure", lambda figure, *_: limits.append(figure.axes[0].get_xlim()) or [])
    for seed, gap in enumerate(gaps):
        write(tmp_path, str(seed), 1.0, gap=gap)
    cost.draw(open_study(tmp_path / "small"), tmp_path)  # a warning of matplotlib would be an error
    ((low, high),) = limits
    assert low < gaps[0] <= gaps[-1] < high


def test_nothing_has_come_to_its_end(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToDrawError, match="no run has come to its end"):
        cost.draw(open_study(begun), tmp_path)
