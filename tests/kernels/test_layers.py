"""Stacked and bidirectional networks against torch's own modules, and against a plain loop of cells."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import EPS64, random_like

from lrd.cells import (
    CELLS,
    GRU,
    LSTM,
    RNN,
    Cell,
    Parameters,
    Part,
    features,
    network_parameters,
    one_layer,
    parameters_of,
    parts_of,
    prepared,
)
from lrd.kernels import KERNELS, choose_kernel, loop
from lrd.kernels.layers import scan_layers, through
from lrd.shapes import Tensor

TIME, RUNS, BATCH, INPUTS, HIDDEN = 7, 2, 3, 2, 4
MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def random_network(cell: Cell, runs: int = RUNS) -> Parameters:
    """Normal parameters of every part [runs, ...], of which no two are alike."""
    found: Parameters = {}
    for number, part in enumerate(parts_of(cell)):
        size = INPUTS if part.layer == 1 else features(cell)
        own = random_like(one_layer(cell), size, runs, seed=number)
        found |= {part.name_of(name): value for name, value in own.items()}
    return found


def torchs(cell: Cell, params: Parameters, run: int) -> torch.nn.Module:
    """Torch's module with the parameters of one run."""
    module = MODULES[cell.name](
        INPUTS, HIDDEN, num_layers=cell.layers, bidirectional=cell.bidirectional, dtype=torch.float64
    )
    with torch.no_grad():
        for part in parts_of(cell):
            p = {name: value[run] for name, value in parameters_of(part, params).items()}
            end = f"l{part.layer - 1}{'_reverse' if part.is_backward else ''}"
            getattr(module, f"weight_ih_{end}").copy_(p["U"])
            getattr(module, f"weight_hh_{end}").copy_(p["W"])
            getattr(module, f"bias_ih_{end}").copy_(p["b"])
            of_h = getattr(module, f"bias_hh_{end}")
            of_h.zero_()
            if "d" in p:
                of_h[2 * HIDDEN :] = p["d"]
    return module


@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", MODULES)
def test_torchs_modules_say_the_same(name: str, layers: int, bidirectional: bool) -> None:
    """Outputs, last states, and the gradients of every parameter and of the inputs, by the kernel that training has."""
    cell = CELLS[name](hidden_size=HIDDEN, layers=layers, bidirectional=bidirectional)
    params = {key: value.requires_grad_() for key, value in random_network(cell).items()}
    x = normal(TIME, RUNS, BATCH, INPUTS).requires_grad_()
    weights = normal(TIME - 2, RUNS, BATCH, features(cell), seed=1)
    h, state = scan_layers(KERNELS[choose_kernel(cell, precision="float64")].scan, cell, params, x, first=2)
    mine = torch.autograd.grad((h * weights).sum() + sum(s.square().sum() for s in state), (x, *params.values()))
    by_name = dict(zip(("x", *params), mine, strict=True))
    close = {"rtol": 0, "atol": 200 * EPS64 * TIME * BATCH}
    for run in range(RUNS):
        module = torchs(cell, params, run)
        given = x[:, run].detach().clone().requires_grad_()
        out, last = module(given)
        torch.testing.assert_close(h[:, run], out[2:], **close)
        variables = last if isinstance(last, tuple) else (last,)
        ours = [state[v :: len(variables)] for v in range(len(variables))]  # of each part, in torch's order
        for variable, own in zip(variables, ours, strict=True):
            torch.testing.assert_close(torch.stack([part[run] for part in own]), variable, **close)
        ((out[2:] * weights[:, run]).sum() + sum(v.square().sum() for v in variables)).backward()
        torch.testing.assert_close(by_name["x"][:, run], given.grad, **close)
        for part in parts_of(cell):
            end = f"l{part.layer - 1}{'_reverse' if part.is_backward else ''}"
            for own, theirs in (("U", "weight_ih"), ("W", "weight_hh"), ("b", "bias_ih")):
                grad = getattr(module, f"{theirs}_{end}").grad
                torch.testing.assert_close(by_name[part.name_of(own)][run], grad, **close)


