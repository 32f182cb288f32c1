"""The embedded Reber grammar as an automaton, and the exact distribution of its strings up to a length.

A state stands for the symbol just shown and all that the rest of the string depends on: which one of T and P comes
again, the number of the inner string, the place in it. The first state is that of the first B; the last one comes
behind the last E and shows nothing.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch

from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.overlap import Likelihoods

SYMBOLS = "BTPSXVE"
# Each state of one inner string, named by its symbol and the node that it leads to, and the states that may follow.
_INNER = {
    "B1": ("T2", "P3"),
    "T2": ("S2", "X4"),
    "S2": ("S2", "X4"),
    "P3": ("T3", "V5"),
    "T3": ("T3", "V5"),
    "X3": ("T3", "V5"),
    "X4": ("X3", "S6"),
    "P4": ("X3", "S6"),
    "V5": ("P4", "V6"),
    "S6": ("E0",),
    "V6": ("E0",),
    "E0": (),  # the next string's B, or T or P again
}


@dataclass(frozen=True)
class Grammar:
    """Tables by state, all on one device; never to be written to.

    Attributes:
        one_hot: the symbol of each state.
        following: the two successors of each state, twice the same where there is no choice.
        reached: ``reached[state, symbol]`` is the successor that shows the symbol.
        legal: the symbols that may come next.
        first: ``first[r]`` is 2**31 times the probability of the first successor, given that the string ends within
            r symbols.
    """

    one_hot: Float[Tensor, "states symbols"]
    following: Int[Tensor, "states 2"]
    reached: Int[Tensor, "states symbols"]
    legal: Bool[Tensor, "states symbols"]
    first: Int[Tensor, "remaining states"]


@functools.lru_cache(maxsize=16)
def grammar(repeats: int, most: int, device: torch.device) -> Grammar:
    """Return the tables of a grammar.

    Args:
        repeats: number of Reber strings in the inner part.
        most: symbols behind the first B at most.
        device: where the tables lie.
    """
    symbols, following = _automaton(repeats)
    states = len(symbols)
    one_hot = torch.zeros(states, len(SYMBOLS))
    one_hot[torch.arange(states - 1), symbols[:-1]] = 1
    reached = torch.full((states, len(SYMBOLS)), states - 1)
    for k in (0, 1):
        reached[torch.arange(states - 1), symbols[following[:-1, k]]] = following[:-1, k]
    legal = (one_hot[following].sum(1) > 0) & (torch.arange(states) < states - 2)[:, None]
    ends = _ending_within(following, most)
    first = torch.zeros(most + 1, states, dtype=torch.int64)
    for r in range(1, most + 1):
        both = 0.5 * ends[r - 1][following]  # [states, 2]
        first[r] = torch.where(both.sum(1) > 0, both[:, 0] / both.sum(1) * 2**31, 0).round().long()
    tables = (one_hot, following, reached, legal, first)
    return Grammar(*(table.to(device) for table in tables))


def _automaton(repeats: int) -> tuple[Int[Tensor, "states"], Int[Tensor, "states 2"]]:
    """Return symbol (a number) and successors of each state; the last two are of the last E and of what follows."""
    after: dict[str, tuple[str, ...]] = {"B": ("T", "P"), "E": ("end",), "end": ("end",)}
    for z in "TP":
        after[z] = (f"B1 {z} 1",)
        for n in range(1, repeats + 1):
            for name, successors in _INNER.items():
                after[f"{name} {z} {n}"] = tuple(f"{s} {z} {n}" for s in successors)
            after[f"E0 {z} {n}"] = (f"B1 {z} {n + 1}" if n < repeats else f"{z} again",)
        after[f"{z} again"] = ("E",)
    names = [name for name in after if name not in ("E", "end")] + ["E", "end"]
    number = {name: k for k, name in enumerate(names)}
    symbols = [SYMBOLS.index(name[0]) if name != "end" else 0 for name in names]
    following = [[number[after[name][0]], number[after[name][-1]]] for name in names]
    return torch.tensor(symbols), torch.tensor(following)


def _ending_within(following: Int[Tensor, "states 2"], most: int) -> Float[Tensor, "remaining states"]:
    """Return the probability that at most r symbols follow, for r = 0..most (behind the last E there is none)."""
    states = len(following)
    ends = torch.zeros(most + 1, states, dtype=torch.float64)
    ends[:, states - 2 :] = 1
    for r in range(1, most + 1):
        ends[r, : states - 2] = ends[r - 1][following[: states - 2]].mean(1)
    return ends


@functools.lru_cache(maxsize=16)
def string_likelihoods(repeats: int, most: int, strings: int = 1) -> Likelihoods:
    """Return how likely strings in a row are, each of at most ``most`` symbols behind its first B.

    A string of c choices between two symbols has probability 2^-c among all strings, so that the share of strings of so
    many choices is all there is to find, given that they are no longer.
    """
    symbols, following = _automaton(repeats)
    last = len(symbols) - 2  # the state of the last E
    chooses = following[:last, 0] != following[:last, 1]
    at = torch.zeros(last + 2, most + 1, dtype=torch.float64)  # by state and choices so far
    at[0, 0] = 1
    ended = torch.zeros(most + 1, dtype=torch.float64)
    for _ in range(most):
        halves = at[:last] / 2
        halves[chooses] = halves[chooses].roll(1, dims=1)  # one choice more; a step makes no more than one
        at = torch.zeros_like(at)
        for k in (0, 1):
            at.index_add_(0, following[:last, k], halves)
        ended += at[last]
    within = float(ended.sum())
    shares = np.ones(1)  # by choices of all strings together
    for _ in range(strings):
        shares = np.convolve(shares, ended.numpy() / within)
    return [
        (share, -c * math.log(2) - strings * math.log(within)) for c, share in enumerate(shares.tolist()) if share > 0
    ]


def walk(rules: Grammar, words: Int[Tensor, "time *batch"]) -> Int[Tensor, "time+1 *batch"]:
    """Return the states of strings that are drawn by random words.

    Args:
        rules: the tables of a grammar whose strings have no more than ``time`` symbols behind the first B.
        words: uniform in 0..2**31 - 1, one for each symbol behind the first B.
    """
    state = torch.zeros_like(words[0])
    states = [state]
    for t in range(len(words)):
        second = words[t] >= rules.first[len(words) - t][state]
        state = rules.following[state, second.long()]
        states.append(state)
    return torch.stack(states)


@dataclass(frozen=True)
class Steps:
    """How often each symbol follows each, and how often there is a choice, by the number of steps of a string.

    A step is a symbol and the next one. The numbers are expected ones over all strings that are not too long, times the
    probability that a string has so many steps.

    Attributes:
        lengths: the probability that a string has k + 1 steps, in row k.
        pairs: by steps, present symbol and next one.
        choices: the steps at which two symbols are legal, by steps.
    """

    lengths: Float[Tensor, "lengths"]
    pairs: Float[Tensor, "lengths symbols symbols"]
    choices: Float[Tensor, "lengths"]


@functools.lru_cache(maxsize=16)
def steps_by_length(repeats: int, most: int) -> Steps:
    """Return how often symbols follow each other in strings of each number of steps; row k is of k + 1 steps.

    In a string of n symbols, f_t(s) p(s, s') e_(n-2-t)(s') is the probability to go from s to s' at step t, where f are
    those of states, p those of successors, and e those of ending after exactly so many symbols more.

    Args:
        repeats: number of Reber strings in the inner part.
        most: symbols behind the first B at most.
    """
    symbols, following = _automaton(repeats)
    last = len(symbols) - 2  # the state of the last E
    within = _ending_within(following, most)
    exactly = torch.cat([within[:1], within[1:] - within[:-1]])
    exactly[1:, last:] = 0
    at = torch.zeros(most, last, dtype=torch.float64)
    at[0, 0] = 1
    for t in range(1, most):
        spread = torch.zeros(last + 2, dtype=torch.float64)
        for k in (0, 1):
            spread.index_add_(0, following[:last, k], at[t - 1] / 2)
        at[t] = spread[:last]
    # The sum over t for all n at once is a convolution: a product of transforms, padded so that nothing wraps around.
    at_waves, exactly_waves = (torch.fft.rfft(x[:most], n=2 * most, dim=0) for x in (at, exactly))
    pairs = torch.zeros(most + 1, len(SYMBOLS) ** 2, dtype=at_waves.dtype)
    choices = torch.zeros(most + 1, 1, dtype=at_waves.dtype)
    for k in (0, 1):
        to = following[:last, k]
        taken = at_waves * exactly_waves[:, to] / 2
        pairs.index_add_(1, symbols[:last] * len(SYMBOLS) + symbols[to], taken)
        choices += taken[:, following[:last, 0] != following[:last, 1]].sum(1, keepdim=True)
    counts = torch.fft.irfft(torch.cat([pairs, choices], 1), n=2 * most, dim=0)[:most] / within[most, 0]
    lengths = exactly[1 : most + 1, 0] / within[most, 0]
    return Steps(lengths, counts[:, :-1].unflatten(1, (len(SYMBOLS), len(SYMBOLS))), counts[:, -1])


@functools.lru_cache(maxsize=16)
def memoryless(repeats: int, most: int) -> tuple[float, float]:
    """Return the loss of the best answer that sees the present symbol alone, and of one that knows the grammar.

    The loss is a mean over a string's steps and over outputs; who knows the grammar answers 1/2 for each of two legal
    symbols.
    """
    steps = steps_by_length(repeats, most)
    each = 1 / torch.arange(1, most + 1, dtype=torch.float64)  # of a string's steps, all of them scored
    return losses_of((each[:, None, None] * steps.pairs).sum(0), float(each @ steps.choices))


def losses_of(shares: Float[Tensor, "symbols symbols"], choices: float) -> tuple[float, float]:
    """Return the loss of the best answer that sees the present symbol alone, and of one that knows the grammar.

    Args:
        shares: of all steps, those at which one symbol is present and another one follows.
        choices: the share of the steps at which two symbols are legal, which are as likely.
    """
    loss = (shares.sum() - (shares.square().sum(1) / shares.sum(1)).sum()) / len(SYMBOLS)
    return float(loss), choices / 2 / len(SYMBOLS)
