from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from texts import written

from lrd.tasks import Stream, Text
from lrd.tasks.base import Batch
from lrd.tasks.corpus import Corpus, corpus
from lrd.tasks.pairs import closing_distances

SEEDS = torch.tensor([3, 2**40])
PARTS = {("train", 0): 0, ("train", 1): 0, ("eval", 0): 1, ("test", 5): 2}
PARTS |= {("probe", 0): 3, ("probe", 1): 4, ("probe", 2): 5, ("probe", 3): 3}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("texts"))


def plain_codes(text: Corpus, least: int) -> list[int]:
    train = Counter(text.text[: text.parts[0].stop])
    alphabet = sorted(sign for sign, n in train.items() if n >= least)
    return [alphabet.index(sign) + 1 if sign in alphabet else 0 for sign in text.text]


def windows_of(batch: Batch) -> list[list[list[int]]]:
    """The codes of each window: [runs][batch][gap + 1]."""
    assert torch.equal(batch.inputs.sum(-1), torch.ones(batch.inputs.shape[:3]))
    shown = batch.inputs.argmax(-1)
    assert torch.equal(shown[1:], batch.targets[:-1])
    return torch.cat([shown, batch.targets[-1:]]).permute(1, 2, 0).tolist()


def starts_in(codes: list[int], part: range, window: list[int]) -> list[int]:
    size = len(window)
    return [s for s in range(part.start, part.stop - size + 1) if codes[s : s + size] == window]


@settings(max_examples=10)
@given(st.integers(20, 60), st.sampled_from(sorted(PARTS)))
def test_windows_are_the_text_and_lie_in_their_part(path: str, gap: int, drawn: tuple[str, int]) -> None:
    text, task = corpus(path), Text(gap=gap, file=path)
    codes = plain_codes(text, task.least)
    for run in windows_of(task.batch(SEEDS, *drawn, 3)):
        for window in run:
            assert starts_in(codes, text.parts[PARTS[drawn]], window)


def test_every_start_is_drawn_alike(path: str) -> None:
    """Of a stream's places the starts are what is random; a window of the whole part less 3 has 3 starts."""
    text = corpus(path)
    size = min(map(len, text.parts))
    part = next(k for k, p in enumerate(text.parts) if len(p) == size)
    task, number = Text(gap=size - 3, file=path), part - 3
    first = task._places(Stream(SEEDS, "probe", number), 3000)[0]
    for run in first:
        counts = Counter(run.tolist())
        assert sorted(counts) == [text.parts[part].start + k for k in range(3)]
        assert all(abs(n - 1000) < 4.5 * math.sqrt(3000 * 1 / 3 * 2 / 3) for n in counts.values())


def test_geometry_of_a_window() -> None:
    task = Text(gap=30)
    assert (task.sequence_length, task.answers, task.loss_steps) == (30, 30, range(30))
    assert (task.smallest_lag, task.largest_lag) == (0, 29)
    assert task.input_size == task.output_size == len(corpus(None).alphabet(task.least)) + 1


def test_steps_may_differ_by_run(path: str) -> None:
    task, steps = Text(gap=22, file=path), torch.tensor([4, 0])
    for split in ("train", "probe"):
        together = task.batch(SEEDS, split, steps, 5)
        closing = task.closers(Stream(SEEDS, split, steps), 5)
        for run in range(2):
            stream = (SEEDS[run : run + 1], split, int(steps[run]))
            assert torch.equal(together.targets[:, run], task.batch(*stream, 5).targets[:, 0])
            assert torch.equal(closing[:, run], task.closers(Stream(*stream), 5)[:, 0])


def test_outputs_of_a_pack_score_bit_for_bit_as_alone() -> None:
    task, runs = Text(gap=25), 9
    batch = task.batch(torch.arange(runs), "eval", 0, 7)
    generator = torch.Generator().manual_seed(0)
    outputs = 3 * torch.randn(25, runs, 7, task.symbols, generator=generator)
    together = task.metrics(outputs, batch)
    for run in range(runs):
        alone = task.metrics(outputs[:, run : run + 1].clone(), batch.of_runs(slice(run, run + 1)))
        for name, value in together.items():
            assert torch.equal(value[run : run + 1], alone[name])


# -- what closes ------------------------------------------------------------------------------------------------------


def test_closers_are_those_whose_opening_the_window_shows(path: str) -> None:
    text, task = corpus(path), Text(gap=24, file=path)
    distances = closing_distances(text.text)
    found = task.closers(Stream(SEEDS, "probe", 1), 40)
    places = task._places(Stream(SEEDS, "probe", 1), 40)
    batch = task.batch(SEEDS, "probe", 1, 40)
    assert found.shape == batch.targets.shape
    seen: Counter[str] = Counter()
    for step in range(24):
        for run in range(2):
            for sample in range(40):
                place = int(places[step + 1, run, sample])
                far = int(distances[place])
                begins = int(places[0, run, sample])
                expected = far if far and place - far >= begins else 0
                assert int(found[step, run, sample]) == expected
                seen["cut off" if far and not expected else "closes" if far else "no"] += 1
                assert batch.targets[step, run, sample] == task._corpus.codes(task.least)[place]
    assert min(seen.values()) > 0
    assert len(seen) == 3


