from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import assert_mean
from scipy import stats

from lrd.options import OptionError
from lrd.shapes import Tensor
from lrd.tasks import Batch, Counting
from lrd.tasks.base import over_scored_steps

LETTERS = {"anbn": "ab", "anbncn": "abc"}
every_language = pytest.mark.parametrize("convention", LETTERS)


def string(convention: str, n: int) -> str:
    """Return a whole string, with its start and its end."""
    return "S" + "".join(letter * n for letter in LETTERS[convention]) + "T"


def legal(convention: str, shown: str) -> set[str]:
    """Return what may follow the beginning of a string: what does so in some string of the language."""
    strings = (string(convention, n) for n in range(1, len(shown) + 2))
    return {whole[len(shown)] for whole in strings if whole.startswith(shown)}


def text_of(task: Counting, batch: Batch, run: int, sample: int) -> str:
    assert batch.weights is not None
    length = int(batch.weights[:, run, sample].sum())
    shown = batch.inputs[:, run, sample]
    assert (shown[:length].sum(-1) == 1).all()
    assert batch.weights[:length, run, sample].all()
    assert not shown[length:].any()
    return "".join("Sabc"[k] for k in shown[:length].argmax(-1).tolist())


@settings(max_examples=40)
@given(
    st.sampled_from(sorted(LETTERS)),
    st.integers(2, 20),
    st.data(),
    st.sampled_from(["train", "eval", "test", "probe"]),
    st.integers(0, 2**40),
)
def test_each_string_and_its_targets(convention: str, gap: int, data: st.DataObject, split: str, seed: int) -> None:
    task = Counting(gap=gap, convention=convention, least=data.draw(st.integers(1, gap)))
    batch = task.batch(torch.tensor([seed, seed + 1]), split, 2, 5)
    outputs = LETTERS[convention] + "T"
    (item,) = task.shown(batch)
    for run in range(2):
        for sample in range(5):
            text = text_of(task, batch, run, sample)
            n = text.count("a")
            assert text == string(convention, n)[:-1]
            assert task.least <= n <= gap
            for t in range(len(text)):
                said = {outputs[k] for k in batch.targets[t, run, sample].nonzero()[:, 0].tolist()}
                assert said == legal(convention, text[: t + 1])
            assert set(batch.targets.unique().tolist()) <= {0.0, 1.0}
            assert not batch.targets[len(text) :, run, sample].any()
            asked = [int(task.answer_steps(batch, k)[run, sample]) for k in range(task.answers)]
            assert asked == [text.rindex(letter) for letter in LETTERS[convention][1:]]
            assert (item.values[run, sample], item.steps[run, sample]) == (n, text.rindex("a"))
            assert task.smallest_lag <= asked[0] - text.rindex("a")
            assert asked[-1] - text.index("a") <= task.largest_lag


def test_lags_are_reached() -> None:
    for convention in LETTERS:
        task = Counting(gap=6, least=3, convention=convention)
        short, long = (string(convention, n) for n in (3, 6))
        assert task.smallest_lag == short.rindex("b") - short.rindex("a") == 3
        assert task.largest_lag == len(long) - 2 - long.index("a")
        assert task.sequence_length == len(long) - 1
        assert len(task.quiet_steps) == len(short) - 2 - short.rindex("a")


def test_training_draws_every_n_as_often() -> None:
    task = Counting(gap=9, least=3)
    (item,) = task.shown(task.batch(torch.tensor([3]), "train", 0, 7000))
    counts = torch.bincount(item.values[0].long(), minlength=10)[3:]
    assert len(counts) == 7
    assert stats.chisquare(counts.numpy()).pvalue > 1e-5


@given(st.integers(2, 40), st.integers(1, 40), st.integers(1, 100), st.sampled_from(["eval", "test"]))
def test_evaluation_takes_every_n_as_evenly_as_it_can(gap: int, least: int, size: int, split: str) -> None:
    task = Counting(gap=gap, least=min(gap, least))
    n = task.shown(task.batch(torch.tensor([3, 4]), split, 1, size))[0].values
    assert torch.equal(n[0], n[1])
    assert n[0, 0] == gap
    counts = [int((n[0] == k).sum()) for k in task.numbers]
    assert sum(counts) == size
    assert max(counts) - min(counts) <= 1


@every_language
@pytest.mark.parametrize(("gap", "least"), [(2, 1), (5, 1), (6, 3), (4, 4)])
def test_chance_against_enumeration(convention: str, gap: int, least: int) -> None:
    """The loss of the best table by symbol, and the best of all answers that are a function of the symbol."""
    symbols, outputs = "S" + LETTERS[convention], LETTERS[convention] + "T"
    strings = [string(convention, n)[:-1] for n in range(least, gap + 1)]
    steps = [(s, text[t], legal(convention, text[: t + 1])) for s, text in enumerate(strings) for t in range(len(text))]
    loss = Fraction(0)
    for symbol in symbols:
        for output in outputs:
            mine = [(Fraction(1, len(strings[s])), output in legals) for s, shown, legals in steps if shown == symbol]
            weight, said = sum(w for w, _ in mine), sum(w for w, is_legal in mine if is_legal)
            best = said / weight
            loss += sum(w * (best - is_legal) ** 2 for w, is_legal in mine)
    chance = Counting(gap=gap, least=least, convention=convention).chance()
    assert chance["loss"] == pytest.approx(float(loss / len(strings) / len(outputs)), rel=1e-12)

    subsets = [set(c) for size in range(len(outputs) + 1) for c in itertools.combinations(outputs, size)]
    asked = {symbol: [(s, legals) for s, shown, legals in steps if shown == symbol] for symbol in symbols}
    # Which strings each answer to a symbol leaves accepted: symbols do not hear of each other.
    left = [{frozenset(s for s, legals in asked[x] if legals != said) for said in subsets} for x in symbols]
    rejected = [frozenset().union(*choice) for choice in itertools.product(*left)]
    assert chance["string_accuracy"] == pytest.approx(1 - min(map(len, rejected)) / len(strings))
    assert chance["longest_accuracy"] == 1 - min(len(strings) - 1 in wrong for wrong in rejected)


