"""The orthogonal RNN: its maps beside torch's, its rotations at the start and after training, its step."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from helpers import EPS32, EPS64, make_pack, run_spec
from scans import SHAPES, assert_no_companion_matters, drawn, noise, scanned
from scipy import stats

from lrd.cells import RNN, Cell, prepared
from lrd.cells.orthogonal import MAPS, ROTATIONS, Orthogonal
from lrd.gradients.flow import gradient_flow
from lrd.kernels import choose_kernel
from lrd.tasks import Adding, Copy

ACTIVATIONS = {
    "tanh": lambda z, b: np.tanh(z + b),
    "relu": lambda z, b: np.maximum(z + b, 0),
    "identity": lambda z, b: z + b,
    "modrelu": lambda z, b: np.sign(z) * np.maximum(np.abs(z) + b, 0),
}


def rotation(cell: Cell, seed: int = 0) -> torch.Tensor:
    """W at the start, in float64."""
    p = cell.parameters(2, torch.Generator().manual_seed(seed))
    return cell.prepare({name: value.double() for name, value in p.items()})["W"]


def away_from_orthogonal(w: torch.Tensor) -> float:
    return float((w.double() @ w.double().mT - torch.eye(w.shape[-1])).abs().max())


@pytest.mark.parametrize("size", [1, 2, 7, 16])
@pytest.mark.parametrize("name", MAPS)
def test_map_and_its_gradient_are_those_of_torch(name: str, size: int) -> None:
    layer = torch.nn.Linear(size, size, bias=False, dtype=torch.float64)
    maps = {"exp": "matrix_exp", "cayley": "cayley"}
    torch.nn.utils.parametrizations.orthogonal(layer, orthogonal_map=maps[name], use_trivialization=False)
    entries, into = noise(size * (size - 1) // 2), noise(size, size, seed=1)
    below = tuple(torch.tril_indices(size, size, -1))
    with torch.no_grad():
        layer.parametrizations.weight.original.zero_()[below] = entries
    (layer.weight * into).sum().backward()
    p = {"A": entries.clone().requires_grad_()}
    w = Orthogonal(hidden_size=size, map=name).prepare(p)["W"]
    (w * into).sum().backward()
    # Entries of order 1, taken through some ten products of matrices of this size.
    close = {"rtol": 0.0, "atol": 1000 * size * EPS64}
    torch.testing.assert_close(w, layer.weight, **close)
    torch.testing.assert_close(p["A"].grad, layer.parametrizations.weight.original.grad[below], **close)


@pytest.mark.parametrize("size", [1, 2, 5, 32])
@pytest.mark.parametrize("init", ROTATIONS)
@pytest.mark.parametrize("name", MAPS)
def test_w_begins_as_a_rotation_the_same_by_either_map(name: str, init: str, size: int) -> None:
    w = rotation(Orthogonal(hidden_size=size, map=name, init=init))
    assert away_from_orthogonal(w) < 100 * size * EPS64
    assert float(torch.linalg.det(w)) == pytest.approx(1, abs=100 * size * EPS64)
    other = rotation(Orthogonal(hidden_size=size, init=init))
    # A is kept in float32; Cayley's map takes angles near pi to tangents whose relative error becomes one of the angle.
    torch.testing.assert_close(w, other, rtol=0, atol=10 * size * math.pi * EPS32)


def angles(w: torch.Tensor) -> np.ndarray:
    """Of the planes of units (1, 2), (3, 4), ..."""
    first = torch.arange(w.shape[0] // 2) * 2
    return torch.atan2(w[first + 1, first], w[first, first]).numpy()


def test_laws_of_the_angles() -> None:
    size = 600
    henaff, helfrich = (rotation(Orthogonal(hidden_size=size, map="cayley", init=i)) for i in ("henaff", "helfrich"))
    assert stats.kstest(angles(henaff), "uniform", (-math.pi, 2 * math.pi)).pvalue > 1e-4
    assert stats.kstest(angles(helfrich), "uniform", (0, math.pi / 2)).pvalue > 1e-4
    planes = torch.block_diag(*[torch.ones(2, 2)] * (size // 2)).bool()
    assert not henaff[~planes].any()
    assert torch.equal(rotation(Orthogonal(hidden_size=5, init="identity")), torch.eye(5).double())


def test_haar_is_uniform_over_rotations() -> None:
    """The first entry of a uniform direction in 4 dimensions: symmetric about 0, its square with mean 1/4."""
    first = torch.stack([rotation(Orthogonal(hidden_size=4, init="haar"), seed)[0, 0] for seed in range(400)])
    assert abs(float((first > 0).float().mean()) - 0.5) < 4 * 0.5 / 400**0.5
    # Var x^2 = 3 / (4 * 6) - 1 / 16 = 1 / 16.
    assert float(first.square().mean()) == pytest.approx(1 / 4, abs=4 * 0.25 / 400**0.5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_step_is_its_equation(activation: str) -> None:
    n, inputs = 6, 3
    cell = Orthogonal(hidden_size=n, activation=activation)
    p = cell.prepare({name: value[0] for name, value in drawn(cell, inputs, 1).items()} | {"b": noise(n, seed=3)})
    x, h = noise(inputs, seed=1), noise(n, seed=2)
    u, w, b = (p[name].numpy() for name in "UWb")
    expected = np.array([ACTIVATIONS[activation](u[j] @ x.numpy() + w[j] @ h.numpy(), b[j]) for j in range(n)])
    np.testing.assert_allclose(cell.step(p, x, (h,))[0], expected, rtol=0, atol=100 * EPS64)


def test_parameters_are_as_many_as_rotations_have() -> None:
    p = Orthogonal(hidden_size=9).parameters(4, torch.Generator().manual_seed(0))
    assert {name: tuple(value.shape) for name, value in p.items()} == {"U": (9, 4), "A": (36,), "b": (9,)}
    assert float(p["b"].abs().max()) <= 0.01
    assert p["b"].any()
    assert all(value.dtype == torch.float32 for value in p.values())


def test_what_the_vanilla_rnn_can_do_runs_on_its_kernel() -> None:
    kernels = {f: choose_kernel(Orthogonal(activation=f)) for f in ACTIVATIONS}
    assert kernels == {"tanh": "numba_rnn", "relu": "numba_rnn", "identity": "numba_rnn", "modrelu": "traced"}
    assert Orthogonal(hidden_size=7, activation="relu").stepped == RNN(hidden_size=7, activation="relu")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", MAPS)
def test_kernel_is_a_loop_of_steps(name: str, activation: str) -> None:
    cell = Orthogonal(hidden_size=5, map=name, activation=activation, init="haar")
    params, x = drawn(cell, 2, 3), noise(8, 3, 4, 2, seed=5)
    fast, plain = scanned(cell, params, x, 2), scanned(cell, params, x, 2, "loop")
    for what, value in plain.items():
        scale = max(1.0, float(value.abs().max()))  # sums of 8 * 4 products, through maps of 5 x 5 matrices
        torch.testing.assert_close(fast[what], value, rtol=0, atol=5000 * EPS64 * scale, msg=what)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("activation", ["modrelu", "tanh"])
def test_a_run_alone_is_the_run_in_a_pack_bit_for_bit(activation: str, shape: tuple[int, ...]) -> None:
    *sizes, hidden = shape
    assert_no_companion_matters(Orthogonal(hidden_size=hidden, activation=activation), tuple(sizes))


@pytest.mark.parametrize("name", MAPS)
def test_w_stays_orthogonal_through_training(name: str) -> None:
    """At a learning rate that moves every entry far; W is rounded to float32 once."""
    cell = Orthogonal(hidden_size=12, map=name, init="helfrich")
    pack = make_pack(*(run_spec(Adding(gap=6), cell, seed=s, lr=0.1, batch_size=4) for s in range(2)))
    before = prepared(cell, pack.parameters())["W"]
    for _ in range(20):
        pack.step()
    after = prepared(cell, pack.parameters())["W"]
    assert (pack.diverged_at < 0).all()
    assert (after - before).abs().amax((1, 2)).min() > 0.1
    assert away_from_orthogonal(after) < 2 * EPS32


def test_one_unit_has_nothing_to_turn_and_trains() -> None:
    pack = make_pack(run_spec(Adding(gap=3), Orthogonal(hidden_size=1), batch_size=2))
    before = pack.theta.clone()
    pack.step()
    assert pack.parameters()["A"].shape == (1, 0)
    assert not torch.equal(pack.theta, before)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_run_that_is_no_longer_finite_leaves_the_others_alone(name: str, broken: float) -> None:
    cell = Orthogonal(hidden_size=4, map=name)
    params = drawn(cell, 2, 3, torch.float32)
    fine = prepared(cell, params)["W"]
    params["A"][1, 2] = broken
    w = prepared(cell, params)["W"]
    assert torch.equal(w[[0, 2]], fine[[0, 2]])
    assert not w[1].isfinite().all()


@pytest.mark.parametrize("name", MAPS)
def test_the_gradient_of_a_linear_network_keeps_its_norm(name: str) -> None:
    """|W^T g| = |g|: flat over 100 steps, each of which rounds sums of 16 products."""
    task, cell = Copy(gap=80), Orthogonal(hidden_size=16, map=name, activation="identity", init="haar")
    readout = {"V": noise(2, task.output_size, 16), "V_bias": noise(2, task.output_size)}
    params = prepared(cell, drawn(cell, task.input_size, 2)) | readout
    flow = gradient_flow(task, cell.stepped, params, task.batch(torch.arange(2), "probe", 0, 3))
    norms = flow.total["h"]
    assert len(norms) > 99
    assert float((norms - norms[-1]).abs().max()) < 100 * 16 * EPS64
