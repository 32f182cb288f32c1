"""The bound of Pascanu, Mikolov & Bengio (2013) on the vanilla RNN's Jacobian products."""

from __future__ import annotations

import torch

from lrd.cells import RNN
from lrd.shapes import Float, Tensor

#: The largest derivative of f.
GAMMA = {"tanh": 1.0, "relu": 1.0, "sigmoid": 0.25, "identity": 1.0}


def log10_bounds(
    cell: RNN,
    w: Float[Tensor, "runs hidden hidden"],
    lags: list[int],
    slopes: Float[Tensor, "lags runs batch"],
) -> dict[str, Float[Tensor, "lags runs batch"]]:
    """Return log10 of two upper bounds on the largest singular value of d h_T / d h_{T-lag}, by name.

    Args:
        cell: says which f, and so gamma, the largest derivative of f.
        w: W of each run.
        lags: rows of the results.
        slopes: log10 of the product over the lag's steps of the largest f'(a_t) met at each.

    Returns:
        ``bound``: (gamma * sigma_max(W))^lag, the same for all samples (section 2.1 of the paper); ``bound_slopes``:
        the same with the largest slope met at each step in place of gamma.
    """
    largest = torch.linalg.matrix_norm(w, 2).log10()[:, None]
    lag = torch.tensor(lags, dtype=w.dtype, device=w.device)[:, None, None]
    bound = lag * (largest + torch.tensor(GAMMA[cell.activation], dtype=w.dtype, device=w.device).log10())
    return {"bound": bound.expand_as(slopes), "bound_slopes": lag * largest + slopes}
