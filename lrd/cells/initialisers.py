"""Initialisers of recurrent matrices, by name. Every draw is made on the CPU from the run's own generator.

| name       | square recurrent matrix W, N = hidden size                                | source                   |
| ---------- | ------------------------------------------------------------------------- | ------------------------ |
| torch      | U(-1/sqrt N, 1/sqrt N)                                                    | torch.nn.RNN             |
| glorot     | U(-a, a), a = sqrt(6 / (2N))                                              | Glorot & Bengio 2010     |
| orthogonal | Haar-distributed orthogonal                                               | Saxe et al. 2014         |
| identity   | the identity                                                              | Le, Jaitly & Hinton 2015 |
| gaussian   | N(0, 1/N)                                                                 | Sompolinsky et al. 1988  |
| spectral   | N(0, 1/N), divided by its spectral radius                                 | Jaeger 2001              |
| sparse     | 15 entries a row from N(0, 1), divided by its spectral radius             | Sutskever et al. 2013    |
| positive   | A + I divided by its largest eigenvalue; A = R^T R / N, R from N(0, 1)    | Talathi & Vartak 2015    |

Each is then multiplied by the gain g, so that ``gaussian`` is N(0, g^2/N) and ``spectral`` has spectral radius g. The
initialisers of Pascanu et al. (2013) are ``gaussian`` with g = .1 sqrt(N) ("basic tanh") or .01 sqrt(N) ("sigmoid"),
and ``sparse`` with g = .95 ("smart tanh").
"""

from __future__ import annotations

import math

import torch
from torch.nn import init

from lrd.shapes import Float, Tensor

RECURRENT = ("torch", "glorot", "orthogonal", "identity", "gaussian", "spectral", "sparse", "positive")
_FAN_IN = 15  # entries a row of ``sparse``


def recurrent(name: str, size: int, gain: float, generator: torch.Generator) -> Float[Tensor, "size size"]:
    """Draw a square recurrent matrix.

    Args:
        name: One of ``RECURRENT``, in the table above.
        size: Units of the layer.
        gain: The factor g.
        generator: The run's own source of random numbers.

    Raises:
        ValueError: There is no such initialiser.
    """
    w = torch.empty(size, size)
    if name == "torch":
        bound = 1 / math.sqrt(size)
        init.uniform_(w, -bound, bound, generator=generator)
    elif name == "glorot":
        init.xavier_uniform_(w, generator=generator)
    elif name == "orthogonal":
        init.orthogonal_(w, generator=generator)
    elif name == "identity":
        init.eye_(w)
    elif name == "gaussian":
        init.normal_(w, std=1 / math.sqrt(size), generator=generator)
    elif name == "spectral":
        init.normal_(w, std=1 / math.sqrt(size), generator=generator)
        w /= torch.linalg.eigvals(w).abs().max()
    elif name == "sparse":
        init.normal_(w, generator=generator)
        # Ranks of independent numbers choose ``_FAN_IN`` places a row, each as likely as the others.
        w *= torch.rand(size, size, generator=generator).argsort(1).argsort(1) < _FAN_IN
        w /= torch.linalg.eigvals(w).abs().max()
    elif name == "positive":
        r = torch.randn(size, size, generator=generator)
        w = r.T @ r / size + torch.eye(size)
        w /= torch.linalg.eigvalsh(w)[-1]
    else:
        raise ValueError(f"no initialiser {name!r}; there are {', '.join(RECURRENT)}")
    return w * gain


def dense(
    name: str, rows: int, columns: int, hidden_size: int, generator: torch.Generator
) -> Float[Tensor, "rows columns"]:
    """Draw an input or readout matrix: torch's U(+-1/sqrt N) with ``torch``, else Glorot uniform.

    Args:
        name: The initialiser of the recurrent matrix.
        rows: Rows of the matrix.
        columns: Columns of the matrix.
        hidden_size: N, units of the layer.
        generator: The run's own source of random numbers.
    """
    w = torch.empty(rows, columns)
    if name == "torch":
        bound = 1 / math.sqrt(hidden_size)
        return init.uniform_(w, -bound, bound, generator=generator)
    return init.xavier_uniform_(w, generator=generator)


def bias(name: str, size: int, hidden_size: int, terms: int, generator: torch.Generator) -> Float[Tensor, "size"]:
    """Draw a bias: the sum of ``terms`` of torch's U(+-1/sqrt N) with ``torch``, else 0.

    Args:
        name: The initialiser of the recurrent matrix.
        size: Entries of the bias.
        hidden_size: N, units of the layer.
        terms: How many biases torch has in place of this one, 1 or 2.
        generator: The run's own source of random numbers.
    """
    if name != "torch":
        return torch.zeros(size)
    bound = 1 / math.sqrt(hidden_size)
    return torch.empty(terms, size).uniform_(-bound, bound, generator=generator).sum(0)
