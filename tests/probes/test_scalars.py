"""What of a measurement is one number, against closed forms and by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers import EPS64, OF_TEXTS
from subjects import First, linear, subject_of

from lrd.cells import LSTM, RNN
from lrd.probes import PROBES, Gates, Jacobian, Lyapunov, Retention
from lrd.scalars import SCALARS, Columns, mean_of
from lrd.tasks import Adding, Copy


def scalars(probe: Any, subject: Any) -> dict[str, float]:
    (tables,) = probe.tables_of(subject)
    found: dict[str, float] = probe.scalars(tables)
    return found


def test_constant_gates() -> None:
    """Gates are the logistic function of their biases, of which the forget gate's is taken 100 times in a row."""
    biases = {"input": 0.3, "forget": 2.0, "output": 0.2}
    bias = torch.tensor([[biases["input"], biases["forget"], 0.4, biases["output"]]]).double()
    p = {"U": torch.zeros(1, 12, 10), "W": torch.zeros(1, 12, 3), "b": bias.repeat_interleave(3, 1)}
    found = scalars(Gates(samples=2), subject_of(Copy(gap=99, items=1), LSTM(hidden_size=3), p))
    expected = {f"gate_{name}": 1 / (1 + math.exp(-float(np.float32(b)))) for name, b in biases.items()}
    expected["log10_kept_by_forget"] = 100 * math.log10(expected["gate_forget"])
    assert found == pytest.approx(expected, rel=200 * EPS64, abs=0)  # some hundred roundings


def test_a_cell_without_gates_has_no_scalars_of_them() -> None:
    p = {"U": torch.zeros(1, 3, 2), "W": torch.zeros(1, 3, 3), "b": torch.zeros(1, 3)}
    assert scalars(Gates(samples=2), subject_of(Adding(gap=5), RNN(hidden_size=3), p)) == {}


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_state_that_is_scaled_at_every_step(factor: float) -> None:
    """h_t = a h_{t-1}: the exponent is log a, the singular value over k steps a^k."""
    subject = subject_of(First(gap=9), *linear(factor * torch.eye(2), torch.ones(2, 1)))
    found = scalars(Lyapunov(samples=2, steps=20, transient=0), subject)
    assert found == pytest.approx(dict.fromkeys(("lyapunov_driven", "lyapunov_free"), math.log(factor)), rel=1e-12)
    assert scalars(Jacobian(samples=2), subject) == pytest.approx({"sigma_rate": math.log10(factor)}, rel=1e-12)


@pytest.mark.parametrize(("kept", "share"), [(1.0, 1.0), (0.0, 0.0)])
def test_what_is_kept_can_be_read(kept: float, share: float) -> None:
    """The first number is the state's, or the state is the last one, which knows nothing of it.

    R^2 of nothing over 256 fitted and 256 other sequences: 1/256 each for fit and mean, so 0.05 is twelve of them. Of
    all: the least ridge strength is 1e-8 or so of the state's size.
    """
    task = First(gap=6, noise=0.0 if kept else 1.0)
    found = scalars(Retention(stride=2), subject_of(task, *linear(kept * torch.eye(1), torch.ones(1, 1))))
    assert found == {"readable_h": pytest.approx(share, abs=0.05)}


def test_readable_is_what_lies_between_chance_and_all() -> None:
    table: Columns = {
        "lag": np.array([1, 0, 0, 0, 0]),
        "variable": np.array(["h", "h", "h", "h", "c"], dtype=object),
        "score": np.array([0.9, 0.75, 1.0, 0.2, math.nan]),
        "chance": np.array([0.5, 0.5, 1.0, 0.0, 0.5]),
    }
    found = Retention().scalars({"retention": table})
    assert found == pytest.approx({"readable_h": (0.5 + 0.2) / 2, "readable_c": math.nan}, nan_ok=True)


def test_what_was_not_measured_is_nan() -> None:
    """A record gives NULL as a mask."""
    table: Columns = {"x": np.ma.array([1.0, 2.0, 4.0], mask=[False, False, True])}
    assert mean_of(table, "x", np.array([True, True, False])) == 1.5
    assert math.isnan(mean_of(table, "x", np.array([True, False, True])))
    assert math.isnan(mean_of(table, "x", np.zeros(3, dtype=bool)))


def test_no_two_probes_use_one_name() -> None:
    """They share the mirror and the summary."""
    gated = subject_of(Copy(gap=9, items=1), LSTM(hidden_size=2), None)
    options: dict[str, Any] = {
        "lyapunov": {"steps": 4, "transient": 0},
        "retention": {"samples": 20, "test_samples": 20},
    }
    others = (*OF_TEXTS, "memory_capacity")
    kinds = (kind(**options.get(name, {})) for name, kind in PROBES.items() if name not in others)
    names = [name for probe in kinds for name in probe.scalars(probe.tables_of(gated)[0])]
    assert len(names) == len(set(names)) > 10


def test_scalars_are_of_tables_that_probes_have() -> None:
    """In the order of the probes, which is that of a mirror's charts."""
    assert [name for name in PROBES if name in SCALARS] == list(SCALARS)
    for name, kind in SCALARS.items():
        assert kind.tables == tuple(PROBES[name].tables())
