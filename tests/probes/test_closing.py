"""The loss at closing signs against a plain loop over windows, and what must not matter to it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from subjects import (
    CELLS,
    SEEDS,
    assert_looking_changes_nothing,
    assert_no_companion_matters,
    plain_states,
    subject_of,
)
from texts import written

from lrd.options import OptionError
from lrd.probes import PROBES, Closing
from lrd.probes.closing import by_distance
from lrd.spec import SpecError, job_from_config
from lrd.tasks import Copy, Text
from lrd.tasks.corpus import corpus
from lrd.tasks.pairs import closing_distances

PROBE = Closing(samples=6, window=60)


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Text:
    return Text(gap=10, file=written(tmp_path_factory.mktemp("texts")))


@pytest.mark.parametrize("cell", CELLS)
def test_every_number_by_a_plain_loop(cell: str, task: Text) -> None:
    subject, text, window = subject_of(task, CELLS[cell]), corpus(task.file), 60
    longer, distances = Text(gap=window, file=task.file), closing_distances(text.text)
    codes = text.codes(task.least)
    train = Counter(codes[: text.parts[0].stop].tolist())
    total, kinds = sum(train.values()), len(train)
    unigram = {s: -math.log((train[s] + kinds / task.symbols) / (total + kinds)) for s in range(task.symbols)}
    for run, table in enumerate(PROBE.measure(subject)):
        signs = defaultdict(list)
        v, bias = (subject.params[name][run].double().numpy() for name in ("V", "V_bias"))
        for number in range(3):
            batch = longer.batch(SEEDS, "probe", number, 6)
            h = plain_states(CELLS[cell], subject.params, run, batch.inputs[:, run])["h"]
            outputs = h @ v.T + bias
            shown = torch.cat([batch.inputs[:, run].argmax(-1), batch.targets[-1:, run]])
            for sample in range(6):
                codes_of = shown[:, sample].numpy()
                part = text.parts[3 + number]
                starts = range(part.start, part.stop - window)
                (start,) = [s for s in starts if (codes[s : s + window + 1] == codes_of).all()]
                for step in range(window):
                    far = int(distances[start + step + 1])
                    if 0 < far <= step + 1:
                        y, symbol = outputs[step, sample], codes_of[step + 1]
                        loss = np.log(np.exp(y).sum()) - y[symbol]
                        signs[int(math.log2(far))].append((far, loss, y.argmax() == symbol, unigram[symbol]))
        assert table["low"].tolist() == [2**k for k in sorted(signs)]
        assert table["high"].tolist() == [2 ** (k + 1) - 1 for k in sorted(signs)]
        assert table["count"].tolist() == [len(signs[k]) for k in sorted(signs)]
        assert len(signs) > 2
        for row, octave in enumerate(sorted(signs)):
            means = np.mean(np.array(signs[octave], dtype=float), 0)
            found = [table[name][row] for name in ("distance", "loss", "accuracy", "unigram")]
            assert found == pytest.approx(means.tolist(), rel=1e-9)  # float64: some 1e6 operations at 1e-16


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("cell", CELLS)
def test_looking_changes_nothing_and_companions_do_not_matter(cell: str, task: Text) -> None:
    assert_looking_changes_nothing(PROBE, task, CELLS[cell])
    assert_no_companion_matters(PROBE, task, CELLS[cell])


def test_windows_are_the_probe_s_own_whatever_the_run_was_trained_on(task: Text) -> None:
    other = Text(gap=37, file=task.file)
    subject = subject_of(task, CELLS["rnn"])
    tables = [PROBE.measure(subject_of(t, CELLS["rnn"], subject.params))[0] for t in (task, other)]
    for name in PROBE.columns:
        np.testing.assert_array_equal(tables[0][name], tables[1][name])


def test_bins_by_hand() -> None:
    distances = np.array([1, 2, 3, 4, 7, 8, 2**40, 2**40 - 1])
    losses = np.array([1.0, 2.0, 4.0, 0.0, 1.0, 5.0, 6.0, 7.0])
    table = by_distance(distances, losses, np.array([1.0, 0, 1, 0, 0, 1, 1, 1]), losses + 1)
    assert table["low"].tolist() == [1, 2, 4, 8, 2**39, 2**40]
    assert table["high"].tolist() == [1, 3, 7, 15, 2**40 - 1, 2**41 - 1]
    assert table["count"].tolist() == [1, 2, 2, 1, 1, 1]
    assert table["distance"].tolist() == [1, 2.5, 5.5, 8, 2**40 - 1, 2**40]
    assert table["loss"].tolist() == [1, 3, 0.5, 5, 7, 6]
    assert table["unigram"].tolist() == [2, 4, 1.5, 6, 8, 7]
    assert table["accuracy"].tolist() == [1, 0.5, 0, 1, 1, 1]
    # Two numbers a apart have the variance a^2 / 2, and their mean the error a / 2.
    np.testing.assert_allclose(table["error"], [np.nan, 1, 0.5, np.nan, np.nan, np.nan])


def test_where_no_window_holds_a_pair_the_table_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "far.txt"
    path.write_text(f"({'so far that no window holds both ' * 10}) " * 60)
    table = PROBE.measure(subject_of(Text(gap=10, file=str(path)), CELLS["rnn"]))[0]
    assert {name: len(column) for name, column in table.items()} == dict.fromkeys(PROBE.columns, 0)


def test_refuses_what_has_no_brackets_and_a_text_that_is_too_short(task: Text, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="task copy has none: task=text"):
        PROBE.check(Copy())
    path = tmp_path / "plain.txt"
    path.write_text("(but one far from the end) " + "no sign that closes any other " * 100)
    with pytest.raises(OptionError, match="needs brackets or quotes that close, the text's probe part has none"):
        PROBE.check(Text(gap=10, file=str(path)))
    with pytest.raises(OptionError, match=r"must be < .*, the length of the text's shortest part, got 900") as caught:
        Closing(window=900).check(task)
    assert caught.value.key == "window"
    PROBE.check(task)


def test_a_run_with_it_on_another_task_is_no_run() -> None:
    config = {"task": {"name": "copy"}, "cell": {"name": "rnn"}, "optimizer": {"name": "adam"}}
    config["probe"] = {"closing": {}}
    with pytest.raises(SpecError, match=r"^probe\.closing\.window: measures brackets and quotes of a text"):
        job_from_config(config)
    assert PROBES["closing"] is Closing