# -- levels -----------------------------------------------------------------------------------------------------------


def counted(task: Text) -> tuple[list[int], list[tuple[int, float]]]:
    """Codes of the text, and each place of the evaluation part with its share in the targets of all windows."""
    text = corpus(task.file)
    part, shares = text.parts[1], Counter[int]()
    windows = range(part.start, part.stop - task.gap)
    for start in windows:
        shares.update(range(start + 1, start + task.gap + 1))
    total = len(windows) * task.gap
    return plain_codes(text, task.least), [(place, n / total) for place, n in shares.items()]


@pytest.mark.parametrize("gap", [22, 290])
def test_levels_are_those_of_counted_characters(path: str, gap: int) -> None:
    """Method C of Witten & Bell (lrd.tasks.ngrams) by Counter, for each order on top of the one below."""
    task = Text(gap=gap, file=path)
    codes, places = counted(task)
    train = codes[: corpus(path).parts[0].stop]
    grams = [Counter(tuple(train[k : k + order]) for k in range(len(train) - order + 1)) for order in (1, 2, 3)]

    def probability(*gram: int) -> float:
        if not gram:
            return 1 / task.symbols
        total = sum(n for other, n in grams[len(gram) - 1].items() if other[:-1] == gram[:-1])
        kinds = sum(other[:-1] == gram[:-1] for other in grams[len(gram) - 1])
        lower = probability(*gram[1:])
        return (grams[len(gram) - 1][gram] + kinds * lower) / (total + kinds) if total else lower

    known: dict[tuple[int, ...], float] = {}
    losses = [0.0] * 3
    for order in (1, 2, 3):
        for place, share in places:
            gram = tuple(codes[place - order + 1 : place + 1])
            known[gram] = known.get(gram) or probability(*gram)
            losses[order - 1] -= share * math.log(known[gram])
    chance, landmarks = task.chance(), task.landmarks()
    assert [chance["loss"], *landmarks.values()] == pytest.approx(losses, rel=1e-9)
    assert losses[0] > losses[1] > losses[2]
    assert chance["bits_per_character"] == pytest.approx(losses[0] / math.log(2))
    most = Counter(train).most_common(1)[0][0]
    assert chance["accuracy"] == pytest.approx(sum(share for place, share in places if codes[place] == most))
    for symbol, level in enumerate(task.log_frequencies().tolist()):
        assert level == pytest.approx(math.log(probability(symbol)), rel=1e-9)


def test_chance_against_the_generator() -> None:
    """Windows are independent draws: the error of their mean follows from their own spread."""
    task, size = Text(gap=50), 4000
    batch = task.batch(torch.tensor([8]), "eval", 0, size)
    outputs = task.log_frequencies().float().expand(50, 1, size, -1)
    chance = task.chance()
    per_window = {
        "loss": task.losses(outputs, batch.targets)[:, 0].double().mean(0),
        "accuracy": (outputs.argmax(-1) == batch.targets)[:, 0].double().mean(0),
    }
    metrics = task.metrics(outputs, batch)
    for name, values in per_window.items():
        assert metrics[name].item() == pytest.approx(float(values.mean()), rel=1e-4)
        assert abs(float(values.mean()) - chance[name]) < 4.5 * float(values.std()) / math.sqrt(size)


def test_solved_is_better_than_two_known_characters() -> None:
    task = Text()
    level = task.landmarks()["two characters known"]
    met = task.solved({"loss": torch.tensor([level - 1e-3, level + 1e-3, math.nan])})
    assert met.tolist() == [True, False, False]


def test_metrics_by_hand(path: str) -> None:
    task = Text(gap=10, file=path)
    batch = task.batch(SEEDS, "eval", 0, 2)
    outputs = 40 * torch.nn.functional.one_hot(batch.targets, task.symbols).float()
    outputs[:5, 1, 0] = outputs[:5, 1, 0].roll(1, -1)  # run 1 misses five of twenty
    metrics = task.metrics(outputs, batch)
    torch.testing.assert_close(metrics["accuracy"], torch.tensor([1.0, 0.75]))
    torch.testing.assert_close(metrics["loss"], torch.tensor([0.0, 10.0]))
    torch.testing.assert_close(metrics["bits_per_character"], torch.tensor([0.0, 10 / math.log(2)]))


def test_shows_the_characters_of_up_to_ten_steps(path: str) -> None:
    task = Text(gap=40, file=path)
    batch = task.batch(SEEDS, "probe", 0, 4)
    items = task.shown(batch)
    assert len(items) == 10
    assert [int(items[0].steps[0, 0]), int(items[-1].steps[0, 0])] == [0, 39]
    for item in items:
        t = int(item.steps[0, 0])
        assert item.name == f"character {t + 1}"
        assert torch.equal(item.values, batch.inputs[t].argmax(-1))