@pytest.mark.parametrize("name", CELLS)
def test_layers_of_every_cell_by_its_fast_kernel_are_a_loop_of_cells(name: str) -> None:
    options = {"block_size": 1} if name == "lstm1997" else {}
    cell = CELLS[name](hidden_size=HIDDEN, layers=2, bidirectional=True, **options).for_length(TIME)
    g = torch.Generator().manual_seed(5)
    drawn = [network_parameters(cell, INPUTS, g) for _ in range(RUNS)]
    params = prepared(cell, {key: torch.stack([p[key] for p in drawn]).double() for key in drawn[0]})
    x = normal(TIME, RUNS, BATCH, INPUTS)
    h, _ = scan_layers(KERNELS[choose_kernel(cell, precision="float64")].scan, cell, params, x)
    below = x
    for layer in (1, 2):
        of_parts = []
        for direction in ("forward", "backward"):
            p = parameters_of(Part(layer, direction), params)
            steps = range(TIME) if direction == "forward" else range(TIME - 1, -1, -1)
            states, state = {}, None
            for t in steps:
                (state,) = loop.unroll(one_layer(cell).stepped, p, below[t : t + 1], state)
                states[t] = state[0]
            of_parts.append(torch.stack([states[t] for t in range(TIME)]))
        below = torch.cat(of_parts, -1)
    torch.testing.assert_close(h, below, rtol=0, atol=1000 * EPS64)


@pytest.mark.parametrize("cell", [RNN(), LSTM(), GRU()], ids=lambda cell: cell.name)
def test_layers_go_on_from_the_state_that_they_came_to(cell: Cell) -> None:
    network = type(cell)(hidden_size=HIDDEN, layers=3)
    scan, params, x = (
        KERNELS[choose_kernel(network, precision="float64")].scan,
        random_network(network),
        normal(TIME, RUNS, BATCH, INPUTS),
    )
    whole, last = scan_layers(scan, network, params, x)
    early, state = scan_layers(scan, network, params, x[:3])
    late, again = scan_layers(scan, network, params, x[3:], state)
    torch.testing.assert_close(torch.cat([early, late]), whole, rtol=0, atol=100 * EPS64)
    assert len(last) == len(again) == 3 * len(cell.state_names)
    for one, other in zip(last, again, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=100 * EPS64)


@pytest.mark.parametrize("first", [0, 3, TIME])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_outputs_from_any_step_on(first: int, bidirectional: bool) -> None:
    cell = GRU(hidden_size=HIDDEN, layers=2, bidirectional=bidirectional)
    params, x = random_network(cell), normal(TIME, RUNS, BATCH, INPUTS)
    whole, _ = scan_layers(KERNELS["traced"].scan, cell, params, x)
    assert torch.equal(scan_layers(KERNELS["traced"].scan, cell, params, x, first=first)[0], whole[first:])


@pytest.mark.parametrize("name", MODULES)
def test_no_companion_matters(name: str) -> None:
    cell = CELLS[name](hidden_size=HIDDEN, layers=2, bidirectional=True)
    params = {key: value.float() for key, value in random_network(cell, runs=3).items()}
    x, scan = normal(TIME, 3, BATCH, INPUTS).float(), KERNELS[choose_kernel(cell)].scan
    together, _ = scan_layers(scan, cell, params, x)
    for run in range(3):
        only = slice(run, run + 1)
        alone, _ = scan_layers(scan, cell, {key: p[only] for key, p in params.items()}, x[:, only].clone())
        assert torch.equal(alone[:, 0], together[:, run])


def test_what_goes_between_layers_is_changed_and_the_last_layer_is_not() -> None:
    cell = RNN(hidden_size=2, layers=3)
    seen = []

    def between(layer: int, h: Tensor) -> Tensor:
        seen.append(layer)
        return h * 2

    x = normal(TIME, 1, 1, 2)
    assert torch.equal(through(cell, x, lambda part, x: x + part.layer, between), ((x + 1) * 2 + 2) * 2 + 3)
    assert seen == [1, 2]
    assert math.isclose(float(through(cell, x, lambda part, x: x)[0, 0, 0, 0]), float(x[0, 0, 0, 0]))
