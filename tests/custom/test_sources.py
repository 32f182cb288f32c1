"""Classes out of files: which one is meant, what is wrong, and that a run keeps to the text it began with."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT
from written import CELL, PROBE, TASK, spoiled

from lrd.custom import CustomError, load, source_of
from lrd.spec import RunSpec, SpecError, job_from_config, run_from_dict


def config(folder: Path, **cell: Any) -> dict[str, Any]:
    (folder / "my_cell.py").exists() or (folder / "my_cell.py").write_text(CELL)
    cell = {"name": "custom", "path": f"{folder / 'my_cell.py'}:Leaky", "hidden_size": 3} | cell
    optimizer, probe = {"name": "adam"}, {"gradient_flow": {}}
    return {"task": {"name": "copy"}, "cell": cell, "optimizer": optimizer, "training": {}, "probe": probe, "seed": 1}


def run_of(folder: Path, **cell: Any) -> RunSpec:
    return job_from_config(config(folder, **cell)).run


def test_a_class_is_named_by_its_text(tmp_path: Path) -> None:
    first = run_of(tmp_path)
    assert (type(first.cell).__name__, first.cell.hidden_size, first.cell.name) == ("Leaky", 3, "leaky")
    source = source_of(type(first.cell))
    assert source is not None
    assert source.text == CELL
    assert first.run_id.startswith("leaky-copy-T20-s1-")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "my_cell.py").write_text(CELL)
    moved = run_of(tmp_path / "elsewhere")
    assert (moved.run_id, moved.pack_key) == (first.run_id, first.pack_key)
    (tmp_path / "my_cell.py").write_text(CELL.replace("torch.tanh", "torch.sin"))
    edited = run_of(tmp_path)
    assert edited.run_id != first.run_id
    assert edited.pack_key != first.pack_key


def test_options_of_its_own_are_checked_and_count(tmp_path: Path) -> None:
    assert run_of(tmp_path, leak=0.25).cell.leak == 0.25  # type: ignore[attr-defined]
    assert run_of(tmp_path, leak=0.25).run_id != run_of(tmp_path).run_id
    for wrong, message in (({"leak": 2.0}, "cell.leak: must be > 0 and <= 1, got 2.0"), ({"lek": 1.0}, "did you mean")):
        with pytest.raises(SpecError, match=message):
            run_of(tmp_path, **wrong)


def test_a_run_is_made_again_from_what_its_record_keeps(tmp_path: Path) -> None:
    run = run_of(tmp_path, leak=0.25)
    (tmp_path / "my_cell.py").unlink()
    again = run_from_dict(run.to_dict(), run.sources)
    assert again == run
    assert again.run_id == run.run_id
    with pytest.raises(SpecError, match=r"cell.path: cannot read .*my_cell.py: No such file"):
        run_from_dict(run.to_dict(), {})


@pytest.mark.slow
def test_another_process_gets_the_run_though_the_file_has_changed(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    (tmp_path / "run.pickle").write_bytes(pickle.dumps(run))
    (tmp_path / "my_cell.py").write_text("broken(")
    code = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).run_id)"
    arguments = [sys.executable, "-c", code, str(tmp_path / "run.pickle")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=100)
    assert done.stdout.strip() == run.run_id, done.stderr


def test_a_file_of_a_study_of_lrd_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = "experiments/papers/zucchet2024_sensitivity.py"
    monkeypatch.chdir(tmp_path)
    found = load("probe", f"{own}:Sensitivity")
    assert source_of(found) == source_of(load("probe", f"{ROOT / own}:Sensitivity"))
    with pytest.raises(CustomError, match=r"cannot read .*nowhere\.py: No such file"):
        load("probe", "experiments/papers/nowhere.py:Sensitivity")
    nearer = tmp_path / own  # what lies in the folder itself is meant first
    nearer.parent.mkdir(parents=True)
    nearer.write_text("class Sensitivity: pass\n")
    with pytest.raises(CustomError, match=r"it is not derived from lrd\.probes\.Probe"):
        load("probe", f"{own}:Sensitivity")


def test_it_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_my_cell.py").write_text("RATE = 0.75\n")
    text = "from beside_my_cell import RATE\n" + spoiled(CELL, "option(0.5,", "option(RATE,")
    (tmp_path / "my_cell.py").write_text(text)
    assert run_of(tmp_path).cell.leak == 0.75  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (CELL, "my_cell.py", r"must name a file and a class in it, such as my_cell.py:MyCell, got .*my_cell.py'"),
        (CELL, "nowhere.py:Leaky", r"cannot read .*nowhere.py: No such file or directory"),
        (CELL, "my_cell.py:Leeky", r"my_cell.py has no class Leeky; did you mean 'Leaky'\?"),
        ("def (", "my_cell.py:Leaky", r"my_cell.py, line 1: invalid syntax"),
        ("\n1 / 0\n", "my_cell.py:Leaky", r"my_cell.py, line 2: ZeroDivisionError: division by zero"),
        ("import nowhere_at_all\n", "my_cell.py:Leaky", r"my_cell.py, line 1: ModuleNotFoundError: No module"),
        ("class Leaky: pass\n", "my_cell.py:Leaky", r"my_cell.py:Leaky: it is not derived from lrd.cells.Cell"),
        (spoiled(CELL, "@dataclass(frozen=True)\n", ""), "my_cell.py:Leaky", "@dataclass.* is missing above the class"),
        (spoiled(CELL, 'option(0.5, "the rate", gt=0, le=1)', "0.5"), "my_cell.py:Leaky", "leak is no option: write"),
        (spoiled(CELL, "leak: float", "path: float"), "my_cell.py:Leaky", "an option cannot be called path"),
        (
            spoiled(CELL, '"leaky", ', '"my leaky", '),
            "my_cell.py:Leaky",
            "`name` must be made of letters, digits and _",
        ),
        (spoiled(CELL, '"leaky", ', '"l" * 300, '), "my_cell.py:Leaky", "`name` must have at most 64 letters, got 300"),
        (spoiled(CELL, "def step", "def steps"), "my_cell.py:Leaky", "it lacks step"),
        (TASK, "my_cell.py:First", "it is not derived from lrd.cells.Cell"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, path: str, message: str) -> None:
    (tmp_path / "my_cell.py").write_text(text)
    with pytest.raises(CustomError, match=message) as caught:
        load("cell", str(tmp_path / path))
    assert "\n" not in str(caught.value)


def test_a_class_that_breaks_the_protocol_is_refused_before_it_trains(tmp_path: Path) -> None:
    (tmp_path / "my_cell.py").write_text(spoiled(CELL, "(h,) = state", "(h,) = state; h *= 2"))
    with pytest.raises(SpecError) as caught:
        run_of(tmp_path)
    assert "breaks line 5 of the protocol (step changes none of its arguments): it wrote into" in str(caught.value)
    assert "see `lrd check " in str(caught.value)
    with pytest.raises(SpecError, match=r"cell.path: must name your file and class, such as my_cell.py:MyCell"):
        run_of(tmp_path, path="???")


def test_in_a_sweep_over_custom_and_others_the_path_is_of_the_custom_one(tmp_path: Path) -> None:
    mine = config(tmp_path)
    other = {"name": "rnn", "path": mine["cell"]["path"], "hidden_size": 3}
    assert (
        job_from_config(mine | {"cell": other}).run
        == job_from_config(mine | {"cell": {"name": "rnn", "hidden_size": 3}}).run
    )
    assert type(job_from_config(mine).run.cell).__name__ == "Leaky"


def test_a_task_keeps_its_own_gap_unless_another_is_given(tmp_path: Path) -> None:
    (tmp_path / "my_task.py").write_text(TASK)
    task: dict[str, Any] = {"name": "custom", "path": f"{tmp_path / 'my_task.py'}:First", "gap": None}
    assert job_from_config(config(tmp_path) | {"task": task}).run.task.gap == 5
    assert job_from_config(config(tmp_path) | {"task": task | {"gap": 7}}).run.task.gap == 7


def probed(folder: Path, **options: Any) -> dict[str, Any]:
    (folder / "my_probe.py").exists() or (folder / "my_probe.py").write_text(PROBE)
    nothing = {"per_decade": None, "samples": None}  # as conf/probe/custom.yaml has it
    mine = {"path": f"{folder / 'my_probe.py'}:Norms"} | nothing | options
    return config(folder) | {"cell": {"name": "lstm", "hidden_size": 3}, "probe": {"gradient_flow": {}, "custom": mine}}


def test_a_probe_of_ones_own_is_part_of_what_a_run_is_as_lrds_own_are(tmp_path: Path) -> None:
    run = job_from_config(probed(tmp_path, scale=2.0)).run
    assert [probe.name for probe in run.probes] == ["gradient_flow", "my_norms"]
    assert (run.probes[1].samples, run.probes[1].per_decade, run.probes[1].scale) == (32, 3, 2.0)  # type: ignore[attr-defined]
    assert run.run_id != job_from_config(probed(tmp_path)).run.run_id
    assert run.sources == {"probe.my_norms": PROBE}
    again = run_from_dict(run.to_dict(), run.sources)
    assert (again, again.run_id) == (run, run.run_id)
    assert pickle.loads(pickle.dumps(run.probes)) == run.probes
    (tmp_path / "my_probe.py").write_text(PROBE.replace("> 1", "> 2"))
    edited = job_from_config(probed(tmp_path, scale=2.0)).run
    assert edited.run_id != run.run_id
    assert edited.pack_key != run.pack_key
    assert run_from_dict(run.to_dict(), run.sources).run_id == run.run_id


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "???"}, "probe.custom.path: must name your file and class, such as my_probe.py:MyProbe"),
        ({"scale": 0.0}, "probe.custom.scale: must be > 0, got 0.0"),
        ({"scal": 1.0}, "probe.custom.scal: there is no such option; did you mean 'scale'"),
        ({"samples": 0}, "probe.custom.samples: must be >= 1, got 0"),
    ],
)
def test_what_is_wrong_with_a_probe_is_one_line(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        job_from_config(probed(tmp_path, **options))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_probe_that_breaks_the_protocol_or_repeats_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my_probe.py").write_text(spoiled(PROBE, '"my_norms"', '"gates"'))
    with pytest.raises(SpecError, match=r"probe.custom.path: my_probe.py:Norms: `name` must be none of lrd's tables"):
        job_from_config(probed(tmp_path))
    (tmp_path / "my_probe.py").write_text(spoiled(PROBE, "> 1", "> 1 + 0 * len(no)"))
    with pytest.raises(SpecError, match=r"breaks line 4 of the protocol .*NameError"):
        job_from_config(probed(tmp_path))
    (tmp_path / "my_probe.py").write_text(PROBE)
    twice = probed(tmp_path)
    twice["probe"]["other"] = twice["probe"]["custom"] | {"code": "x"}
    with pytest.raises(SpecError, match="probe: there are two probes named my_norms"):
        job_from_config(twice)
