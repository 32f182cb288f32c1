"""The tables of the terminal, from a small real study."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from jobs import job

from lrd.records import Study, open_study
from lrd.sweeps import tables
from lrd.sweeps.plan import plan, record_of
from lrd.sweeps.workers import train_pack


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three whole runs, two that diverge, one cut off, one failed."""
    root = tmp_path_factory.mktemp("runs")
    wild = {"cell_activation": "relu", "cell_gain": 5.0, "optimizer_name": "sgd", "optimizer_lr": 1e9}
    whole = [job(root, seed=seed) for seed in range(3)]
    diverging = [job(root, gap=30, seed=s, optimizer_clip="none", cell_label="wild", **wild) for s in range(2)]
    for pack in plan([*whole, *diverging], 1).packs:
        train_pack(pack, lambda event: None, lambda: False)
    for j, stop in ((job(root, gap=30, cell="lstm"), True), (job(root, gap=30, cell="lstm", seed=1), False)):
        (pack,) = plan([j], 1).packs
        train_pack(pack, lambda event: None, lambda stop=stop: stop)
        if not stop:
            (record_of(j).path / "summary.json").unlink()
            record_of(j).status("failed", update=4, max_updates=12, message="it broke")
    return open_study(root / "s")


def rows(table: str) -> list[list[str]]:
    """Cells of a table: columns stand at least two blanks apart."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in table.splitlines()]


def test_results_count_what_became_of_every_run(study: Study) -> None:
    header, _, *lines = rows(tables.results(study))[:5]
    assert header[:4] == ["task", "gap", "cell", "solved"]
    assert [line[:4] for line in lines] == [
        ["adding", "4", "rnn", "0/3"],
        ["adding", "30", "lstm", "0/2, 2 unfinished"],
        ["adding", "30", "wild", "0/2, 2 diverged"],
    ]


def test_results_give_the_factor_by_which_the_gradient_changes_a_step_back(study: Study) -> None:
    line = next(line for line in rows(tables.results(study)) if line[:3] == ["adding", "4", "rnn"])
    ends = study.columns("select median(slope_h_start) as a, median(slope_h_end) as b from runs where gap = 4")
    assert line[5:7] == [f"{10 ** -ends[name][0]:.3g}" for name in ("a", "b")]
    assert float(line[7]) == pytest.approx(1 / (ends["b"][0] * math.log(10)), rel=0.05)


def test_states_count_runs_by_state_and_outcome(study: Study) -> None:
    header, _, *lines = rows(tables.states(study))
    by_name = [dict(zip(header, line, strict=True)) for line in lines]
    own = ("running", "interrupted", "failed", "solved", "unsolved", "diverged")
    counted = [{name: row[name] for name in own if row[name] != "0"} for row in by_name]
    assert counted == [{"unsolved": "3"}, {"interrupted": "1", "failed": "1"}, {"diverged": "2"}]


def test_states_say_what_is_done_and_what_is_left_at_most(study: Study) -> None:
    """12 updates each: three whole runs; one cut off at 0 and one failed at 4; two that diverged, early."""
    header, _, *lines = rows(tables.states(study))
    work = [dict(zip(header, line, strict=True)) for line in lines]
    assert [row["left"] for row in work] == ["0", "20", "0"]
    assert [row["updates done"] for row in work[:2]] == ["36", "4"]
    assert work[0]["work left"] == work[2]["work left"] == "-"
    assert re.fullmatch(r"[\d.]+ (s|min)", work[1]["work left"])


@pytest.mark.parametrize(
    ("slope", "text"), [(None, "-"), (math.nan, "-"), (0.0, "none"), (-1.0, "none"), (math.log10(math.e) / 2, "2")]
)
def test_a_horizon_that_was_not_measured_is_told_from_one_without_end(slope: float | None, text: str) -> None:
    assert tables._horizon(slope) == text


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right() -> None:
    table = tables.table(["task", "gap", "cell"], [["a", 1, "lstm long"], ["bcdefg", 1000, "x"]])
    assert table.splitlines() == [
        "task     gap  cell",
        "------------------",
        "a          1  lstm long",
        "bcdefg  1000  x",
    ]


def test_tables_stand_whatever_is_missing(tmp_path: Path) -> None:
    (pack,) = plan([job(tmp_path, probe={})], 1).packs
    train_pack(pack, lambda event: None, lambda: False)
    line = rows(tables.results(open_study(tmp_path / "s")))[2]
    assert line == ["adding", "4", "rnn", "0/1", "-", "-", "-", "-"]
