"""Which units follow a feature of a text: against plain correlations of lists, and what must not matter to it."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from subjects import CELLS, SEEDS, Leaky, assert_equal_tables, plain_states, subject_of
from texts import in_lines

from lrd.cells import GRU, RNN, network_parameters
from lrd.options import OptionError
from lrd.probes import PROBES, Subject, TextUnits
from lrd.probes.correlations import chance_of, correlations, ranks
from lrd.spec import SpecError, job_from_config
from lrd.tasks import Copy, Stream, Text
from lrd.tasks.text_features import FEATURES, Feature, features_of

PROBE = TextUnits(samples=4, window=60, passage=30)
Lists = list[tuple[np.ndarray, Feature]]  # of a window: states [steps, units], and the feature


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Text:
    return Text(gap=10, file=in_lines(tmp_path_factory.mktemp("texts")))


def of_windows(subject: Subject, run: int, numbers: tuple[int, ...], feature: str) -> Lists:
    longer, found = dataclasses.replace(subject.task, gap=PROBE.window), []
    for number in numbers:
        batch = longer.batch(SEEDS, "probe", number, PROBE.samples)
        states = plain_states(subject.cell, subject.params, run, batch.inputs[:, run])
        values = np.concatenate([states[name] for name in subject.cell.state_names], -1)
        _, features = features_of(longer, Stream(SEEDS[run : run + 1], "probe", number), PROBE.samples)
        levels, known = features[feature]
        found += [(values[:, w], Feature(levels[:, w], known[:, w])) for w in range(PROBE.samples)]
    return found


def plain_correlations(windows: Lists, shift: int) -> list[float]:
    """Return each unit's correlation, with each window's feature taken from the window ``shift`` further on."""
    shifted = [windows[(w + shift) % len(windows)][1] for w in range(len(windows))]
    values = np.concatenate([states[f.known] for (states, _), f in zip(windows, shifted, strict=True)])
    levels = np.concatenate([f.levels[f.known] for f in shifted])
    return [float(np.corrcoef(values[:, unit], levels)[0, 1]) for unit in range(values.shape[1])]


@pytest.mark.parametrize("cell", CELLS)
def test_every_number_by_plain_correlations(cell: str, task: Text) -> None:
    subject = subject_of(task, CELLS[cell])
    for run, tables in enumerate(PROBE.tables_of(subject)):
        table, along = tables["text_units"], tables["text_activations"]
        sizes = zip(subject.cell.state_names, subject.cell.state_sizes(), strict=True)
        names = [(variable, unit) for variable, size in sizes for unit in range(size)]
        assert list(zip(table["variable"], table["unit"], strict=True)) == names * 3
        assert set(table["layer"]) == set(along["layer"]) == {1}
        for feature in FEATURES:
            mine = table["feature"] == feature
            selecting, scoring = of_windows(subject, run, (0, 1), feature), of_windows(subject, run, (2,), feature)
            expected = plain_correlations(selecting, 0)
            np.testing.assert_allclose(table["selecting"][mine], expected, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(table["score"][mine], plain_correlations(scoring, 0), rtol=1e-9, atol=1e-9)
            order = sorted(range(len(names)), key=lambda unit: -abs(expected[unit]))
            assert [int(np.flatnonzero(table["rank"][mine] == k + 1)[0]) for k in range(len(names))] == order
            lucky = []
            for shift in range(1, PROBE.samples):
                by, of = plain_correlations(selecting, shift), plain_correlations(scoring, shift)
                best = max(range(len(names)), key=lambda unit: abs(by[unit]))
                lucky.append(math.copysign(1, by[best]) * of[best])
            assert table["chance"][mine] == pytest.approx([max(lucky)] * len(names), abs=1e-9)  # of three shifts
            # And along the passage stands the unit of rank 1, after each character.
            rows = along["feature"] == feature
            assert set(zip(along["variable"][rows], along["unit"][rows], strict=True)) == {names[order[0]]}
            steps = along["t"][rows]
            assert steps.tolist() == list(range(steps[0], steps[0] + PROBE.passage))
            spreads = []
            longer = dataclasses.replace(task, gap=PROBE.window)
            characters, _ = features_of(longer, Stream(SEEDS[run : run + 1], "probe", 2), PROBE.samples)
            for w, (_, f) in enumerate(scoring):
                text = "".join(characters[:, w])
                first = next((k for k in range(1, len(text)) if text[k - 1] == "\n" != text[k]), 0)
                first = first if first + PROBE.passage <= PROBE.window else 0
                part = slice(first, first + PROBE.passage)
                known = f.levels[part][f.known[part]]
                spreads.append((float(known.std()) if len(known) else 0.0, w, part, text[part]))
            _, w, part, text = sorted(spreads)[PROBE.samples // 2 if feature == "line" else -1]
            states, f = scoring[w]
            assert "".join(along["character"][rows]) == text
            assert steps[0] == part.start
            np.testing.assert_allclose(along["value"][rows], states[part, order[0]], rtol=1e-9, atol=1e-12)
            np.testing.assert_array_equal(along["level"][rows], np.where(f.known, f.levels, np.nan)[part])


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("cell", CELLS)
def test_measuring_changes_nothing_and_companions_do_not_matter(cell: str, task: Text) -> None:
    subject = subject_of(task, CELLS[cell])
    kept = {name: p.clone() for name, p in subject.params.items()}
    first, second = PROBE.tables_of(subject), PROBE.tables_of(subject)
    assert all(torch.equal(subject.params[name], value) for name, value in kept.items())
    for run, (mine, again) in enumerate(zip(first, second, strict=True)):
        only = slice(run, run + 1)
        alone = Subject(task, CELLS[cell], {name: p[only] for name, p in subject.params.items()}, SEEDS[only])
        for name, columns in PROBE.tables().items():
            assert_equal_tables(mine[name], again[name])
            assert_equal_tables(mine[name], PROBE.tables_of(alone)[0][name])
            assert list(mine[name]) == list(columns)
            kinds = {"VARCHAR": object, "BIGINT": np.int64, "DOUBLE": np.float64}
            assert {n: kinds[kind] for n, kind in columns.items()} == {n: c.dtype for n, c in mine[name].items()}


def test_units_that_are_asked_for_are_kept_with_the_feature_that_they_follow_best(task: Text) -> None:
    probe = dataclasses.replace(PROBE, best=0, units="1.c.2 1.h.0")
    (tables, *_) = probe.tables_of(subject_of(task, CELLS["lstm"]))
    table, along = tables["text_units"], tables["text_activations"]
    kept = list(dict.fromkeys(zip(along["variable"], along["unit"], along["feature"], strict=True)))
    assert [(variable, unit) for variable, unit, _ in kept] == [("c", 2), ("h", 0)]
    for variable, unit, feature in kept:
        mine = (table["variable"] == variable) & (table["unit"] == unit)
        assert feature == table["feature"][mine][np.abs(table["selecting"][mine]).argmax()]
    # Asked for and the best: once.
    best = int(table["unit"][(table["rank"] == 1) & (table["feature"] == "line")][0])
    variable = table["variable"][(table["rank"] == 1) & (table["feature"] == "line")][0]
    both = dataclasses.replace(PROBE, units=f"1.{variable}.{best}").tables_of(subject_of(task, CELLS["lstm"]))[0]
    assert len(both["text_activations"]["t"]) in (3 * PROBE.passage, 4 * PROBE.passage)


def test_a_unit_that_follows_by_construction_is_found_and_scores_1() -> None:
    generator = np.random.default_rng(0)
    levels = generator.integers(0, 2, (50, 6)).astype(float)
    values = generator.normal(size=(50, 6, 5))
    values[..., 3] = 4 - 2 * levels
    values[..., 1] = 7.0
    found = correlations(values, levels, np.ones((50, 6), dtype=bool))
    assert found[0, 3] == pytest.approx(-1, abs=1e-12)
    assert np.isnan(found[:, 1]).all()
    assert ranks(found[0])[[3, 1]].tolist() == [1, 5]
    assert abs(chance_of(found, found)) < 0.5  # another window's coin says nothing
    assert np.isnan(correlations(values, np.ones((50, 6)), np.ones((50, 6), dtype=bool))).all()
    assert np.isnan(correlations(values, levels, np.zeros((50, 6), dtype=bool))).all()


def test_features_that_the_text_lacks_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("\n".join("so many words " * (k % 4 + 1) for k in range(120)))
    tables = PROBE.tables_of(subject_of(Text(gap=10, file=str(path)), CELLS["rnn"]))[0]
    assert set(tables["text_units"]["feature"]) == set(tables["text_activations"]["feature"]) == {"line"}


def test_a_network_of_constant_units_has_no_rows(task: Text) -> None:
    cell = RNN(hidden_size=3)
    subject = subject_of(task, cell)
    still = Subject(task, cell, {name: torch.zeros_like(p) for name, p in subject.params.items()}, SEEDS)
    tables = PROBE.tables_of(still)[0]
    assert {len(column) for table in tables.values() for column in table.values()} == {0}


def test_refuses_what_it_cannot_measure(task: Text, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="task copy has none: task=text"):
        PROBE.check(Copy())
    with pytest.raises(OptionError, match=r"must be < .*, the length of the text's shortest part, got 9000"):
        TextUnits(window=9000).check(task)
    with pytest.raises(OptionError, match="must be <= window, 60, got 61"):
        dataclasses.replace(PROBE, passage=61)
    path = tmp_path / "plain.txt"
    path.write_text("words and more words " * 200)
    with pytest.raises(OptionError, match="the text's probe part has none"):
        PROBE.check(Text(gap=10, file=str(path)))
    with pytest.raises(OptionError, match=r"must be like 1\.h\.3 \(layer, state variable, unit\), got 'h3'"):
        TextUnits(units="1.h.3 h3")
    for units in ("2.h.0", "1.c.0", "1.h.4", "0.h.1"):
        with pytest.raises(OptionError, match=rf"must be layer 1 to 1, unit of h to 3; got {units}"):
            TextUnits(units=units).check_cell(CELLS["rnn"])
    TextUnits(units="1.m.4 1.h.3").check_cell(Leaky(hidden_size=4))
    PROBE.check(task)


def test_a_run_with_it_on_another_task_is_no_run() -> None:
    config = {"task": {"name": "copy"}, "cell": {"name": "rnn"}, "optimizer": {"name": "adam"}}
    config["probe"] = {"text_units": {}}
    with pytest.raises(SpecError, match=r"^probe\.text_units\.window: measures quotes, brackets and lines"):
        job_from_config(config)
    assert PROBES["text_units"] is TextUnits


def test_units_of_every_layer_are_those_of_torchs_stack(task: Text) -> None:
    cell = GRU(hidden_size=4, layers=2)
    g = torch.Generator().manual_seed(4)
    drawn = network_parameters(cell, task.symbols, g)
    params = {name: value[None].double() for name, value in drawn.items()}
    subject = Subject(task, cell, params, SEEDS[:1])
    (tables,) = PROBE.tables_of(subject)
    table, along = tables["text_units"], tables["text_activations"]
    assert list(zip(table["layer"], table["unit"], strict=True)) == [(k, n) for k in (1, 2) for n in range(4)] * 3
    longer = dataclasses.replace(task, gap=PROBE.window)
    x = longer.batch(SEEDS[:1], "probe", 2, PROBE.samples).inputs[:, 0].double()
    characters, _ = features_of(longer, Stream(SEEDS[:1], "probe", 2), PROBE.samples)
    below, h = x, []
    for layer in ("", "[2]"):
        u, w, b, d = (params[name + layer][0] for name in "UWbd")
        bias = torch.cat([torch.zeros(8, dtype=torch.float64), d])
        start = torch.zeros(1, PROBE.samples, 4, dtype=torch.float64)
        below, _ = torch.gru(below, start, (u, w, b, bias), True, 1, 0.0, False, False, False)
        h.append(below)
    for feature in FEATURES:
        rows = along["feature"] == feature
        (layer,), (unit,) = set(along["layer"][rows]), set(along["unit"][rows])
        steps = along["t"][rows]
        shown = ["".join(characters[steps, w]) for w in range(PROBE.samples)]
        window = shown.index("".join(along["character"][rows]))
        expected = h[layer - 1][steps, window, unit].numpy()
        np.testing.assert_allclose(along["value"][rows], expected, rtol=0, atol=1e-13)
    with pytest.raises(OptionError, match=r"must be layer 1 to 2, unit of h to 3; got 3\.h\.1"):
        TextUnits(units="3.h.1").check_cell(cell)
