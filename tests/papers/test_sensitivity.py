"""The probe beside ``experiments/papers/zucchet2024_sensitivity.yaml``."""

from __future__ import annotations

import math

import pytest
import torch
from commands import ROOT

from lrd.cells import LSTM, RNN
from lrd.custom import load
from lrd.options import OptionError
from lrd.probes.base import Subject
from lrd.tasks import TASKS

FILE = f"{ROOT / 'experiments/papers/zucchet2024_sensitivity.py'}:Sensitivity"


def subject(*weights: float) -> Subject:
    runs = len(weights)
    params = {
        "W": torch.tensor(weights, dtype=torch.float32).view(runs, 1, 1),
        "U": torch.ones(runs, 1, 1),
        "b": torch.zeros(runs, 1),
    }
    cell = RNN(hidden_size=1, activation="identity", init="identity")
    return Subject(TASKS["memory_capacity"](gap=4), cell, params, torch.arange(runs))


def test_it_is_the_derivative_that_autograd_gives_of_the_same_noise() -> None:
    probe = load("probe", FILE)(samples=50, steps=10)
    for table, w, seed in zip(probe.measure(subject(0.5, 0.75)), (0.5, 0.75), (0, 1), strict=True):
        noise = torch.Generator().manual_seed(seed)
        weight = torch.full((50,), w, dtype=torch.float64, requires_grad=True)
        h = torch.zeros(50, dtype=torch.float64)
        for _ in range(round(10 / (1 - w))):
            h = weight * h + torch.randn(50, dtype=torch.float64, generator=noise)
        (dh,) = torch.autograd.grad(h.sum(), weight)
        assert table["weight"] == [w]
        assert table["ratio"][0] == pytest.approx(float((dh**2).mean() / (h.detach() ** 2).mean()), rel=1e-12)


def test_its_mean_is_the_closed_form() -> None:
    """A mean of n squares of normal numbers has a relative deviation of sqrt(2 / n); a ratio has at most twice that."""
    samples = 20_000
    (table,) = load("probe", FILE)(samples=samples, steps=30).measure(subject(0.8))
    expected = (1 + 0.8**2) / (1 - 0.8**2) ** 2
    assert table["ratio"][0] == pytest.approx(expected, rel=5 * 2 * math.sqrt(2 / samples))


def test_it_refuses_other_cells() -> None:
    probe = load("probe", FILE)()
    for cell in (RNN(hidden_size=2, activation="identity"), RNN(hidden_size=1), LSTM(hidden_size=1)):
        with pytest.raises(OptionError, match="one linear unit"):
            probe.check_cell(cell)
