"""The command line: what it answers, and one clear line for every mistake before any work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from commands import TINY, process_as_before

from lrd import __version__, cli
from lrd.commands import COMMANDS
from lrd.paths import CONF
from lrd.tasks import TASKS


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with process_as_before():
        yield


CELL_OPTIONS = "hidden_size, label, layers, dropout, bidirectional, init, gain"


# The command line behind `lrd train`, and what the one line must begin with and hold.
def chosen(group: str) -> str:
    """The names of a group, as they are listed."""
    return ", ".join(sorted(path.stem for path in (CONF / group).glob("*.yaml")))


WRONG: list[tuple[str, str, str]] = [
    # keys, at any depth, with and without +, alone and in sweeps
    ("cell.hiden=3", "cell.hiden: there is no such option", "did you mean 'hidden_size'?"),
    ("+cell.hiden=3", "cell.hiden: there is no such option", "did you mean 'hidden_size'?"),
    ("++cell.hiden=3", "cell.hiden: there is no such option", "did you mean 'hidden_size'?"),
    ("-m cell.hiden=3,4", "cell.hiden: there is no such option", "did you mean 'hidden_size'?"),
    ("-m +cell.hiden=3,4", "cell.hiden: there is no such option", CELL_OPTIONS),
    ("+cell.a.b=1", "cell.a: there is no such option", CELL_OPTIONS),
    ("-m +cell.a.b=1,2", "cell.a: there is no such option", CELL_OPTIONS),
    ("cell.hidden_size.x=1", "cell.hidden_size.x: there is no such option", "did you mean 'cell.hidden_size'?"),
    ("sede=3", "sede: there is no such option", "did you mean 'seed'?"),
    ("+sede=3", "sede: there is no such option", "did you mean 'seed'?"),
    ("trainig.max_updates=3", "trainig.max_updates: there is no such option", "did you mean 'training.max_updates'?"),
    ("~cell.hiden", "cell.hiden: there is no such option", "hidden_size"),
    ("-m ~cell.hiden seed=1,2", "cell.hiden: there is no such option", "hidden_size"),
    ("+seed=3", "seed: is there already", "leave out the +"),
    ("hydra.launcher.wokers=3", "hydra.launcher.wokers: there is no such option", ""),
    ("+hydra.launcher.wokers=3", "hydra.launcher.wokers: there is no such option", "did you mean 'workers'?"),
    ("cell=rnn cell.forget_bias=1", "cell.forget_bias: there is no such option of the cell chosen", "lstm"),
    ("cell=rnn +cell.forget_bias=1", "cell.forget_bias: there is no such option", "activation"),
    # types
    ("cell.hidden_size=wide", "cell.hidden_size: input should be a valid integer", "'wide'"),
    ("cell.hidden_size=3.5", "cell.hidden_size: input should be a valid integer", "3.5"),
    ("cell.hidden_size=true", "cell.hidden_size: input should be a valid integer", "True"),
    ("cell.hidden_size=null", "cell.hidden_size: input should be a valid integer", "None"),
    (
        "task.gap=[1,2]",
        "task.gap: input should be a valid integer",
        "[1, 2]; several values are swept, -m task.gap=1,2",
    ),
    ("seed=", "seed: input should be a valid integer", "''"),
    ("optimizer.lr=fast", "optimizer.lr: input should be a valid number", "'fast'"),
    ("training.stop_when_solved=3", "training.stop_when_solved: input should be a valid boolean", "3"),
    ("study=3", "study: input should be a valid string", "got 3; as a text, 'study=\"3\"'"),
    ("study=[x]", "study: input should be a valid string", "'study=\"[x]\"'"),
    ("-m study=3,a seed=1", "study: input should be a valid string", '\'study="3","a"\''),
    # choices
    ("task=coppy", f"task: must be one of {chosen('task')}, got", "did you mean 'copy'?"),
    ("-m task=coppy,copy", f"task: must be one of {chosen('task')}, got", "did you mean 'copy'?"),
    ("cell=ltsm", f"cell: must be one of {chosen('cell')}, got", "did you mean 'lstm'?"),
    ("task=null", "task: must be the name of a file of conf/task/", "null"),
    ("~task", f"task: must be one of {', '.join(TASKS)}, got", ""),
    ("task.name=coppy", f"task.name: must be one of {', '.join(TASKS)}, got", "did you mean 'copy'?"),
    ("optimizer=adamm", "optimizer: must be one of adam,", "did you mean 'adam'?"),
    ("tracker.mode=onlin", "tracker.mode: must be one of online, offline, disabled", "did you mean 'online'?"),
    ("task.convention=bai2081", "task.convention: must be one of arjovsky2016,", "did you mean 'bai2018'?"),
    ("cell.init=orthogonl", "cell.init: must be one of torch,", "did you mean 'orthogonal'?"),
    ("optimizer.clip=nrom", "optimizer.clip: must be one of none, norm, value", "did you mean 'norm'?"),
    ("experiment=nope", "experiment: must be one of ", "demo"),
    ("experiment=dmeo", "experiment: must be one of ", "did you mean 'demo'?"),
    ("hydra/launcher=slrm", "hydra/launcher: must be one of ", "local"),
    ("device=gpu", "device: must be auto, cpu, cuda or cuda:N", "'gpu'"),
    (
        "probe.gradient_flow.answer=middle",
        "probe.gradient_flow.answer: must be first, last, all or a number",
        "'middle'",
    ),
    ("probe.gradient_flow.answer=99", "probe.gradient_flow.answer: ", "99"),
    ("probe=nope", "probe: must be one of closing, custom, gates, gradient_flow,", "'nope'"),
    ("probe=[gradient_flow,lyapunv]", "probe: must be one of closing, custom, gates, gradient_flow,", "'lyapunv'"),
    # ranges
    ("task.gap=0", "task.gap: must be >= 1, got 0", ""),
    ("cell.hidden_size=-3", "cell.hidden_size: must be >= 1, got -3", ""),
    ("optimizer.lr=nan", "optimizer.lr: must be a number > 0, got nan", ""),
    ("optimizer.lr=inf", "optimizer.lr: must be a finite number > 0, got inf", ""),
    ("optimizer.lr=0", "optimizer.lr: must be > 0, got 0", ""),
    ("cell.gain=nan", "cell.gain: must be a number", "nan"),
    ("cell.forget_bias=inf", "cell.forget_bias: must be a finite number", "inf"),
    ("seed=-1", "seed: must be >= 0", "-1"),
    ("training.max_updates=0", "training.max_updates: must be >= 1", "got 0"),
    ("task=adding task.convention=hochreiter1997 task.gap=10", "task.gap: must be >= 22 for convention", "got 10"),
    ("-m task=adding task.convention=pascanu2013 task.gap=9,30", "task.gap: must be >= 10 for convention", "got 9"),
    ("hydra.launcher.workers=0", "hydra.launcher.workers: must be >= 1", "0"),
    ("hydra.launcher.workers=two", "hydra.launcher.workers: input should be a valid integer", "'two'"),
    ("study=a/b", "study: must be a plain folder name", "'a/b'"),
    ("study=..", "study: must be a plain folder name", "'..'"),
    ("runs_dir=/proc/lrd", "runs_dir: cannot make /proc/lrd/scratch", "choose another folder"),
    ("runs_dir=/dev/null", "runs_dir: cannot make /dev/null/scratch: Not a directory", "choose another folder"),
    # grammar
    ("task.gap", "cannot read the override 'task.gap'", "write option=value"),
    ("task.gap=[1", "cannot read the override 'task.gap=[1'", "write option=value"),
    ("seed=1,2", "seed: takes one value; several values are swept, -m seed=1,2", ""),
    ("evaluation.gaps=5,9", "evaluation.gaps: must be a list, in brackets and quotes: 'evaluation.gaps=[5,9]'", ""),
    ("-m evaluation.gaps=5", "evaluation.gaps: must be a list, in brackets, got 5", ""),
    ("evaluation.gaps=[0]", "evaluation.gaps: holds 0, but task.gap must be >= 1, got 0", ""),
    ("study=été", "cannot read the override 'study=été': such a value needs quotes, 'study=\"été\"'", ""),
    ("task.gap=${nope}", "task.gap: Interpolation key 'nope' not found", ""),
    ("-m task.gap=${nope} seed=1,2", "task.gap: Interpolation key 'nope' not found", ""),
    ("-m seed=range(0)", "the sweep is empty", ""),
    ("--mutirun seed=1,2", "unrecognized arguments: --mutirun", "did you mean '--multirun'?"),
    ("--cfg jbo", "argument --cfg/-c: invalid choice: 'jbo'", "job"),
]


@pytest.mark.slow_but(20)
@pytest.mark.parametrize("command", ["train", "plan"])
@pytest.mark.parametrize(("line", "start", "holds"), WRONG, ids=[line for line, *_ in WRONG])
def test_a_wrong_option_is_one_line_before_any_work(
    line: str, start: str, holds: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = cli.main([command, *line.split(" ")])
    out, err = capsys.readouterr()
    assert status == 2
    assert err.startswith(f"lrd: {start}")
    assert holds in err
    assert err.count("\n") == 1
    assert "Traceback" not in err + out
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    count = torch.cuda.device_count()
    assert cli.main(["train", f"device=cuda:{count}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lrd: device: ")
    assert f", got 'cuda:{count}'" in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_every_mistake_of_one_command_is_said_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "-m", "seed=-1,0", "task.gap=0", "+cell.hiden=3", "optimizer.lr=nan"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["task.gap", "cell.hiden", "optimizer.lr", "seed"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["status", "figures", "sync", "dashboard", "watch", "hypotheses", "claims"])
def test_a_study_that_is_not_there_is_named(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("lrd: there is no study at nowhere: give the folder of one")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"train", "plan", "check", "doctor"}))
def test_a_name_that_no_file_can_have_is_one_line(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, f"runs/{'n' * 256}", *(["probe=gates"] if command == "probe" else [])]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"lrd: .*runs/n{256}", line)


def test_a_wrong_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["trian"]) == 2
    err = capsys.readouterr().err
    assert re.fullmatch(r"lrd: command: must be one of train, .*, got 'trian'; did you mean 'train'\?.*\n", err)


@pytest.mark.parametrize(("arguments", "status"), [(["--help"], 0), (["-h"], 0), ([], 2)])
def test_help_names_every_command(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == status
    out = capsys.readouterr().out
    assert all(f"lrd {command}" in out for command in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"lrd {__version__}\n"


def test_cfg_job_shows_the_whole_configuration_and_trains_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "--cfg", "job", "task=adding", "task.gap=7"]) == 0
    out = capsys.readouterr().out
    assert all(text in out for text in ("name: adding", "gap: 7", "hidden_size: 64", "max_updates: 2000", "seed: 0"))
    assert list(tmp_path.iterdir()) == []


def test_help_of_train_explains_groups_and_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--help"]) == 0
    out = capsys.readouterr().out
    assert f"task: {chosen('task')}" in out
    assert f"cell: {chosen('cell')}" in out
    assert re.search(r"experiment: .*demo", out)
    assert "what must be remembered" in out
    assert "max_updates: 2000" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "suggested"),
    [
        ("lrd tr", " ".join(COMMANDS)),
        ("lrd ", " ".join(COMMANDS)),
        ("lrd train task=cop", "task=copy"),
        ("lrd train cell=", f"cell={chosen('cell')}".replace(", ", " cell=")),
        ("lrd plan cell=", f"cell={chosen('cell')}".replace(", ", " cell=")),
        ("lrd plan task=adding task.conv", "task.convention="),
        ("lrd train task=adding task.conv", "task.convention="),
        ("lrd status ru", ""),  # the shell completes folders
    ],
)
def test_completion(
    line: str, suggested: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert cli.main(["-sc", "query=bash"]) == 0
    assert sorted(capsys.readouterr().out.split()) == sorted(suggested.split())


PLANNED = ["-m", "task=adding", "task.gap=4,5", "cell=rnn,lstm", "cell.hidden_size=3", "seed=1,1,2", "tracker=none"]


def test_plan_prints_what_train_would_do_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", *PLANNED, "hydra.launcher.workers=2"]) == 0
    out, err = capsys.readouterr()
    (first, duplicates, time, memory, source, *_), table = (part.splitlines() for part in out.split("\n\n"))
    header, _, *rows = table
    assert first == "8 runs: 0 finished before, 8 to train in 4 packs"
    assert duplicates == "4 jobs of the sweep repeat the run of another and count once"
    assert re.fullmatch(r"[\d.]+ s to [\d.]+ (s|min.*) with 2 workers: the less, the sooner runs are solved", time)
    assert re.match(r"about [\d.]+ (MB|GB) of memory at the peak: ", memory)
    assert "measured here" in source
    assert header.split("  ")[0] == "task"
    expected = [["adding", gap, cell, "3", "2", "1", "2", "2000"] for gap in "45" for cell in ("lstm", "rnn")]
    assert [row.split()[:8] for row in rows] == expected
    assert err == ""
    assert list(tmp_path.iterdir()) == []


def test_plan_counts_what_is_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["-m", "task=adding", "task.gap=4", "cell.hidden_size=3", *TINY, "tracker=none"]
    assert cli.main(["train", *line, "seed=0"]) == 0
    before = sorted(tmp_path.rglob("*"))
    capsys.readouterr()
    assert cli.main(["plan", *line, "seed=0,1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 runs: 1 finished before, 1 to train in 1 packs\n")
    assert "time from finished runs of the same kind" in out
    assert cli.main(["plan", *line, "seed=0"]) == 0
    assert capsys.readouterr().out == "1 runs: 1 finished before, 0 to train in 0 packs\n"
    assert sorted(tmp_path.rglob("*")) == before
