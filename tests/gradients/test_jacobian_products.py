"""Singular values of Jacobian products against autograd through a plain loop, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cases import LeakyRNN, Traced, autograd_jacobian, generator, permuted
from helpers import CELLS as BUILT_IN
from helpers import EPS64, one, random_parameters

from lrd.cells import RNN
from lrd.gradients.jacobian_products import jacobian_products, log10_singular_values
from lrd.kernels import loop
from lrd.shapes import Tensor
from lrd.tasks import Adding

CELLS = BUILT_IN | {"leaky": LeakyRNN(hidden_size=5), "traced": Traced(hidden_size=4)}


@pytest.mark.parametrize("cell", CELLS)
def test_against_autograd_through_the_whole_loop(cell: str) -> None:
    """Singular values of explicit float64 Jacobians; each is off by rounding beside the largest."""
    kind, lags, last = CELLS[cell], [1, 2, 6], torch.tensor([[6, 7], [7, 6]])
    params = random_parameters(kind, 2, 2)
    inputs = torch.randn(8, 2, 2, 2, dtype=torch.float64, generator=generator(1))
    sigma = log10_singular_values(kind, jacobian_products(kind, params, inputs, last, lags))
    states = loop.unroll(kind, params, inputs)
    n = kind.hidden_size
    h, c = slice(0, n), slice(n, None)
    blocks = {"whole": (slice(None), slice(None))}
    if len(kind.state_names) == 2:
        v = kind.state_names[1]
        blocks |= {"h->h": (h, h), f"h->{v}": (c, h), f"{v}->h": (h, c), f"{v}->{v}": (c, c)}
    assert set(sigma) == set(blocks)
    for run in range(2):
        for sample in range(2):
            for row, lag in enumerate(lags):
                end = int(last[run, sample])
                start = tuple(variable[run, sample] for variable in states[end - lag])
                xs = inputs[end - lag + 1 : end + 1, run, sample]
                plain = autograd_jacobian(kind, one(params, run), xs, start).numpy()
                for name, (to, of) in blocks.items():
                    expected = np.linalg.svd(plain[to, of], compute_uv=False)
                    got = 10 ** sigma[name][row, run, sample].numpy()
                    kept = ~np.isnan(got)
                    error = 100 * lag * EPS64 * expected[0]
                    np.testing.assert_allclose(got[kept], expected[kept], rtol=0, atol=error)
                    assert (expected[~kept] <= error).all()


def test_where_lengths_vary_each_sample_counts_from_its_own_answer() -> None:
    task, cell = Adding(gap=30, convention="hochreiter1997"), RNN(hidden_size=4)
    params = random_parameters(cell, task.input_size, 1)
    batch = task.batch(torch.tensor([0]), "probe", 0, 6)
    last = task.answer_steps(batch, -1)
    assert len(last.unique()) > 1
    longest = int(last.max())
    lags = [1, 10, longest]
    products = jacobian_products(cell, params, batch.inputs.double(), last, lags)
    sigma = log10_singular_values(cell, products)["whole"][..., 0]
    assert products.present[:2].all()
    assert torch.equal(products.present[2], last == longest)
    for sample in range(6):
        end = int(last[0, sample])
        alone = jacobian_products(
            cell,
            params,
            batch.inputs[: end + 1, :, sample : sample + 1].double(),
            last[:, sample : sample + 1],
            [1, 10],
        )
        expected = log10_singular_values(cell, alone)["whole"][:, 0, 0, 0]
        torch.testing.assert_close(sigma[:2, 0, sample], expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("cell", BUILT_IN)
def test_the_order_of_hidden_units_does_not_matter(cell: str) -> None:
    kind, lags = BUILT_IN[cell], [1, 4]
    params = random_parameters(kind, 2, 2)
    inputs = torch.randn(5, 2, 3, 2, dtype=torch.float64, generator=generator(1))
    last = torch.full((2, 3), 4)
    a, b = (
        log10_singular_values(kind, jacobian_products(kind, p, inputs, last, lags))
        for p in (params, permuted(params, torch.tensor([3, 0, 4, 1, 2])))
    )
    for name, sigma in a.items():
        other = b[name]
        both = ~(sigma.isnan() | other.isnan())
        largest = sigma[..., :1].expand_as(sigma)[both]
        relative = 500 * EPS64 * torch.ones_like(largest)
        difference = (10 ** (sigma[both] - largest) - 10 ** (other[both] - largest)).nan_to_num(0.0)  # -inf both
        assert (difference.abs() <= relative).all()
        assert both[..., 0].all()


@pytest.mark.parametrize("cell", BUILT_IN)
@pytest.mark.parametrize("hidden", [1, 5, 32])
def test_companions_do_not_matter(cell: str, hidden: int) -> None:
    kind = type(BUILT_IN[cell])(**{**vars(BUILT_IN[cell]), "hidden_size": hidden})
    params, lags = random_parameters(kind, 2, 3), [1, 2, 5]
    inputs = torch.randn(6, 3, 3, 2, dtype=torch.float64, generator=generator(1))
    last = torch.full((3, 3), 5)
    together = log10_singular_values(kind, jacobian_products(kind, params, inputs, last, lags))
    for run in range(3):
        only = slice(run, run + 1)
        mine = {name: value[only] for name, value in params.items()}
        alone = log10_singular_values(kind, jacobian_products(kind, mine, inputs[:, only], last[only], lags))
        for name, sigma in alone.items():
            np.testing.assert_array_equal(sigma.numpy(), together[name][:, only].numpy())


def test_products_leave_what_they_are_given_unchanged() -> None:
    for cell in CELLS.values():
        params = random_parameters(cell, 2, 1)
        inputs = torch.randn(4, 1, 2, 2, dtype=torch.float64, generator=generator(1))
        kept: list[Tensor] = [value.clone() for value in (*params.values(), inputs)]
        jacobian_products(cell, params, inputs, torch.full((1, 2), 3), [1, 3])
        assert all(torch.equal(a, b) for a, b in zip(kept, (*params.values(), inputs), strict=True))
