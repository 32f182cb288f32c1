"""What is gathered of a study's records: of one that was made up, against plain sums over what was put into it."""

from __future__ import annotations

import json
import sys
from math import e, inf, log10
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "analysis"))  # for ``synthetic``

import papers_table
from papers.gathered import NotFinishedError, gathered, planned_study
from papers.plans import digest
from papers.thumbnail import LARGEST, small
from PIL import Image
from synthetic import Made, make_study

from lrd.records import open_study, read_json, write_json

STATED: dict[str, dict[str, Any]] = {
    "solves": {"says": "Most LSTMs solve it.", "measure": "share", "of": "cell = 'lstm'", "above": 0.5},
    "early": {"says": "It is early.", "measure": "mean", "number": "seed", "of": "true", "within_factor": 2}
    | {"published": 446850},
}
PAPER = {"source": "A. Author (1997), A paper", "result": "It works.", "size": "smaller; 8 seeds"}
PAPER |= {"assumptions": [], "deviations": [], "figure": "gap_wall"}
ENVIRONMENT = {"lrd": "0.1", "torch": "2.13", "commit": "abc", "dirty": False, "device_name": "A processor"}
ENVIRONMENT |= {"threads": 1, "host": "secret", "user": "anna"}


def set_gain(folder: Path, gain: float) -> None:
    known = read_json(folder / "run.json")
    known["spec"]["cell"]["gain"] = gain
    write_json(folder / "run.json", known)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Made]]:
    """Eight seeds of RNNs and LSTMs on adding at two gaps; two runs did not come to an end."""
    root = tmp_path_factory.mktemp("papers")
    runs = make_study(root, tasks=("adding",), labels=("rnn", "lstm"), seeds=8)
    for run in runs:
        set_gain(root / "made" / run.run_id, 1.0)
        earlier = {"earlier": [ENVIRONMENT | {"device_name": "Another"}]} if run.seed == 3 else {}
        write_json(root / "made" / run.run_id / "environment.json", ENVIRONMENT | earlier)
    (root / "made.yaml").write_text(yaml.safe_dump({"hypotheses": STATED, "paper": PAPER}))
    return root, runs


@pytest.fixture(scope="module")
def planned(made: tuple[Path, list[Made]]) -> list[Made]:
    """The runs of the plan: all of seeds 0 to 6; those of seed 7 lie in the folder and belong to no plan."""
    return [run for run in made[1] if run.seed < 7]


@pytest.fixture(scope="module")
def result(made: tuple[Path, list[Made]], planned: list[Made]) -> dict[str, Any]:
    root, _ = made
    return gathered(planned_study(root / "made", [run.run_id for run in planned]), root / "made.yaml")


def four(value: float) -> float:
    return float(f"{value:.4g}")


def test_runs_that_are_not_finished_make_no_result(made: tuple[Path, list[Made]]) -> None:
    root, runs = made
    unfinished = sum(run.state != "finished" for run in runs)
    assert unfinished == 2
    with pytest.raises(NotFinishedError, match=f"{unfinished} of {len(runs)} runs are not finished"):
        planned_study(root / "made", [run.run_id for run in runs])
    with pytest.raises(NotFinishedError, match="1 of 2 runs are not finished"):
        planned_study(root / "made", [runs[0].run_id, "never begun"])


def test_damaged_records_make_no_result(tmp_path: Path) -> None:
    (run,) = make_study(tmp_path, tasks=("adding",), gaps=(10,), labels=("rnn",), seeds=1)
    (tmp_path / "made" / run.run_id / "metrics.parquet").write_bytes(b"nothing")
    with pytest.raises(NotFinishedError, match=r"metrics\.parquet"):
        planned_study(tmp_path / "made", [run.run_id])


def test_counts_and_sums_are_those_of_the_plan(result: dict[str, Any], planned: list[Made]) -> None:
    assert (result["runs"], result["seeds"]) == (28, 7)
    assert result["plan"] == digest(reversed([run.run_id for run in planned]))
    assert result["solved"] == four(sum(run.outcome == "solved" for run in planned) / 28)
    assert result["training_seconds"] == four(sum(run.seconds for run in planned))


def test_a_hypothesis_is_kept_with_its_numbers(result: dict[str, Any], planned: list[Made]) -> None:
    lstm = [run for run in planned if run.label == "lstm"]
    solves, early = result["hypotheses"]["solves"], result["hypotheses"]["early"]
    assert (solves["says"], solves["stated"], solves["published"]) == ("Most LSTMs solve it.", "above 0.5", None)
    assert solves["estimate"] == four(sum(run.outcome == "solved" for run in lstm) / len(lstm))
    assert (solves["level"], solves["runs"]) == (0.975, len(lstm))
    assert early["published"] == 446850  # to the last digit
    assert (early["estimate"], early["verdict"]) == (3, "fails")
    assert early["low"] < 3 < early["high"]
    assert result["verdict"] == ("partly" if solves["verdict"] == "holds" else "disagrees")


def test_machines_and_versions_are_named_and_nobody_is(result: dict[str, Any]) -> None:
    assert result["machines"] == [
        {"processor": "A processor", "threads": 1, "runs": 28},
        {"processor": "Another", "threads": 1, "runs": 4},
    ]
    assert result["versions"] == [{"lrd": "0.1", "torch": "2.13", "commit": "abc", "changed": False, "runs": 28}]
    assert not any(word in json.dumps(result) for word in ("secret", "anna"))


