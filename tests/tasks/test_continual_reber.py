from __future__ import annotations

import itertools
from collections import defaultdict
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reber_strings import embedded, legal_along, split, strings
from sampled import SIGMAS, assert_mean, assert_share
from scipy import stats

from lrd.tasks import Batch, ContinualReber, Reber
from lrd.tasks.base import over_scored_steps
from lrd.tasks.continual_reber import losses_in_a_row
from lrd.tasks.reber_grammar import SYMBOLS


def text_of(batch: Batch, run: int, sample: int) -> str:
    """Return all symbols of a sequence, with the last one, which is predicted but not shown."""
    assert batch.weights is not None
    length = int(batch.weights[:, run, sample].sum())
    shown, targets = batch.inputs[:, run, sample], batch.targets[:, run, sample]
    assert (shown[:length].sum(-1) == 1).all()
    assert torch.equal(shown[1:length], targets[: length - 1])
    assert not shown[length:].any()
    assert not targets[length:].any()
    assert batch.weights[:length, run, sample].all()
    whole = torch.cat([shown[:length], targets[length - 1][None]])
    return "".join(SYMBOLS[k] for k in whole.argmax(-1).tolist())


def strings_in(text: str, repeats: int) -> list[str]:
    """Return the embedded strings of a sequence, read symbol by symbol: each ends with the E behind its second z."""
    found = []
    while text:
        assert text[0] == "B"
        end = 1
        for _ in range(repeats):
            end = text.index("E", end + 1)
        assert text[end + 1] == text[1] in "TP"
        assert text[end + 2] == "E"
        found.append(text[: end + 3])
        text = text[end + 3 :]
    return found


def legal_of(string: str) -> list[str]:
    """Return what may come next at each step of an embedded string, and a B behind its last E."""
    legal = ["TP", "B"]
    for part in split(string[2:-2]):
        legal += [*legal_along(part), "B"]
    return [*legal[:-1], string[1], "E", "B"]


@settings(max_examples=25)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**40))
def test_a_sequence_is_strings_of_the_grammar_in_a_row(gap: int, number: int, seed: int) -> None:
    task = ContinualReber(gap=gap, strings=number)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 5)
    legal = task.legal(batch)
    (item,) = task.shown(batch)
    for run, sample in itertools.product(range(2), range(5)):
        found = strings_in(text_of(batch, run, sample), task.repeats)
        assert len(found) == number
        expected = [symbols for string in found for symbols in legal_of(string)][:-1]
        mine = [{SYMBOLS[k] for k in step.nonzero()[:, 0].tolist()} for step in legal[:, run, sample]]
        assert mine[: len(expected)] == [set(symbols) for symbols in expected]
        assert not any(mine[len(expected) :])
        begin = 0
        for k, string in enumerate(found):
            second, asked = begin + 1, begin + len(string) - 3
            assert int(task.second_steps(batch, k)[run, sample]) == second
            for answer in (k, k - number):
                assert int(task.answer_steps(batch, answer)[run, sample]) == asked
            assert gap <= task.smallest_lag <= asked - second <= task.largest_lag
            begin += len(string)
        assert int(item.steps[run, sample]) == second  # of the last string
        assert "TP"[int(item.values[run, sample])] == string[1]
    for answer in (number, -number - 1):
        with pytest.raises(IndexError):
            task.answer_steps(batch, answer)


def test_one_string_is_the_task_reber() -> None:
    """Bit for bit: the words of one string are the same places of the stream."""
    seeds = torch.tensor([4, 9])
    for gap in (5, 7):
        one, other = ContinualReber(gap=gap, strings=1), Reber(gap=gap)
        a, b = (task.batch(seeds, "eval", 1, 40) for task in (one, other))
        assert torch.equal(a.inputs, b.inputs)
        assert torch.equal(a.targets, b.targets)
        outputs = torch.randn(a.targets.shape, generator=torch.Generator().manual_seed(1))
        outputs[:, :, :20] = one.legal(a)[:, :, :20].float()
        mine, its = one.metrics(outputs, a), other.metrics(outputs, b)
        for name in its:
            assert torch.equal(mine[name], its[name]), name
        assert one.chance()["loss"] == pytest.approx(other.chance()["loss"], rel=1e-12)
        assert one.landmarks() == pytest.approx(other.landmarks(), rel=1e-12)
        assert one.log10_sequences == pytest.approx(other.log10_sequences, rel=1e-12)
        assert (one.sequence_length, one.quiet_steps) == (other.sequence_length, other.quiet_steps)


def test_each_string_has_the_grammars_probabilities_whatever_came_before() -> None:
    size = 5000
    task = ContinualReber(strings=3)
    batch = task.batch(torch.tensor([3]), "test", 0, size)
    rows = [strings_in(text_of(batch, 0, sample), 1) for sample in range(size)]
    # What the limit leaves out is less than 0.04 % of the strings: no more than sampling error.
    common = {string: float(p) for string, p in strings(8) if p >= 1 / 64}
    for k in range(3):
        inner = [row[k][2:-2] for row in rows]
        counts = [inner.count(string) for string in common]
        expected = [size * p for p in common.values()]
        counts.append(size - sum(counts))
        expected.append(size - sum(expected))
        assert stats.chisquare(counts, expected).pvalue > 1e-5
    seconds = ["".join(string[1] for string in row) for row in rows]
    assert stats.chisquare([seconds.count("".join(z)) for z in itertools.product("TP", repeat=3)]).pvalue > 1e-5


