"""Shares solved and diverged against what was swept: counts and intervals worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn import number, rows_of

from lrd.figures import NotMeasuredError
from lrd.figures.scripts import load_script
from lrd.records import RunRecord, open_study

outcomes = load_script("outcomes")

pytestmark = pytest.mark.usefixtures("numbers_alone")

Z2 = 1.959963984540054**2  # the square of the 97.5 % quantile of the normal distribution, from a table


def wilson(successes: int, count: int) -> tuple[float, float]:
    """Wilson (1927): where (p - share)^2 = z^2 p (1 - p) / n, a quadratic equation in p."""
    a, b, c = count + Z2, -(2 * successes + Z2), successes**2 / count
    root = max(b * b - 4 * a * c, 0.0) ** 0.5
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def write(root: Path, ends: str, label: str = "clipped", gap: int = 5, **options: object) -> None:
    """A run for each letter: solved, unsolved, diverged, failed, or running."""
    of_cell = {name: options[name] for name in ("gain", "activation", "layers") if name in options}
    cell = {"name": "rnn", "label": label} | of_cell
    for seed, end in enumerate(ends):
        spec = {"task": {"name": "copy", "gap": gap}, "cell": cell, "optimizer": {"lr": options.get("lr", 0.1)}}
        record = RunRecord(root, "small", f"{label}-{gap}-{'-'.join(map(str, options.values()))}-{seed}")
        record.create({"spec": spec | {"seed": seed}, "task": {}, "parameters": 1})
        outcome = {"s": "solved", "u": "unsolved", "d": "diverged"}.get(end)
        if outcome:
            record.finish({"outcome": outcome, "update": 5})
        else:
            record.status("failed" if end == "f" else "running", update=1, max_updates=5)


def drawn(root: Path) -> list[dict[str, str]]:
    outcomes.draw(open_study(root / "small"), root / "out")
    return [row for path in sorted((root / "out").glob("*.csv")) for row in rows_of(path)]


def test_shares_and_intervals(tmp_path: Path) -> None:
    written = {1.0: "sssss", 1.5: "ssudf", 3.0: "ddddr"}
    for gain, ends in written.items():
        write(tmp_path, ends, gain=gain)
    rows = drawn(tmp_path)
    assert [(row["outcome"], float(row["value"])) for row in rows] == [
        (outcome, gain) for outcome in ("solved", "diverged") for gain in written
    ]
    for row in rows:
        ends = written[float(row["value"])]
        count = ends.count(row["outcome"][0])
        assert (int(row["runs"]), int(row["count"]), number(row["share"])) == (count, 5, count / 5)
        assert (number(row["low"]), number(row["high"])) == pytest.approx(wilson(count, 5), abs=1e-8)
        assert (row["panel"], row["gap"], row["setting"], row["label"]) == ("copy", "5", "", "clipped")
        assert row["option"] == "cell.gain"
    assert number(rows[0]["low"]) == pytest.approx(5 / (5 + Z2), abs=1e-8)  # all of five: 0.5655
    assert number(rows[3]["high"]) == pytest.approx(Z2 / (5 + Z2), abs=1e-8)  # none of five: 0.4345


def test_the_option_of_most_values_is_drawn_against_and_the_others_set_panels_apart(tmp_path: Path) -> None:
    for gain in (0.5, 1.0, 2.0, 3.0):
        for lr in (0.2, 0.01, 0.05):
            for gap in (5, 9):
                write(tmp_path, "su", gap=gap, gain=gain, lr=lr)
                write(tmp_path, "d", label="not clipped", gap=gap, gain=gain, lr=lr)
    rows = drawn(tmp_path)
    assert {row["option"] for row in rows} == {"cell.gain"}
    places = list(dict.fromkeys((row["gap"], row["setting"]) for row in rows))
    assert places == [(gap, f"optimizer.lr = {lr}") for gap in ("5", "9") for lr in ("0.01", "0.05", "0.2")]
    assert len(rows) == 6 * 2 * 2 * 4  # places, labels, outcomes, gains
    assert {(row["label"], row["outcome"], row["runs"], row["count"]) for row in rows} == {
        ("clipped", "solved", "1", "2"),
        ("clipped", "diverged", "0", "2"),
        ("not clipped", "solved", "0", "1"),
        ("not clipped", "diverged", "1", "1"),
    }


def test_runs_that_came_to_no_end_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feet: list[str] = []
    monkeypatch.setattr("lrd.figures.layout.foot", lambda _, lines: feet.extend(lines))
    for gain, ends in {1.0: "sf", 2.0: "dr", 3.0: "uu"}.items():
        write(tmp_path, ends, gain=gain)
    write(tmp_path, "s")  # without a gain
    drawn(tmp_path)
    (text,) = feet
    assert text == (
        "Bars: 95 % Wilson intervals. Counted as neither: 1 failed, 1 unfinished. Not drawn: 1 runs without cell.gain."
    )


@pytest.mark.parametrize("gains", [{"clipped": [1.0, 2.0]}, {"a": [1.0], "b": [2.0], "c": [3.0]}])
def test_a_study_that_sweeps_no_number(tmp_path: Path, gains: dict[str, list[float]]) -> None:
    """Two values are no curve, and values that labels already name are no sweep within one."""
    for label, values in gains.items():
        for gain in values:
            write(tmp_path, "su", label=label, gain=gain)
    with pytest.raises(NotMeasuredError, match="no number beside gap and seed was swept"):
        drawn(tmp_path)
    assert not (tmp_path / "out").exists()


def test_layers_are_on_the_axis_and_not_in_labels(tmp_path: Path) -> None:
    for layers, ends in ((1, "ss"), (2, "su"), (3, "uu")):
        write(tmp_path, ends, layers=layers)
    outcomes.draw(open_study(tmp_path / "small"), tmp_path)
    rows = [row for row in rows_of(tmp_path / "outcomes.csv") if row["outcome"] == "solved"]
    found = [(row["label"], row["option"], row["value"], row["share"]) for row in rows]
    shares = ((1, "1"), (2, "0.5"), (3, "0"))
    assert found == [("clipped", "cell.layers", f"{layers}", share) for layers, share in shares]


def test_networks_are_told_apart_where_another_number_is_on_the_axis(tmp_path: Path) -> None:
    for gain in (0.5, 1.0, 2.0):
        for layers in (1, 2):
            write(tmp_path, "s" * layers, gain=gain, layers=layers)
    outcomes.draw(open_study(tmp_path / "small"), tmp_path)
    rows = rows_of(tmp_path / "outcomes.csv")
    assert {(row["label"], row["count"]) for row in rows} == {("clipped", "1"), ("clipped, 2 layers", "2")}
    assert {row["option"] for row in rows} == {"cell.gain"}
