"""The LSTM of 1997: its equations, the weights of every net of the paper, and its truncated gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from draws import CLOSE, assert_all_close, draw, plain, sigmoid
from helpers import random_like
from scipy import stats

from lrd.cells import LSTM1997, read, readout_parameters
from lrd.options import OptionError

# Inputs, outputs, options and the paper's number of weights. 2a and 2b at p = 100; 2c has p + 4 inputs, 2 outputs.
NETS: dict[str, tuple[int, int, dict[str, Any], int]] = {
    "1, 4 blocks of 1": (7, 7, {"hidden_size": 4, "bias": "gates", "readout_bias": False}, 264),
    "1, 3 blocks of 2": (7, 7, {"hidden_size": 6, "block_size": 2, "bias": "gates", "readout_bias": False}, 276),
    "2a, 2b": (
        101,
        101,
        {"hidden_size": 1, "output_gates": False, "recurrent": "none", "bias": "none", "g": "logistic", "h": "identity"}
        | {"readout_bias": False, "readout_inputs": True},
        10504,
    ),
    **{
        f"2c, p = {p}": (p + 4, 2, {"hidden_size": 2, "bias": "none", "readout_bias": False}, 6 * p + 64)
        for p in (50, 100, 200, 500, 1000)
    },
    "3": (1, 1, {"hidden_size": 3, "readout_bias": False}, 102),
    "4, 5": (2, 1, {"hidden_size": 4, "block_size": 2}, 93),
    "6a": (8, 4, {"hidden_size": 4, "block_size": 2}, 156),
    "6b": (8, 8, {"hidden_size": 6, "block_size": 2}, 308),
}
WIRINGS = [
    *({"block_size": size, "output_gates": gates} for size in (1, 2, 6) for gates in (True, False)),
    *({"recurrent": seen, "bias": bias} for seen in ("all", "cells", "none") for bias in ("all", "gates", "none")),
    *({"block_size": 3, "g": g, "h": h} for g, h in (("logistic", "squashed"), ("wide", "identity"))),
    {"output_gates": False, "recurrent": "none", "g": "logistic", "h": "identity"},
]


@pytest.mark.parametrize("net", NETS)
def test_the_number_of_weights_is_the_papers(net: str) -> None:
    inputs, outputs, options, weights = NETS[net]
    cell, generator = LSTM1997(**options), torch.Generator()
    p = cell.parameters(inputs, generator) | readout_parameters(cell, outputs, generator, inputs)
    assert sum(value.numel() for value in p.values()) == weights


def by_numpy(cell: LSTM1997, p: Any, x: Any, h: Any, c: Any, y: Any) -> tuple[np.ndarray, ...]:
    """One hidden unit after another: every gate, then every cell."""
    seen = np.concatenate({"all": [h, y], "cells": [h], "none": [[]]}[cell.recurrent])
    blocks = cell.hidden_size // cell.block_size
    gates = blocks * (2 if cell.output_gates else 1)

    def net(unit: int) -> float:
        bias = p["b"][unit] if cell.bias == "all" or (cell.bias == "gates" and unit < gates) else 0.0
        return p["U"][unit] @ x + (p["W"][unit] @ seen if len(seen) else 0.0) + bias

    y = np.array([sigmoid(net(unit)) for unit in range(gates)])
    new_h, new_c = [], []
    for number in range(cell.hidden_size):
        block = number // cell.block_size
        squashed = sigmoid(net(gates + number))
        new_c.append(c[number] + y[block] * (squashed if cell.g == "logistic" else 4 * squashed - 2))
        out = y[blocks + block] if cell.output_gates else 1.0
        new_h.append(out * (new_c[-1] if cell.h == "identity" else 2 * sigmoid(new_c[-1]) - 1))
    return np.array(new_h), np.array(new_c), y


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("wiring", WIRINGS, ids=str)
def test_step_is_its_equation(wiring: dict[str, Any], seed: int) -> None:
    cell = LSTM1997(hidden_size=6, **wiring)
    p, x, state = draw(cell, 3, seed)
    values = {name: value.numpy() for name, value in p.items()}
    h, c, y = by_numpy(cell, values, *plain((x, *state)))
    assert_all_close(cell.step(p, x, state), [h, c, y])
    gates = cell.gates(p, x, state)
    assert list(gates) == (["input", "output"] if cell.output_gates else ["input"])
    assert_all_close([torch.cat(list(gates.values()))], [y])


def test_squashing_ranges() -> None:
    """g in (-2, 2) and h in (-1, 1), which open gates show."""
    cell = LSTM1997(hidden_size=2, recurrent="none")
    p = {"U": torch.zeros(6, 1), "b": torch.tensor([50.0, 50.0, 50.0, 50.0, 50.0, -50.0])}
    state = tuple(torch.zeros(size) for size in cell.state_sizes())
    h, c, y = cell.step(p, torch.zeros(1), state)
    assert c.tolist() == [2.0, -2.0]
    assert y.tolist() == [1.0] * 4
    for _ in range(20):
        h, c, y = cell.step(p, torch.zeros(1), (h, c, y))
    assert h.tolist() == [1.0, -1.0]


def gradient(truncated: bool) -> tuple[torch.Tensor, ...]:
    """Of the sum of h_2 after two steps: with respect to W, U and the states before."""
    cell = LSTM1997(hidden_size=2, truncated=truncated)
    p, x, state = draw(cell, 1, 3)
    leaves = [p["W"].requires_grad_(), p["U"].requires_grad_(), *(s.requires_grad_() for s in state)]
    for _ in range(2):
        state = cell.step(p, x, state)
    return torch.autograd.grad(state[0].sum(), leaves, allow_unused=True, materialize_grads=True)


def test_the_truncated_gradient_by_hand() -> None:
    """Two steps of two cells: what the paper's equations (its appendix) leave of the chain rule.

    With s the cell's state, error reaches: at step 2 the output gate, through y^out h(s); at steps 2 and 1 the input
    gate and the cell, through s alone, since ds_2/ds_1 = 1 is all that connects the steps.
    """
    cell = LSTM1997(hidden_size=2)
    p, x, (h, c, y) = draw(cell, 1, 3)
    w, u, b, xs, hs, cs, ys = plain((p["W"], p["U"], p["b"], x, h, c, y))
    d_w, d_u = np.zeros_like(w), np.zeros_like(u)
    tape = []
    for _ in range(2):
        seen = np.concatenate([hs, ys])
        net = w @ seen + u @ xs + b
        ys, g = sigmoid(net[:4]), 4 * sigmoid(net[4:]) - 2
        cs = cs + ys[:2] * g
        hs = ys[2:] * (2 * sigmoid(cs) - 1)
        tape.append((seen, net, ys, g))
    out, squashed = ys[2:], 2 * sigmoid(cs) - 1
    into_s = out * 2 * sigmoid(cs) * (1 - sigmoid(cs))  # of the sum of h_2; the same at both steps
    for t, (seen, net, gates, g) in enumerate(tape):
        slope = sigmoid(net) * (1 - sigmoid(net))
        delta = np.concatenate(
            [into_s * g * slope[:2], squashed * slope[2:4] * (t == 1), into_s * gates[:2] * 4 * slope[4:]]
        )
        d_w += np.outer(delta, seen)
        d_u += np.outer(delta, xs)
    truncated = gradient(truncated=True)
    assert_all_close(truncated, [d_w, d_u, np.zeros(2), into_s, np.zeros(4)])
    whole = gradient(truncated=False)
    for mine, other in zip(whole, truncated, strict=True):
        assert float((mine - other).abs().max()) > 1e-4  # errors also run through W


def updates_of_the_appendix(
    cell: LSTM1997, p: dict[str, np.ndarray], x: np.ndarray, targets: np.ndarray
) -> dict[str, np.ndarray]:
    """Return what the paper's appendix adds to each weight at a rate of 1: equations 19, 21 to 28, over all steps.

    They go forward in time alone, and carry ds/dw from step to step. E(t) is half the sum of squared errors.
    """
    size, cells = cell.block_size, cell.hidden_size
    blocks, total = cells // size, {name: np.zeros_like(value) for name, value in p.items()}
    weights = np.concatenate([p["U"], p["W"], p["b"][:, None]], 1)  # w_lm, m = inputs, cells, gates, bias
    added = np.zeros_like(weights)
    h, s, y = np.zeros(cells), np.zeros(cells), np.zeros(2 * blocks)
    by_input_gate, by_cell = np.zeros((cells, weights.shape[1])), np.zeros((cells, weights.shape[1]))
    for x_t, target in zip(x, targets, strict=True):
        seen = np.concatenate([x_t, h, y, [1.0]])
        net = weights @ seen
        y, squashed = sigmoid(net[: 2 * blocks]), sigmoid(net[2 * blocks :])
        for v in range(cells):
            y_in, g = y[v // size], 4 * squashed[v] - 2
            by_input_gate[v] += g * y_in * (1 - y_in) * seen  # (25)
            by_cell[v] += 4 * squashed[v] * (1 - squashed[v]) * y_in * seen  # (27)
            s[v] += y_in * g
            h[v] = y[blocks + v // size] * (2 * sigmoid(s[v]) - 1)
        output = sigmoid(p["V"] @ h + p["V_bias"])
        e = output * (1 - output) * (target - output)  # (19)
        total["V"] += np.outer(e, h)  # (22)
        total["V_bias"] += e
        for v in range(cells):
            j, arrived, bare = v // size, p["V"][:, v] @ e, 2 * sigmoid(s[v]) - 1
            y_out = y[blocks + j]
            e_s = y_out * (1 - bare**2) / 2 * arrived  # (23)
            added[j] += e_s * by_input_gate[v]  # (24), (26)
            added[2 * blocks + v] += e_s * by_cell[v]  # (28)
            added[blocks + j] += y_out * (1 - y_out) * bare * arrived * seen  # (21), (22)
    total["U"], total["W"], total["b"] = added[:, : x.shape[1]], added[:, x.shape[1] : -1], added[:, -1]
    return total


@pytest.mark.parametrize("block_size", [1, 2])
def test_the_truncated_gradient_is_that_of_the_appendix(block_size: int) -> None:
    """Autograd gives what the paper's recursion of ds/dw forward in time gives, with errors at all of 12 steps."""
    cell = LSTM1997(hidden_size=4, block_size=block_size, truncated=True)
    drawn, _, state = draw(cell, 3, 5)
    x, targets, v, bias = (np.random.default_rng(6).normal(size=size) for size in ((12, 3), (12, 2), (2, 4), 2))
    values = {name: value.numpy() for name, value in drawn.items()} | {"V": v, "V_bias": bias}
    p = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    state, loss = tuple(torch.zeros_like(s) for s in state), torch.zeros((), dtype=torch.float64)
    for x_t, target in zip(torch.tensor(x), torch.tensor(targets), strict=True):
        state = cell.step(p, x_t, state)
        loss = loss + (target - torch.sigmoid(p["V"] @ state[0] + p["V_bias"])).square().sum() / 2
    expected = updates_of_the_appendix(cell, values, x, targets)
    for name, gradient_of in zip(p, torch.autograd.grad(loss, list(p.values())), strict=True):
        # The bound of one step, for 12 steps that are summed, and for 12 of which each has a ds/dw.
        np.testing.assert_allclose(-gradient_of, expected[name], rtol=0, atol=12 * 12 * CLOSE["atol"])