@pytest.mark.parametrize(("repeats", "most", "number"), [(1, 11, 2), (1, 13, 2), (1, 10, 3), (2, 15, 2)])
def test_losses_by_listing_all_sequences(repeats: int, most: int, number: int) -> None:
    known = list(embedded(repeats, most))
    total = sum(probability for _, probability in known)
    pairs: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    choices = Fraction(0)
    for row in itertools.product(known, repeat=number):
        text = "".join(string for string, _ in row)
        share = Fraction(1, len(text) - 1)
        for _, probability in row:
            share *= probability / total
        for pair in itertools.pairwise(text):
            pairs[pair] += share
        choices += share * sum(len(symbols) == 2 for string, _ in row for symbols in legal_of(string))
    rows: dict[str, Fraction] = defaultdict(Fraction)
    for (present, _), share in pairs.items():
        rows[present] += share
    loss = 1 - sum(share**2 / rows[present] for (present, _), share in pairs.items())
    # Sums of some thousand numbers in float64, by transforms.
    assert losses_in_a_row(repeats, most - 1, number) == pytest.approx(
        (float(loss / 7), float(choices / 2 / 7)), rel=1e-11
    )


def test_chance_and_landmark_against_the_generator() -> None:
    """The best answer to each symbol is counted in other sequences, which costs its variance: less than one over the
    number of sequences for each of 7 symbols, a mean over 7 outputs."""
    task, size = ContinualReber(gap=6, strings=3), 3000
    counted, batch = (task.batch(torch.tensor([4]), split, 0, size) for split in ("train", "test"))
    assert counted.weights is not None
    assert batch.weights is not None
    weights = counted.weights / counted.weights.sum(0)
    table = torch.einsum("trbx,trby,trb->xy", counted.inputs.double(), counted.targets.double(), weights.double())
    said = batch.inputs.double() @ (table / table.sum(1, keepdim=True))
    losses = over_scored_steps((said - batch.targets).square().mean(-1), batch.weights)
    chance = task.chance()
    error = float(losses.std()) / size**0.5
    assert abs(float(losses.mean()) - chance["loss"]) < SIGMAS * error + 1 / size
    metrics = task.metrics(torch.logit(said.float(), eps=1e-6), batch)
    for name in ("string_accuracy", "last_string_accuracy"):
        assert metrics[name].item() == chance[name] == 0
    for name, draws in (("recall_accuracy", 3 * size), ("last_recall_accuracy", size)):
        assert_share(metrics[name].item(), chance[name], draws, name)
    legal = task.legal(batch).double()
    known = legal / legal.sum(-1, keepdim=True).clamp(min=1)
    losses = over_scored_steps((known - batch.targets).square().mean(-1), batch.weights)
    assert_mean(losses, task.landmarks()["grammar known"])
    assert task.landmarks()["grammar known"] < chance["loss"]


def test_metrics_by_hand() -> None:
    task = ContinualReber(strings=3)
    batch = task.batch(torch.tensor([3]), "eval", 0, 6)
    assert batch.weights is not None
    first, last = task.answer_steps(batch, 0)[0], task.answer_steps(batch, 2)[0]
    outputs = task.legal(batch).float()
    metrics = task.metrics(outputs, batch)
    assert task.solved(metrics).item()
    assert all(value.item() == 1 for name, value in metrics.items() if name != "loss")
    outputs[:, 0, 0] -= 7  # only the order counts
    outputs[first[1], 0, 1, [1, 2]] = outputs[first[1], 0, 1, [2, 1]]  # T for P in the first string
    outputs[last[2], 0, 2, [1, 2]] = outputs[last[2], 0, 2, [2, 1]]  # and in the last one
    outputs[first[3] + 2, 0, 3] = 0  # no B behind the E of the first string: the first one's mistake
    outputs[first[4] + 3, 0, 4] = 0  # T or P is not known behind the second one's B
    outputs[last[5] + 2 :, 0, 5] = torch.arange(7.0)  # behind the end
    metrics = task.metrics(outputs, batch)
    found = {name: round(value.item() * 18) for name, value in metrics.items() if name != "loss"}
    assert found == {
        "string_accuracy": 14,
        "recall_accuracy": 16,
        "last_string_accuracy": 15,  # 5 of 6
        "last_recall_accuracy": 15,
    }
    assert not task.solved(metrics).item()


def test_a_mistake_counts_for_the_string_whose_symbol_is_shown() -> None:
    task = ContinualReber(strings=2)
    batch = task.batch(torch.tensor([8]), "eval", 0, 1)
    ends = int(task.answer_steps(batch, 0)) + 2  # the step that shows the first string's last E
    for step, last in ((ends, 1.0), (ends + 1, 0.0)):
        outputs = task.legal(batch).float()
        outputs[step] = 0
        metrics = task.metrics(outputs, batch)
        assert metrics["string_accuracy"].item() == 0.5
        assert metrics["last_string_accuracy"].item() == last


def test_geometry() -> None:
    task = ContinualReber()
    assert (task.answers, task.smallest_lag, task.largest_lag) == (6, 5, 30)
    assert task.sequence_length == 6 * 34 - 1
    assert task.quiet_steps == range(197, 202)
