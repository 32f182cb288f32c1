from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reber_strings import legal_along, split, strings
from sampled import SIGMAS, assert_mean, assert_share
from scipy import stats

from lrd.tasks import Batch, Reber
from lrd.tasks.base import over_scored_steps
from lrd.tasks.reber_grammar import SYMBOLS


def strings_of(batch: Batch) -> list[list[str]]:
    """Inputs and the last target of each sample, as text, by run."""
    assert batch.weights is not None
    lengths = batch.weights.sum(0).long()
    runs = []
    for run in range(batch.inputs.shape[1]):
        runs.append([])
        for sample, length in enumerate(lengths[run].tolist()):
            shown = batch.inputs[:length, run, sample]
            assert (shown.sum(-1) == 1).all()
            assert torch.equal(shown[1:], batch.targets[: length - 1, run, sample])
            assert not batch.inputs[length:, run, sample].any()
            assert not batch.targets[length:, run, sample].any()
            assert batch.weights[:length, run, sample].all()
            whole = torch.cat([shown, batch.targets[length - 1, run, sample][None]])
            runs[-1].append("".join(SYMBOLS[k] for k in whole.argmax(-1).tolist()))
    return runs


def legal_of(string: str) -> list[str]:
    """What may come next at each step of an embedded string but the last."""
    legal = ["TP", "B"]
    for part in split(string[2:-2]):
        legal += [*legal_along(part), "B"]
    return [*legal[:-1], string[1], "E"]


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(0, 2**40))
def test_each_string_is_one_of_the_grammar(gap: int, seed: int) -> None:
    task = Reber(gap=gap)
    batch = task.batch(torch.tensor([seed, seed + 1]), "train", 2, 6)
    legal, last = task.legal(batch), task.answer_steps(batch, -1)
    for run, found in enumerate(strings_of(batch)):
        for sample, string in enumerate(found):
            assert (string[0], string[-1], string[1]) == ("B", "E", string[-2])
            parts = split(string[2:-2])
            assert len(parts) == task.repeats
            assert "".join(parts) == string[2:-2]
            expected = legal_of(string)  # raises where a part is not of the grammar
            mine = ["".join(SYMBOLS[k] for k in step.nonzero()[:, 0].tolist()) for step in legal[:, run, sample]]
            assert [set(symbols) for symbols in mine[: len(expected)]] == [set(symbols) for symbols in expected]
            assert not any(mine[len(expected) :])
            asked = int(last[run, sample])
            assert asked + 1 == len(string) - 2  # what it asks for is the last but one symbol
            assert gap <= task.smallest_lag <= asked - 1 <= task.largest_lag


def test_gap() -> None:
    for gap, repeats in ((1, 1), (5, 1), (6, 2), (10, 2), (100, 20)):
        task = Reber(gap=gap)
        assert (task.repeats, task.smallest_lag) == (repeats, 5 * repeats)
    assert Reber().repeats == 1
    assert list(Reber(gap=10).quiet_steps) == list(range(32, 42))


def test_strings_have_the_grammars_probabilities() -> None:
    size = 8000
    (found,) = strings_of(Reber().batch(torch.tensor([3]), "test", 0, size))
    inner = [string[2:-2] for string in found]
    longest = Reber().largest_lag
    # What the limit leaves out is less than 0.04 % of the strings: no more than sampling error.
    common = {string: float(p) for string, p in strings(8) if p >= 1 / 64}
    counts = [inner.count(string) for string in common]
    expected = [size * p for p in common.values()]
    counts.append(size - sum(counts))
    expected.append(size - sum(expected))
    assert stats.chisquare(counts, expected).pvalue > 1e-5
    assert max(map(len, inner)) <= longest
    assert_share(sum(string[1] == "T" for string in found) / size, 0.5, size)


@pytest.mark.parametrize("gap", [5, 12])
def test_chance_and_landmark_against_the_generator(gap: int) -> None:
    """The best answer to each symbol is counted in other strings, which costs its variance: less than one over the
    number of strings for each of 7 symbols, a mean over 7 outputs."""
    task, size = Reber(gap=gap), 4000
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
    constant = torch.zeros_like(batch.targets)
    constant[..., SYMBOLS.index("T")] = 1
    metrics = task.metrics(constant, batch)
    assert_share(metrics["recall_accuracy"].item(), chance["recall_accuracy"], size)
    assert metrics["string_accuracy"].item() == chance["string_accuracy"] == 0
    assert task.metrics(torch.logit(said.float(), eps=1e-6), batch)["string_accuracy"].item() == 0
    legal = task.legal(batch).double()
    known = legal / legal.sum(-1, keepdim=True).clamp(min=1)
    losses = over_scored_steps((known - batch.targets).square().mean(-1), batch.weights)
    assert_mean(losses, task.landmarks()["grammar known"])
    assert task.landmarks()["grammar known"] < chance["loss"]


def test_metrics_by_hand() -> None:
    task = Reber(gap=10)
    batch = task.batch(torch.tensor([3]), "eval", 0, 5)
    asked = task.answer_steps(batch, 0)[0]
    outputs = task.legal(batch).float()
    assert task.solved(task.metrics(outputs, batch)).item()
    outputs[:, 0, 0] -= 7  # only the order counts
    outputs[3, 0, 1] = 0  # a tie is wrong, also where nothing must be remembered
    outputs[asked[2], 0, 2, [1, 2]] = outputs[asked[2], 0, 2, [2, 1]]  # T for P
    outputs[asked[3] + 2 :, 0, 3] = torch.arange(7.0)  # behind the end
    outputs[asked[4], 0, 4] = torch.nan
    metrics = task.metrics(outputs, batch)
    assert metrics["string_accuracy"].item() == pytest.approx(2 / 5)
    assert metrics["recall_accuracy"].item() == pytest.approx(3 / 5)
    assert not task.solved(metrics).item()


def test_shown() -> None:
    task = Reber()
    batch = task.batch(torch.tensor([5]), "probe", 0, 8)
    (item,) = task.shown(batch)
    assert set(item.steps.flatten().tolist()) == {1}
    assert ["TP"[value] for value in item.values[0].tolist()] == [string[-2] for string in strings_of(batch)[0]]