def test_gradient_flow_is_the_median_over_runs(result: dict[str, Any], planned: list[Made]) -> None:
    rows = result["gradient_flow"]
    places = [(row["cell"], row["gap"], row["variable"]) for row in rows]
    assert places == [(c, g, v) for c, vs in (("lstm", "hc"), ("rnn", "h")) for g in (10, 30) for v in vs]
    assert {row["options"] for row in rows} == {""}
    for row in rows:
        runs = [run for run in planned if (run.label, run.gap) == (row["cell"], row["gap"])]
        length = row["gap"]  # of adding here, all of which are quiet steps
        assert row["lag"] == length
        for moment in ("before", "after"):
            updates = [0 if moment == "before" else int(run.updates[-1]) for run in runs]
            slopes = [run.slopes[update, row["variable"]] for run, update in zip(runs, updates, strict=True)]
            middle = median(slopes)
            assert row[moment]["factor"] == four(10**-middle)
            assert row[moment]["horizon"] == (four(log10(e) / middle) if middle > 0 else inf)
            border, reach = log10(e) / length, 2.364624 * 0.001  # Student's t of 8 samples at 97.5 %, slope_error
            expected = dict.fromkeys(("vanishing", "preserving", "undecided"), 0)
            for slope in slopes:
                if slope - reach > border:
                    expected["vanishing"] += 1
                else:
                    expected["preserving" if -border <= slope - reach and slope + reach <= border else "undecided"] += 1
            assert row[moment]["regimes"] == {name: count for name, count in expected.items() if count}


def test_a_study_without_the_probe_has_no_rows(tmp_path: Path) -> None:
    (run, *_) = make_study(tmp_path, tasks=("adding",), gaps=(10,), labels=("rnn",), seeds=1)
    for table in ("gradient_flow", "gradient_fit"):
        (tmp_path / "made" / run.run_id / f"{table}.parquet").unlink()
    (tmp_path / "made.yaml").write_text(yaml.safe_dump({"hypotheses": STATED, "paper": PAPER}))
    study = open_study(tmp_path / "made")
    assert gathered(study, tmp_path / "made.yaml")["gradient_flow"] == []


def test_a_run_that_diverged_has_no_fit_and_counts_in_no_median(tmp_path: Path) -> None:
    runs = make_study(tmp_path, tasks=("adding",), gaps=(10,), labels=("rnn",), seeds=1)
    file = tmp_path / "made" / runs[0].run_id / "gradient_fit.parquet"
    duckdb.sql(f"copy (select * replace ('nan'::double as slope) from '{file}') to '{file}.new' (format parquet)")
    Path(f"{file}.new").replace(file)
    status = read_json(file.with_name("status.json"))
    write_json(file.with_name("status.json"), {key: value for key, value in status.items() if key != "crc32"})
    (tmp_path / "made.yaml").write_text(yaml.safe_dump({"hypotheses": STATED, "paper": PAPER}))
    assert gathered(open_study(tmp_path / "made"), tmp_path / "made.yaml")["gradient_flow"] == []


@pytest.mark.parametrize(("gains", "options"), [(4, [f"gain {n}" for n in range(4)]), (5, ["cell.gain 0–4"])])
def test_runs_that_differ_in_an_option_are_no_seeds_of_one_another_unless_options_are_many(
    gains: int, options: list[str], tmp_path: Path
) -> None:
    for run in make_study(tmp_path, tasks=("adding",), gaps=(10,), labels=("rnn",), seeds=12)[:-1]:  # the last failed
        set_gain(tmp_path / "made" / run.run_id, float(run.seed % gains))
    (tmp_path / "made.yaml").write_text(yaml.safe_dump({"hypotheses": STATED, "paper": PAPER}))
    study = open_study(tmp_path / "made", "state = 'finished'")
    rows = gathered(study, tmp_path / "made.yaml")["gradient_flow"]
    assert [row["options"] for row in rows] == options
    counts = [sum(row["before"]["regimes"].values()) for row in rows]
    assert counts == [sum(n % gains == m or gains > 4 for n in range(11)) for m in range(len(options))]


@pytest.mark.slow
def test_a_study_is_gathered_into_a_file_and_a_picture_the_same_again(
    made: tuple[Path, list[Made]], planned: list[Made], result: dict[str, Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    root, runs = made
    monkeypatch.setattr(papers_table, "planned_runs", lambda name: [run.run_id for run in planned])
    said = papers_table.gather(root, root / "made.yaml", tmp_path)
    assert said == f"{result['verdict']}, 28 runs"
    file, picture = tmp_path / "results" / "made.json", tmp_path / "images" / "made.png"
    kept, dots = file.read_bytes(), picture.read_bytes()
    assert read_json(file) == result
    assert len(dots) <= LARGEST
    papers_table.gather(root, root / "made.yaml", tmp_path)
    assert (file.read_bytes(), picture.read_bytes()) == (kept, dots)

    monkeypatch.setattr(papers_table, "planned_runs", lambda name: [run.run_id for run in runs])
    assert papers_table.gather(root, root / "made.yaml", tmp_path) == "kept as it was: 2 of 32 runs are not finished"
    assert papers_table.gather(tmp_path, root / "made.yaml", tmp_path) == "no records here, kept as it was"
    assert file.read_bytes() == kept


def test_a_picture_is_made_small_whatever_it_shows(tmp_path: Path) -> None:
    noise = Image.effect_noise((1400, 2800), 100).convert("RGBA")
    data = small(noise)
    assert len(data) <= LARGEST
    (tmp_path / "small.png").write_bytes(data)
    with Image.open(tmp_path / "small.png") as picture:
        assert (picture.width, picture.height) <= (480, 600)
        assert picture.height == pytest.approx(2 * picture.width, abs=2)
