"""The probe ``lyapunov`` against determinants and numpy, its table, and what must not change it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import (
    LeakyRNN,
    Noise,
    Traced,
    exponents_of,
    generator,
    permuted,
    run_of,
    subject,
)
from helpers import CELLS as BUILT_IN
from helpers import EPS64, random_parameters

from lrd.cells import RNN
from lrd.gradients.step_jacobians import linearise
from lrd.kernels import loop
from lrd.probes.lyapunov import Lyapunov, local_rates, spectrum_columns, stream
from lrd.shapes import Tensor
from lrd.tasks import Adding, Copy

CELLS = BUILT_IN | {"leaky": LeakyRNN(hidden_size=5), "traced": Traced(hidden_size=4)}


@pytest.mark.parametrize("cell", sorted(set(CELLS) - {"rnn-relu"}))  # whose Jacobians are singular
def test_all_rates_of_a_step_add_up_to_the_determinant(cell: str) -> None:
    """ln |det J_t|, for the whole frame, at every step; Jacobians of 5 units with condition numbers up to 1e4 here."""
    kind = CELLS[cell]
    params = random_parameters(kind, 2, 2)
    inputs = torch.randn(120, 2, 3, 2, dtype=torch.float64, generator=generator(1))
    zeros = loop.zero_state(kind, inputs)
    rates, end = local_rates(kind, params, inputs, zeros, 99)
    steps, expected_end = linearise(kind, params, inputs, zeros)
    jacobians = steps.jacobians(0, 120)
    expected = torch.linalg.slogdet(jacobians)[1]
    worst = torch.linalg.cond(jacobians).max().item()
    torch.testing.assert_close(rates.sum(-1), expected, rtol=0, atol=100 * EPS64 * worst)
    torch.testing.assert_close(end, expected_end, rtol=0, atol=1e-12)


def sums_above_the_widest_gap(a: np.ndarray, b: np.ndarray, steps: int) -> tuple[float, float, float]:
    """The sum of the exponents before the widest gap in both spectra, and how far two frames may differ in it.

    They have forgotten where they started to exp(-gap * steps); a pair of complex eigenvalues turns for ever, and its
    exponents by themselves depend on where a frame started, but their sum does not.
    """
    known = np.nan_to_num(a, nan=-700.0, neginf=-700.0)  # lost directions
    k = 1 + int(np.argmax(-np.diff(known)))
    tolerance = 1e-10 + 100 * math.exp(-(known[k - 1] - known[k]) * steps)
    assert tolerance < 1e-4
    return a[:k].sum(), b[:k].sum(), tolerance


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("cell", CELLS)
def test_against_numpy_from_another_frame(cell: str) -> None:
    kind, transient, steps = CELLS[cell], 300, 40
    params = random_parameters(kind, 2, 1, seed=3)
    inputs = torch.randn(transient + steps, 1, 1, 2, dtype=torch.float64, generator=generator(1))
    zeros = loop.zero_state(kind, inputs)
    rates = local_rates(kind, params, inputs, zeros, 99)[0][transient:, 0, 0].mean(0).numpy()
    jacobians = linearise(kind, params, inputs, zeros)[0].jacobians(0, transient + steps)[:, 0, 0].numpy()
    frame = np.linalg.qr(np.random.default_rng(0).normal(size=jacobians.shape[1:]))[0]
    logs = []
    for jacobian in jacobians:
        frame, r = np.linalg.qr(jacobian @ frame)
        logs.append(np.log(np.maximum(np.abs(np.diag(r)), 1e-300)))
    plain = np.mean(logs[transient:], axis=0)
    got, expected, tolerance = sums_above_the_widest_gap(rates, plain, transient)
    assert got == pytest.approx(expected, abs=tolerance)


def test_sequences_follow_one_another_without_their_padding() -> None:
    for task in (Adding(gap=30, convention="hochreiter1997"), Copy(gap=4, items=3, symbols=4)):
        seen = subject(task, RNN(hidden_size=2), {"unused": torch.zeros(2, 1)})
        got = stream(seen, 3, 95)
        assert got.shape == (95, 2, 3, task.input_size)
        batches = [seen.sequences(3, number) for number in range(12)]
        for run in range(2):
            for sample in range(3):
                pieces = []
                for batch in batches:
                    end = int(task.answer_steps(batch, -1)[run, sample]) + 1
                    pieces.append(batch.inputs[: end if batch.weights is not None else None, run, sample])
                assert torch.equal(got[:, run, sample], torch.cat(pieces)[:95])


def test_standard_errors_of_a_run() -> None:
    rates = torch.randn(95, 4, 2, dtype=torch.float64, generator=generator(0)).cumsum(0)
    columns = spectrum_columns("free", rates)
    values = rates.numpy()
    blocks = np.stack([block.mean((0, 1)) for block in np.array_split(values, 10)])
    np.testing.assert_allclose(columns["exponent"], values.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(columns["se_time"], blocks.std(0, ddof=1) / 10**0.5, rtol=1e-12)
    np.testing.assert_allclose(columns["se_samples"], values.mean(0).std(0, ddof=1) / 4**0.5, rtol=1e-12)
    one = spectrum_columns("free", rates[:1, :1])
    assert np.isnan(one["standard_error"]).all()
    assert np.isfinite(one["exponent"]).all()
    assert set(columns) == set(Lyapunov.columns)


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("cell", BUILT_IN)
def test_the_order_of_hidden_units_does_not_matter(cell: str) -> None:
    kind, task = BUILT_IN[cell], Noise(features=2)
    params = random_parameters(kind, 2, 1, seed=3)
    probe = Lyapunov(samples=2, transient=400, steps=50, exponents=99)
    (a,), (b,) = (exponents_of(probe, kind, p, task) for p in (params, permuted(params, torch.tensor([3, 0, 4, 1, 2]))))
    one, other, tolerance = sums_above_the_widest_gap(a["driven"], b["driven"], 400)
    assert one == pytest.approx(other, abs=tolerance)
    if not np.isnan(a["driven"]).any():  # the determinant: no frame in it
        assert a["driven"].sum() == pytest.approx(b["driven"].sum(), abs=1e-9)


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("cell", BUILT_IN)
@pytest.mark.parametrize(("hidden", "group_bytes"), [(1, 2**26), (5, 1), (5, 2**26), (32, 2**26)])
def test_companions_do_not_matter(cell: str, hidden: int, group_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrd.probes.lyapunov._GROUP_BYTES", group_bytes)
    kind = type(BUILT_IN[cell])(**{**vars(BUILT_IN[cell]), "hidden_size": hidden})
    task, probe = Noise(features=2), Lyapunov(samples=3, steps=20, transient=10)
    whole = subject(task, kind, random_parameters(kind, 2, 3))
    for run, table in enumerate(probe.measure(whole)):
        (alone,) = probe.measure(run_of(whole, run))
        for name, column in table.items():
            np.testing.assert_array_equal(alone[name], column)


@pytest.mark.parametrize("cell", CELLS)
def test_looking_changes_nothing(cell: str) -> None:
    given = random_parameters(CELLS[cell], 2, 2, dtype=torch.float32)
    for params in (given, {name: p.double().requires_grad_() for name, p in given.items()}):
        kept: dict[str, Tensor] = {name: p.detach().clone() for name, p in params.items()}
        state = torch.get_rng_state()
        Lyapunov(steps=10, transient=5).measure(subject(Noise(features=2), CELLS[cell], params))
        assert all(torch.equal(params[name], kept[name]) and params[name].grad is None for name in kept)
        assert torch.equal(torch.get_rng_state(), state)
