"""The laws of the initialisers, and of the cells' parameters that are made of them."""

from __future__ import annotations

import math

import pytest
import torch
import yaml
from scipy import stats

from lrd.cells import LSTM, RNN, Cell, initialisers, readout_parameters
from lrd.options import OptionError
from lrd.paths import CONF

GAINS = (0.0, 0.3, 1.0, 1.7)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def recurrent(name: str, size: int, gain: float = 1.0, seed: int = 0) -> torch.Tensor:
    w = initialisers.recurrent(name, size, gain, generator(seed))
    assert w.shape == (size, size)
    assert w.dtype == torch.float32
    return w


def is_uniform(values: torch.Tensor, bound: float) -> bool:
    """Inside [-bound, bound], and by Kolmogorov and Smirnov uniform there."""
    flat = values.flatten().double().numpy()
    inside = abs(flat).max() <= bound * (1 + 1e-6)  # float32 bounds
    return inside and stats.kstest(flat, "uniform", (-bound, 2 * bound)).pvalue > 1e-4


@pytest.mark.parametrize("gain", GAINS)
@pytest.mark.parametrize("size", [1, 2, 33])
def test_orthogonal_times_gain(size: int, gain: float) -> None:
    w = recurrent("orthogonal", size, gain).double()
    # Columns of float32 Householder products: a few eps times the size.
    torch.testing.assert_close(w @ w.T, gain**2 * torch.eye(size).double(), rtol=0, atol=1e-6 * (1 + gain**2) * 4)


def test_orthogonal_is_haar_not_the_sign_fixed_factor_of_a_qr() -> None:
    # Under Haar measure the diagonal is symmetric about 0; a bare QR with positive R or with LAPACK's signs is not.
    first = torch.stack([recurrent("orthogonal", 4, seed=seed)[0, 0] for seed in range(400)])
    assert abs(float((first > 0).float().mean()) - 0.5) < 4 * 0.5 / 400**0.5
    assert float(first.square().mean()) == pytest.approx(1 / 4, rel=0.2)


