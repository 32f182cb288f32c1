"""Probabilities of the next symbol from the last few alone: levels to compare a predictor with memory with.

Counts of a training part, smoothed by method C of Witten & Bell (1991): with n(u) the times that the context u came,
and kinds(u) the number of different symbols that followed it,

    p(s | u) = (n(u s) + kinds(u) p(s | u')) / (n(u) + kinds(u)),

where u' is u without its oldest symbol, and below the empty context all symbols are equally probable. No symbol has
probability 0, so that the loss on another part is finite.
"""

from __future__ import annotations

import numpy as np


def probabilities(codes: np.ndarray, train: range, places: np.ndarray, order: int, symbols: int) -> np.ndarray:
    """Return the probability of some codes after the ``order - 1`` codes before each, in float64.

    Args:
        codes: a text as numbers 0..symbols-1.
        train: the places that are counted.
        places: of the codes whose probability is asked for, each >= order - 1.
        order: 1 for what is known without any context, 2 for what one symbol says, and so on; 0 for 1 / symbols.
        symbols: number of different codes.
    """
    if order == 0:
        return np.full(len(places), 1 / symbols)
    lower = probabilities(codes, train, places, order - 1, symbols)
    counted = np.arange(train.start + order - 1, train.stop)
    grams, n = np.unique(_grams(codes, counted, order, symbols), return_counts=True)
    contexts, first, kinds = np.unique(grams // symbols, return_index=True, return_counts=True)
    asked = _grams(codes, places, order, symbols)
    seen = _look_up(grams, n, asked)
    total, kind = (_look_up(contexts, of, asked // symbols) for of in (np.add.reduceat(n, first), kinds))
    smoothed: np.ndarray = np.divide(seen + kind * lower, total + kind, out=lower.copy(), where=total > 0)
    return smoothed


def _grams(codes: np.ndarray, places: np.ndarray, order: int, symbols: int) -> np.ndarray:
    """Return each place's code and the codes before it as one number, the code itself as its lowest digit."""
    grams = np.zeros(len(places), dtype=np.int64)
    for back in range(order):
        grams += codes[places - back] * symbols**back
    return grams


def _look_up(keys: np.ndarray, values: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the value of each key that is asked for, 0 where there is no such key; ``keys`` ascend."""
    place = np.searchsorted(keys, asked).clip(max=len(keys) - 1)
    return np.where(keys[place] == asked, values[place], 0)
