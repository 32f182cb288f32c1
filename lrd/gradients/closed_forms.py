"""The closed forms of RNN and LSTM: one forward unroll of each, and the slopes of its steps.

RNN, with a_t = U x_t + W h_{t-1} + b and h_t = f(a_t):

    dh_t / dh_{t-1} = diag(f'(a_t)) W.

LSTM (Gers et al. 2000), with such a_t of the gates i, f, g, o, and c_t = f_t c_{t-1} + i_t g_t, h_t = o_t tanh(c_t):

    dc_t / dc_{t-1} = f_t,     dh_t / dc_t = o_t tanh'(c_t)     within the step,
    dc_t / da_t = (g_t i'_t, c_{t-1} f'_t, i_t g'_t) of i, f, g,     dh_t / da_t = tanh(c_t) o'_t of o.

``lrd.gradients.adjoint`` takes one gradient back by them, ``lrd.gradients.step_jacobians`` whole matrices.

Slopes are made of pre-activations, and so are exact to rounding however far a unit is saturated: 1 - tanh(a)^2 is not.
The packed kernels of training (``lrd.kernels``) have slopes of their own, made of what the forward pass has stored (1 -
h^2), a few steps at a time and in place: another exponential for each unit and step would cost as much as the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from lrd.cells import RNN, Parameters, State, products
from lrd.cells.rnn import ACTIVATIONS
from lrd.shapes import Float, Tensor

#: ``add(a, h, w_t)`` puts a + h W^T into a, for each run of a pack, and returns it.
AddProduct = Callable[[Tensor, Tensor, Tensor], Tensor]


def add_product(a: Tensor, h: Tensor, w_t: Tensor) -> Tensor:
    """Add h W^T to a in one call, the fastest way."""
    return torch.baddbmm(a, h, w_t, out=a)


def add_rounded_product(a: Tensor, h: Tensor, w_t: Tensor) -> Tensor:
    """Add h W^T to a after rounding it; the last bit is the run's own also where a matrix is a vector."""
    return a.add_(products(h, w_t))


def input_part(p: Parameters, inputs: Float[Tensor, "time runs batch inputs"]) -> Float[Tensor, "time runs batch _"]:
    """Return U x_t + b of all steps at once."""
    return (torch.einsum("trbi,rhi->trbh", inputs, p["U"]) + p["b"][:, None]).contiguous()


def unroll_rnn(
    cell: RNN,
    params: Parameters,
    a: Float[Tensor, "time runs batch hidden"],
    state: State,
    add: AddProduct = add_product,
) -> Iterator[State]:
    """Yield the state of the RNN after each step.

    Args:
        cell: which activation f.
        params: of a pack, [runs, ...].
        a: the ``input_part``; overwritten by the pre-activations.
        state: before the first step.
        add: how W h_{t-1} is added; the two ways differ in the last bit.
    """
    f = sigmoid if cell.activation == "sigmoid" else ACTIVATIONS[cell.activation]
    w_t = params["W"].transpose(1, 2)
    (h,) = state
    for a_t in a.unbind(0):
        # The identity hands on the very tensor of the pre-activation, which nobody writes to again.
        h = f(add(a_t, h, w_t))
        yield (h,)


def unroll_lstm(
    params: Parameters, a: Float[Tensor, "time runs batch gates"], state: State, add: AddProduct = add_product
) -> Iterator[State]:
    """Yield the state of the LSTM after each step; arguments as in ``unroll_rnn``, gates in the order i, f, g, o."""
    w_t = params["W"].transpose(1, 2)
    h, c = state
    for a_t in a.unbind(0):
        i, f, g, o = add(a_t, h, w_t).chunk(4, dim=-1)
        c = torch.addcmul(sigmoid(f) * c, sigmoid(i), g.tanh())
        h = sigmoid(o) * c.tanh()
        yield h, c


class LSTMSlopes(NamedTuple):
    """The derivatives of LSTM steps, each [time, runs, batch, _] (see the equations above)."""

    forget: Tensor  # dc_t / dc_{t-1}
    h_to_c: Tensor  # dh_t / dc_t
    gates: Tensor  # dc_t / da_t of the gates i, f, g, and dh_t / da_t of o


def lstm_slopes(a: Float[Tensor, "time runs batch gates"], c: Float[Tensor, "steps runs batch hidden"]) -> LSTMSlopes:
    """Return the slopes of all steps from their pre-activations and from c, which begins one step earlier."""
    i, f, g, o = a.chunk(4, dim=-1)
    before, after = c[:-1], c[1:]
    gates = [
        g.tanh() * sigmoid_slope(i),
        before * sigmoid_slope(f),
        sigmoid(i) * tanh_slope(g),
        after.tanh() * sigmoid_slope(o),
    ]
    return LSTMSlopes(sigmoid(f), sigmoid(o) * tanh_slope(after), torch.cat(gates, dim=-1))


# By exp, which gives a number the same result wherever it stands in a tensor; torch.sigmoid does not, and a run would
# then depend on its companions in the last bit.
def sigmoid(a: Tensor) -> Tensor:
    """Return 1 / (1 + exp(-a))."""
    return 1 / (1 + torch.exp(-a))


def sigmoid_slope(a: Tensor) -> Tensor:
    """Return the derivative of the logistic function, exact to rounding for any a."""
    e = torch.exp(-a.abs())
    return e / (1 + e).square()


def tanh_slope(a: Tensor) -> Tensor:
    """Return the derivative of tanh, exact to rounding for any a."""
    return 4 * sigmoid_slope(2 * a)


#: f'(a) of each activation of the RNN, from the pre-activation.
SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": tanh_slope,
    "relu": lambda a: (a > 0).to(a.dtype),
    "sigmoid": sigmoid_slope,
    "identity": torch.ones_like,
}
