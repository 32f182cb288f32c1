"""Survival curves of the synthetic study, recomputed run by run, and of a small study by hand."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from drawn import grouped, number, rows_of
from matplotlib.axes import Axes
from scipy.stats import CensoredData, logrank
from synthetic import Made, MadeStudy

from lrd.figures import NothingToDrawError, facet
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

survival = load_script("survival")

pytestmark = pytest.mark.usefixtures("numbers_alone")

HORIZON = 1000  # max_updates of the synthetic study


def time_of(run: Made) -> int:
    """How long a run was watched: one that diverged will never solve it."""
    return HORIZON if run.outcome == "diverged" else int(run.updates[-1])


def solved_by(runs: list[Made], update: float) -> float:
    """1 minus Kaplan and Meier's product, written out."""
    left = 1.0
    for at in sorted({time_of(run) for run in runs if run.outcome == "solved" and time_of(run) <= update}):
        at_risk = sum(time_of(run) >= at for run in runs)
        left *= 1 - sum(time_of(run) == at and run.outcome == "solved" for run in runs) / at_risk
    return 1 - left


def holm(p: list[float]) -> list[float]:
    """Step by step; NaN does not count."""
    known = sorted((value, place) for place, value in enumerate(p) if not np.isnan(value))
    found, least = [float("nan")] * len(p), 0.0
    for rank, (value, place) in enumerate(known):
        least = max(least, min(1.0, value * (len(known) - rank)))
        found[place] = least
    return found


def test_curves(study: MadeStudy, tmp_path: Path) -> None:
    survival.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "survival.csv")
    groups = grouped(study.runs)
    assert {(row["panel"], row["label"], int(row["gap"])) for row in rows} == set(groups)
    for (panel, label, gap), runs in groups.items():
        mine = [row for row in rows if (row["panel"], row["label"], int(row["gap"])) == (panel, label, gap)]
        assert [number(row["update"]) for row in mine] == sorted({0, *(time_of(run) for run in runs)})
        for row in mine:
            at = number(row["update"])
            assert number(row["solved"]) == pytest.approx(solved_by(runs, at), abs=1e-8)
            assert number(row["low"]) <= number(row["solved"]) <= number(row["high"])
            assert int(row["at_risk"]) == sum(time_of(run) >= at for run in runs)
            ended = [run.outcome == "solved" for run in runs if time_of(run) == at]
            assert (int(row["events"]), int(row["censored"])) == (sum(ended), len(ended) - sum(ended))
            assert int(row["runs"]) == 4
            half = [number(r["update"]) for r in mine if number(r["solved"]) >= 0.5 - 1e-9]
            assert number(row["median"]) == (half[0] if half else np.inf)
    assert {run.state for run in study.runs} == {"finished", "failed", "interrupted"}
    assert any(run.outcome == "diverged" and run.updates[-1] < HORIZON for run in study.runs)


def test_pairs(study: MadeStudy, tmp_path: Path) -> None:
    survival.draw(open_study(study.folder), tmp_path)
    rows = rows_of(tmp_path / "survival_pairs.csv")
    groups = grouped(study.runs)
    places = sorted({(panel, gap) for panel, _, gap in groups})
    labels = sorted({label for _, label, _ in groups})
    keys = [(panel, gap, a, b) for panel, gap in places for a, b in combinations(labels, 2)]
    assert [(row["panel"], int(row["gap"]), row["first"], row["second"]) for row in rows] == keys
    for row, (panel, gap, *two) in zip(rows, keys, strict=True):
        samples = []
        for label in two:
            runs = groups[panel, label, gap]
            solved = np.array([run.outcome == "solved" for run in runs])
            times = np.array([time_of(run) for run in runs])
            samples.append(CensoredData(uncensored=times[solved], right=times[~solved]))
        if row["p"]:
            found = logrank(*samples)
            assert number(row["chi2"]) == pytest.approx(found.statistic**2, rel=1e-6, abs=1e-8)
            assert number(row["p"]) == pytest.approx(found.pvalue, rel=1e-6)
    corrected = holm([number(row["p"]) for row in rows])
    assert [number(row["p_holm"]) for row in rows] == pytest.approx(corrected, rel=1e-7, nan_ok=True)
    assert sum(bool(row["p"]) for row in rows) > 6


