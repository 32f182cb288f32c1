"""The kernel of the LSTM of 1997 on the CPU: all its options, against a loop of cells in float64 and its autograd."""

from __future__ import annotations

import dataclasses
import importlib
import itertools

import pytest
import torch
from exact_cases import EPS, allowed, assert_norms_near, case, error, poison
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import LSTM1997, network_parameters
from lrd.kernels import KERNELS, GradientNorms, cpu
from lrd.kernels.check import check_kernel
from lrd.kernels.layers import scan_layers
from lrd.shapes import Tensor

pytestmark = pytest.mark.skipif(bool(cpu.why_not()), reason=cpu.why_not())

NAME = "numba_lstm1997"
OPTIONS = {
    "block_size": (1, 2, 3),
    "output_gates": (True, False),
    "recurrent": ("all", "cells", "none"),
    "bias": ("all", "gates", "none"),
    "truncated": (False, True),
}
#: One cell for every combination.
EVERY = [
    LSTM1997(hidden_size=12, **dict(zip(OPTIONS, values, strict=True)))
    for values in itertools.product(*OPTIONS.values())
]
EVERY += [
    LSTM1997(hidden_size=12, block_size=size, output_gates=gates, g=g, h=h)
    for size, gates in ((2, True), (1, False))
    for g, h in (("logistic", "identity"), ("logistic", "squashed"), ("wide", "identity"))
]
BLOCKS = LSTM1997(block_size=2, truncated=True)


def named(cell: LSTM1997) -> str:
    return " ".join(str(getattr(cell, name)) for name in (*OPTIONS, "g", "h"))


@pytest.mark.parametrize("cell", EVERY, ids=named)
def test_values_gradients_and_norms_are_those_of_a_loop_of_cells(
    cell: LSTM1997, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = case(cell, (9, 2, 3, 4, 12))
    expected, expected_norms = made.results("loop", torch.float64), made.norms()
    poison(monkeypatch)
    norms = GradientNorms()
    assert error(made.results(NAME, torch.float32, norms=norms), expected) < allowed(made)
    assert_norms_near(norms.log10(), expected_norms, 9)


@settings(max_examples=30, deadline=None)
@given(
    cell=st.sampled_from(EVERY),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 3), st.integers(1, 140), st.integers(1, 40), st.integers(1, 50)),
    where=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_of_any_shape(cell: LSTM1997, shape: tuple[int, ...], where: float, seed: int) -> None:
    made = case(cell, shape, first=round(where * shape[0]), seed=seed)
    assert error(made.results(NAME, torch.float32), made.results("loop", torch.float64)) < allowed(made)


@pytest.mark.parametrize("cell", [BLOCKS, LSTM1997(hidden_size=6, block_size=3, recurrent="cells")], ids=named)
def test_neither_companions_nor_norms_change_a_bit(cell: LSTM1997) -> None:
    made = case(cell, (30, 4, 1, 3, 6), first=10)
    together = made.results(NAME, torch.float32)
    assert all(
        torch.equal(value, together[what])
        for what, value in made.results(NAME, torch.float32, norms=GradientNorms()).items()
    )
    for run in range(4):
        for what, value in made.of_run(run).results(NAME, torch.float32).items():
            assert torch.equal(value[0], together[what][run]), what


def test_arguments_may_lie_anyhow_in_memory() -> None:
    """Parameters are parts of the rows of theta; inputs lie by runs or by time; the gradient of h may be one number."""
    made = case(BLOCKS, (7, 3, 2, 2, 4))
    given = {name: p.float() for name, p in made.params.items()}
    theta = torch.cat([p.flatten(1) for p in given.values()], 1)
    pieces = torch.split(theta, [p[0].numel() for p in given.values()], 1)
    rows = {name: own.view(p.shape) for own, (name, p) in zip(pieces, given.items(), strict=True)}
    assert not any(p.is_contiguous() for p in rows.values())
    by_time = made.inputs.float()
    found = []
    for params, x in ((given, by_time.transpose(0, 1).contiguous().transpose(0, 1)), (rows, by_time)):
        leaves = [p.requires_grad_() for p in params.values()]
        h, _ = KERNELS[NAME].scan(made.cell, params, x, None, 2)
        found.append((h, *torch.autograd.grad(h.sum(), leaves)))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_without_gradients_the_numbers_are_the_same_and_no_gates_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kept = case(BLOCKS, (11, 2, 5, 2, 6), first=4), []
    programs = importlib.import_module("lrd.kernels.cpu.lstm1997_programs")
    forward = programs.forward

    def heard(*arrays: Tensor) -> None:
        kept.append(next(of.shape[:2] for of in arrays if getattr(of, "ndim", 0) == 5))
        forward(*arrays)

    monkeypatch.setattr(programs, "forward", heard)
    p = {what: value.float().requires_grad_() for what, value in made.params.items()}
    with torch.no_grad():
        h, _ = KERNELS[NAME].scan(made.cell, p, made.inputs.float(), tuple(s.float() for s in made.state), 4)
    assert torch.equal(h.transpose(0, 1), made.results(NAME, torch.float32)["h"])
    assert kept == [(1, 1), (2, 11)]


def test_errors_in_a_truncated_cell_neither_vanish_nor_explode() -> None:
    """The constant error carousel: dL/dc_t is the same at every step before the one that is answered."""
    made = case(BLOCKS, (2000, 1, 2, 2, 6), first=1999)
    norms = GradientNorms()
    for on in made.on_state:
        on.zero_()
    made.results(NAME, torch.float32, norms=norms)
    found = norms.log10()
    assert torch.equal(found["c"], found["c"][-1:].expand_as(found["c"]))
    assert found["c"].isfinite().all()
    assert found["h"][:-1].isneginf().all()


@pytest.mark.parametrize("cell", [BLOCKS, LSTM1997(recurrent="none", bias="none")], ids=named)
def test_layers_hand_on_their_gradients(cell: LSTM1997) -> None:
    """x_t of the second layer is h of the first one, in both directions."""
    cell = dataclasses.replace(cell, hidden_size=6, layers=2, bidirectional=True)
    drawn = network_parameters(cell, 3, torch.Generator().manual_seed(0))
    x = torch.randn(8, 1, 4, 3, generator=torch.Generator().manual_seed(1))
    found = []
    for kernel, dtype in ((NAME, torch.float32), ("loop", torch.float64)):
        p = {name: (10 * value[None]).to(dtype).requires_grad_() for name, value in drawn.items()}
        h, _ = scan_layers(KERNELS[kernel].scan, cell, p, x.to(dtype))
        found.append(dict(zip(p, torch.autograd.grad(h.sin().sum(), list(p.values())), strict=True)))
    assert error(*found) < 1000 * EPS


@pytest.mark.parametrize("block_size", [1, 2, 4, 5])
def test_the_check_of_kernels_takes_blocks_of_any_size(block_size: int) -> None:
    check = check_kernel(KERNELS[NAME], LSTM1997(hidden_size=20, block_size=block_size), torch.device("cpu"))
    assert check.wrong == ""
    assert set(check.parts()) == {"forward", "backward", "norms"}