@every_language
def test_chance_against_the_generator(convention: str) -> None:
    """The best answer to each symbol is counted in as many other strings, which leaves less than 1 / their number."""
    task, size = Counting(gap=8, convention=convention), 6000
    counted, batch = (task.batch(torch.tensor([4]), split, 0, size) for split in ("train", "probe"))
    assert counted.weights is not None
    assert batch.weights is not None
    weights = (counted.weights / counted.weights.sum(0)).double()
    table = torch.einsum("trbx,trby,trb->xy", counted.inputs.double(), counted.targets.double(), weights)
    table /= torch.einsum("trbx,trb->x", counted.inputs.double(), weights)[:, None]
    said = batch.inputs.double() @ table
    losses = over_scored_steps((said - batch.targets).square().mean(-1), batch.weights)
    chance = task.chance()
    error = float(losses.std()) / size**0.5
    assert abs(float(losses.mean()) - chance["loss"]) < 4.5 * error + 1 / size
    assert task.metrics(torch.logit(said.float(), eps=1e-6), batch)["string_accuracy"].item() == 0


def test_each_letter_as_the_last_is_right_for_n_of_1_alone() -> None:
    task = Counting(gap=8)
    batch = task.batch(torch.tensor([4]), "probe", 0, 4000)
    answers = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1]])  # behind S, a, b
    metrics = task.metrics(batch.inputs @ answers - 0.5, batch)
    n = task.shown(batch)[0].values
    assert_mean((n == 1).float(), task.chance()["string_accuracy"])
    assert metrics["string_accuracy"].item() == pytest.approx((n == 1).float().mean().item())
    assert metrics["longest_accuracy"].item() == 0


def right_outputs(batch: Batch) -> Tensor:
    return batch.targets - 0.5


def test_metrics_by_hand() -> None:
    task = Counting(gap=4, convention="anbncn")
    batch = task.batch(torch.tensor([3, 4]), "test", 0, 8)  # n = 4 4 3 3 2 2 1 1
    n = task.shown(batch)[0].values[0].long()
    assert n.tolist() == [4, 4, 3, 3, 2, 2, 1, 1]
    outputs = right_outputs(batch)
    assert task.solved(task.metrics(outputs, batch)).tolist() == [True, True]
    outputs[3 * n[1], 0, 1, 3] = -0.1  # no T behind the last c of a longest one
    outputs[1, 0, 2, 3] = 0.1  # T where only a or b may come
    outputs[1, 0, 3, 0] = 0.0  # on the boundary, from above
    outputs[1, 0, 6, 3] = 0.0  # and from below
    outputs[3 * n[4] + 1 :, 0, 4] = 7  # behind the end
    outputs[2, 0, 5, 3] = torch.nan
    metrics = task.metrics(outputs, batch)
    assert metrics["string_accuracy"].tolist() == [0.375, 1]
    assert metrics["longest_accuracy"].tolist() == [0.5, 1]
    assert task.solved(metrics).tolist() == [False, True]


def test_longest_is_that_of_the_tested_gap() -> None:
    """A counter that holds no more than 5: what it does at other gaps."""
    for gap, share, longest in ((5, 1.0, 1.0), (10, 0.5, 0.0), (3, 1.0, 1.0)):
        task = Counting(gap=gap)
        batch = task.batch(torch.tensor([1]), "test", 0, 10 * gap)
        n = task.shown(batch)[0].values
        metrics = task.metrics(torch.where((n <= 5)[None, ..., None], right_outputs(batch), -1.0), batch)
        assert metrics["string_accuracy"].item() == pytest.approx(share)
        assert metrics["longest_accuracy"].item() == longest


def test_the_loss_of_outputs_of_tanh_is_four_times_as_large() -> None:
    task = Counting(gap=5)
    batch = task.batch(torch.tensor([1]), "train", 0, 6)
    outputs = torch.randn(batch.targets.shape, generator=torch.Generator().manual_seed(3))
    squares = (torch.tanh(outputs / 2) - (2 * batch.targets - 1)).square().mean(-1)
    assert batch.weights is not None
    expected = over_scored_steps(squares, batch.weights).mean(-1)
    torch.testing.assert_close(4 * task.loss(outputs, batch), expected, rtol=1e-5, atol=0)


def test_the_smallest_n_is_no_larger_than_the_largest() -> None:
    with pytest.raises(OptionError, match=r"task\.least, 5, got 4") as caught:
        Counting(gap=4, least=5)
    assert caught.value.key == "gap"
    with pytest.raises(OptionError):
        Counting(gap=1)