def test_the_carousel_carries_error_unchanged() -> None:
    cell, steps = LSTM1997(hidden_size=4, block_size=2, truncated=True), 60
    p, x, state = draw(cell, 2, 1)
    first = state[1].requires_grad_()
    for _ in range(steps):
        state = cell.step(p, x, state)
    for number in range(4):
        (into,) = torch.autograd.grad(state[1][number], first, retain_graph=True)
        assert into.tolist() == [float(number == k) for k in range(4)]


def test_initial_weights_and_biases() -> None:
    options = {"hidden_size": 6, "block_size": 2, "init_range": 0.2}
    biased = LSTM1997(**options, input_bias=-1.0, input_bias_step=-2.0, output_bias=-2.0, output_bias_step=-2.0)
    drawn = LSTM1997(**options)
    p, q = (cell.parameters(400, torch.Generator().manual_seed(1)) for cell in (biased, drawn))
    assert p["b"][:6].tolist() == [-1.0, -3.0, -5.0, -2.0, -4.0, -6.0]
    assert torch.equal(p["b"][6:], q["b"][6:])
    assert torch.equal(p["U"], q["U"])
    assert torch.equal(p["W"], q["W"])
    readout = readout_parameters(drawn, 300, torch.Generator(), 2)
    for values in (p["U"], readout["V"]):
        assert stats.kstest(values.flatten().double().numpy(), "uniform", (-0.2, 0.4)).pvalue > 1e-4
    assert 0 < float(q["b"].abs().max()) <= 0.2


def test_the_readout_sees_inputs_and_has_biases_as_asked() -> None:
    cell, steps, runs, batch = LSTM1997(hidden_size=3, readout_inputs=True, readout_bias=False), 4, 2, 5
    p = random_like(cell, 6, runs, outputs=2)
    assert {name for name in p if name.startswith("V")} == {"V", "V_inputs"}
    h, x = (torch.randn(steps, runs, batch, size, dtype=torch.float64) for size in (3, 6))
    expected = torch.einsum("srbh,roh->srbo", h, p["V"]) + torch.einsum("srbi,roi->srbo", x, p["V_inputs"])
    torch.testing.assert_close(read(p, h, x), expected, **CLOSE)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"hidden_size": 5, "block_size": 2}, "must divide hidden_size, 5, got 2"),
        ({"bias": "none", "input_bias": -1.0}, "must be null where there are no such biases"),
        ({"output_gates": False, "output_bias": -1.0}, "must be null where there are no such biases"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], line: str) -> None:
    with pytest.raises(OptionError, match=line):
        LSTM1997(**options)