@pytest.mark.parametrize("gain", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("size", [1, 2, 33])
def test_spectral_radius_is_the_gain(size: int, gain: float) -> None:
    radius = torch.linalg.eigvals(recurrent("spectral", size, gain).double()).abs().max()
    assert float(radius) == pytest.approx(gain, rel=1e-4)  # eigenvalues of float32: eps times their condition


def test_gaussian_has_variance_gain_squared_over_size() -> None:
    w = recurrent("gaussian", 200, 1.5) * 200**0.5 / 1.5
    assert stats.kstest(w.flatten().numpy(), "norm").pvalue > 1e-4
    assert float(w.square().mean()) == pytest.approx(1, abs=5 * (2 / 40000) ** 0.5)


def test_bounds_of_torch_and_glorot_and_the_identity() -> None:
    assert is_uniform(recurrent("torch", 100), 0.1)
    assert is_uniform(recurrent("glorot", 100), (6 / 200) ** 0.5)
    assert torch.equal(recurrent("identity", 4, 0.5), 0.5 * torch.eye(4))
    assert is_uniform(initialisers.dense("torch", 60, 50, 25, generator()), 0.2)
    assert is_uniform(initialisers.dense("gaussian", 60, 50, 25, generator()), (6 / 110) ** 0.5)
    assert not recurrent("gaussian", 5, 0.0).any()


@pytest.mark.parametrize(("size", "gain"), [(1, 1.0), (9, 1.1), (40, 0.95)])
def test_sparse_rows_have_15_entries_and_the_spectral_radius_is_the_gain(size: int, gain: float) -> None:
    w = recurrent("sparse", size, gain)
    assert ((w != 0).sum(1) == min(size, 15)).all()
    radius = torch.linalg.eigvals(w.double()).abs().max()
    assert float(radius) == pytest.approx(gain, rel=1e-4)  # eigenvalues of float32: eps times their condition


def test_sparse_entries_are_normal_and_stand_anywhere() -> None:
    size = 300
    w = recurrent("sparse", size)
    entries = w[w != 0]
    assert stats.kstest((entries / entries.square().mean().sqrt()).numpy(), "norm").pvalue > 1e-4
    columns = (w != 0).sum(0).double()  # each of ``size`` rows has this column with probability 15 / size
    deviation = (columns - 15) / (15 * (1 - 15 / size)) ** 0.5
    assert float(deviation.abs().max()) < 5
    assert float(deviation.square().mean()) == pytest.approx(1, abs=5 * (2 / size) ** 0.5)


@pytest.mark.parametrize(("size", "gain"), [(1, 1.0), (2, 1.0), (60, 0.8)])
def test_positive_is_positive_definite_with_the_gain_as_largest_eigenvalue(size: int, gain: float) -> None:
    w = recurrent("positive", size, gain).double()
    assert torch.equal(w, w.T)
    values = torch.linalg.eigvalsh(w)
    assert float(values[0]) > 0
    assert float(values[-1]) == pytest.approx(gain, rel=1e-5)


def test_positive_is_a_wishart_matrix_and_the_identity_over_its_largest_eigenvalue() -> None:
    """tr A has mean N and variance 2; the smallest eigenvalue of A is about 1 / N^2 and the largest about 4."""
    size = 400
    w = recurrent("positive", size).double()
    scale = 1 / float(torch.linalg.eigvalsh(w)[0])  # A + I begins at 1 + O(1 / N^2)
    assert scale == pytest.approx(5, rel=0.03)  # fluctuations of the edge are of order N^(-2/3)
    assert float(w.trace()) * scale / size == pytest.approx(2, abs=5 * 2**0.5 / size + 100 / size**2)


def test_irnn_and_np_rnn_are_the_vanilla_cell_with_their_initialisers() -> None:
    options = {
        name: yaml.safe_load((CONF / "cell" / f"{name}.yaml").read_text(encoding="utf-8")) for name in ("irnn", "nprnn")
    }
    made = {name: RNN(**{k: v for k, v in chosen.items() if k != "name"}) for name, chosen in options.items()}
    assert {name: (cell.name, cell.label, cell.activation) for name, cell in made.items()} == {
        "irnn": ("rnn", "irnn", "relu"),
        "nprnn": ("rnn", "nprnn", "relu"),
    }
    p = made["irnn"].parameters(30, generator())
    assert torch.equal(p["W"], torch.eye(64))
    assert not p["b"].any()
    assert stats.kstest((p["U"] / 0.001).flatten().numpy(), "norm").pvalue > 1e-4
    p = made["nprnn"].parameters(30, generator())
    assert float(torch.linalg.eigvalsh(p["W"])[-1]) == pytest.approx(1, rel=1e-5)
    assert not p["b"].any()


def test_the_scale_of_the_inputs_is_one_of_the_vanilla_cells_options() -> None:
    u = RNN(hidden_size=100, input_std=0.3).parameters(50, generator())["U"]
    assert stats.kstest((u / 0.3).flatten().numpy(), "norm").pvalue > 1e-4
    assert not RNN(input_std=0.0).parameters(3, generator())["U"].any()
    with pytest.raises(OptionError, match="must be >= 0, got -1"):
        RNN(input_std=-1.0)


def test_unknown_initialiser() -> None:
    with pytest.raises(ValueError, match="no initialiser 'xavier'; there are torch, glorot"):
        initialisers.recurrent("xavier", 3, 1.0, generator())
    with pytest.raises(OptionError, match=r"must be one of torch, .* did you mean 'orthogonal'"):
        RNN(init="orthogonl")


@pytest.mark.parametrize("init", initialisers.RECURRENT)
@pytest.mark.parametrize("kind", [RNN, LSTM])
def test_same_seed_same_weights(kind: type[Cell], init: str) -> None:
    def draw(seed: int) -> dict[str, torch.Tensor]:
        g = generator(seed)
        cell = kind(hidden_size=6, init=init)
        return cell.parameters(3, g) | readout_parameters(cell, 2, g)

    first, again, other = draw(1), draw(1), draw(2)
    gates = 4 if kind is LSTM else 1
    shapes = {"U": (gates * 6, 3), "W": (gates * 6, 6), "b": (gates * 6,), "V": (2, 6), "V_bias": (2,)}
    assert {name: tuple(value.shape) for name, value in first.items()} == shapes
    assert all(torch.equal(first[name], again[name]) for name in shapes)
    assert not torch.equal(first["U"], other["U"])


def test_the_draws_do_not_depend_on_gain_nor_forget_bias() -> None:
    # Runs that differ in the gain alone see the same noise: W is proportional to it, and all else is equal.
    small, large = (LSTM(hidden_size=4, gain=g, forget_bias=f).parameters(3, generator()) for g, f in ((1, 0), (2, 5)))
    assert torch.equal(2 * small["W"], large["W"])
    assert torch.equal(small["U"], large["U"])


def test_torchs_law_of_the_whole_cell() -> None:
    """The initialiser ``torch`` draws what torch.nn.LSTM(hidden 400) draws; its two biases are one, their sum."""
    p = LSTM(hidden_size=400, forget_bias=None).parameters(30, generator())
    bound = 1 / 20
    assert is_uniform(p["U"], bound)
    assert is_uniform(p["W"][:, :50], bound)
    assert float(p["b"].abs().max()) <= 2 * bound
    assert stats.kstest(p["b"].numpy(), "triang", (0.5, -2 * bound, 4 * bound)).pvalue > 1e-4
    readout = readout_parameters(LSTM(hidden_size=400), 300, generator())
    assert is_uniform(readout["V_bias"], bound)
    assert not RNN(init="glorot").parameters(3, generator())["b"].any()


def test_each_gate_has_an_orthogonal_matrix_of_its_own() -> None:
    gates = LSTM(hidden_size=7, init="orthogonal").parameters(2, generator())["W"].chunk(4)
    for w in gates:
        torch.testing.assert_close(w @ w.T, torch.eye(7), rtol=0, atol=1e-5)
    assert not torch.equal(gates[0], gates[1])


@pytest.mark.parametrize("bias", [-2.0, 0.0, 1.0])
def test_forget_bias_is_that_of_the_forget_gate_alone(bias: float) -> None:
    b = LSTM(hidden_size=5, forget_bias=bias, init="glorot").parameters(2, generator())["b"]
    assert b.tolist() == [0.0] * 5 + [bias] * 5 + [0.0] * 10


def test_chrono() -> None:
    """b_f = log u, u uniform in (1, T_max - 1), and b_i = -b_f, whatever the forget bias (Tallec & Ollivier 2018)."""
    n, longest = 2000, 500
    b = LSTM(hidden_size=n, chrono=longest, init="glorot", gain=0, forget_bias=1.0).parameters(1, generator())["b"]
    i, f, rest = b[:n], b[n : 2 * n], b[2 * n :]
    assert torch.equal(i, -f)
    assert float(f.min()) >= 0
    assert float(f.max()) <= math.log(longest - 1) + 1e-6
    assert stats.kstest(f.double().exp().numpy(), "uniform", (1, longest - 2)).pvalue > 1e-4
    assert not rest.any()
    with pytest.raises(OptionError, match="must be >= 3, got 2"):
        LSTM(chrono=2)