def write(root: Path, label: str, ends: list[tuple[str, int, int | None]]) -> None:
    """A run for each end: state or outcome, updates done, solved at; given 100 updates."""
    for seed, (end, update, solved_at) in enumerate(ends):
        record = RunRecord(root, "small", f"{label}-{seed}")
        spec = {"task": {"name": "copy", "gap": 5}, "cell": {"name": "rnn", "label": label}, "seed": seed}
        record.create({"spec": spec | {"training": {"max_updates": 100}}, "task": {}, "parameters": 1})
        if end in ("solved", "unsolved", "diverged"):
            record.finish({"outcome": end, "update": update, "solved_at": solved_at})
        else:
            record.status(end, update=update, max_updates=100)


def test_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of six: one fails at 10, one is solved at 20 of 5 at risk, one at 40 of 3, and the diverged one stays to 100."""
    texts: list[str] = []
    monkeypatch.setattr("lrd.figures.layout.foot", lambda _, lines: texts.extend(lines))
    monkeypatch.setattr("lrd.figures.layout.head", lambda _, title, note: texts.append(f"{title}: {note}"))
    a = [("failed", 10, None), ("solved", 25, 20), ("interrupted", 30, None), ("solved", 45, 40)]
    write(tmp_path, "a", [*a, ("diverged", 5, None), ("unsolved", 100, None)])
    write(tmp_path, "b", [("solved", 20, 10), ("solved", 25, 20)])
    survival.draw(open_study(tmp_path / "small"), tmp_path)
    rows = [row for row in rows_of(tmp_path / "survival.csv") if row["label"] == "a"]
    found = [(int(row["update"]), number(row["solved"]), int(row["at_risk"])) for row in rows]
    expected = [(0, 0, 6), (10, 0, 6), (20, 1 / 5, 5), (30, 1 / 5, 4), (40, 1 - 4 / 5 * 2 / 3, 3)]
    assert found == [pytest.approx(step) for step in [*expected, (100, 1 - 4 / 5 * 2 / 3, 2)]]
    # At 10 one of 8 is solved, 2/8 of it expected of b; at 20 two of 6, 2/6 of one each; at 40 all at risk are a's.
    excess = 2 - 2 / 8 - 2 / 6
    variance = 2 / 8 * 6 / 8 + 1 / 6 * 5 / 6 * 2 * 4 / 5
    (pair,) = rows_of(tmp_path / "survival_pairs.csv")
    assert number(pair["chi2"]) == pytest.approx(excess**2 / variance)
    p = number(pair["p"])
    assert number(pair["p_holm"]) == p
    assert texts[0] == f"copy, $T$ = 5: n = 2–6, p = {p:.2g}"
    assert texts[1].endswith("between the cells of a panel. Among the runs: 1 diverged, 1 failed, 1 unfinished.")


def test_bands_begin_with_the_first_that_solved_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spans: list[list[float]] = []
    kept = Axes.fill_between
    monkeypatch.setattr(
        Axes, "fill_between", lambda self, x, *args, **more: spans.append(list(x)) or kept(self, x, *args, **more)
    )
    write(tmp_path, "a", [("solved", 10, 10), ("solved", 20, 20), ("solved", 20, 20), ("failed", 5, None)])
    write(tmp_path, "b", [("unsolved", 100, None)] * 2)
    survival.draw(open_study(tmp_path / "small"), tmp_path)
    assert spans == [[10, 20, 102], [0, 100, 102]]  # past the end, so that the last step has a width
    spans.clear()
    monkeypatch.setattr(facet, "MOST", 1)
    survival.draw(open_study(tmp_path / "small"), tmp_path)
    assert spans == []


def test_a_study_in_which_none_solved_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr("lrd.figures.layout.head", lambda _, title, note: notes.append(note))
    for label in "ab":
        write(tmp_path, label, [("unsolved", 100, None)] * 3)
    survival.draw(open_study(tmp_path / "small"), tmp_path)
    assert notes == ["n = 3"]
    rows = rows_of(tmp_path / "survival.csv")
    assert {(row["solved"], row["low"], row["median"], row["median_high"]) for row in rows} == {
        ("0", "0", "inf", "inf")
    }
    assert {row["p_holm"] for row in rows_of(tmp_path / "survival_pairs.csv")} == {""}


def test_one_cell_alone_has_nobody_to_differ_from(tmp_path: Path) -> None:
    write(tmp_path, "a", [("solved", 30, 20), ("unsolved", 100, None)])
    paths = survival.draw(open_study(tmp_path / "small"), tmp_path)
    assert [path.name for path in paths] == [f"survival.{kind}" for kind in ("pdf", "png", "csv", "json")]


def test_runs_that_did_nothing_are_no_curve(begun: Path, tmp_path: Path) -> None:
    with pytest.raises(NothingToDrawError, match="no run has done an update yet"):
        survival.draw(open_study(begun), tmp_path)
