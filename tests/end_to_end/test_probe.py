"""``lrd probe`` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import LRD, process_as_before, run

from lrd.cli import main
from lrd.records import open_study

TRAIN = [LRD, "train", "-m", "task=adding", "task.gap=8", "cell=rnn,lstm", "seed=0,1", "tracker=none"]
SMALL = ["cell.hidden_size=4", "training.max_updates=3", "training.eval_samples=8", "training.test_samples=8"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("probe")
    run([*TRAIN, *SMALL], folder)
    return folder


def test_measurements_are_taken_once_and_can_be_queried(study: Path) -> None:
    command = [LRD, "probe", "runs/scratch", "probe=parameter_gradient", "probe.parameter_gradient.samples=4"]
    first = run([*command, "--where", "cell = 'lstm'"], study).stdout
    assert first.splitlines()[0] == "2 runs: 0 measurements taken before, 4 to take"
    assert "tables: parameter_gradient in runs/scratch" in first
    assert run(command, study).stdout.splitlines()[0] == "4 runs: 4 measurements taken before, 4 to take"
    assert run(command, study).stdout.splitlines()[0] == "4 runs: 8 measurements taken before, 0 to take"
    opened = open_study(study / "runs" / "scratch")
    query = 'select cell, p."update", count(distinct run_id) from parameter_gradient p join runs using (run_id)'
    measured = opened.sql(f"{query} group by all order by all").fetchall()
    assert measured == [(cell, update, 2) for cell in ("lstm", "rnn") for update in (0, 3)]
    assert opened.problems == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--at", "middle"], "--at: must be one of start, end, got 'middle'"),
        (["--where", "cel = 'rnn'"], "cannot use the condition \"cel = 'rnn'\": "),
        (["seed=3"], "cannot use 'seed=3': lrd probe takes probe=NAME and probe.NAME.OPTION=VALUE"),
        (["probe=lyapunoff"], "probe: must be one of "),
        (["probe.gradient_flow.samples=0"], "probe.gradient_flow.samples: must be >= 1, got 0"),
        (["probe=none"], "probe: choose one, for example probe=parameter_gradient"),
    ],
)
def test_what_is_wrong_is_one_line(
    study: Path, arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with process_as_before():
        assert main(["probe", str(study / "runs" / "scratch"), *arguments]) == 2
    done = capsys.readouterr()
    assert done.err.startswith(f"lrd: {line}")
    assert done.err.count("\n") == 1
    assert done.out == ""
