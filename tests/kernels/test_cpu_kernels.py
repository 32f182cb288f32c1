"""The kernels that numba compiles for the CPU, against a loop of cells in float64 and its autograd."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys

import pytest
import torch
from exact_cases import CELLS as OF_EVERY_COMPILER
from exact_cases import EPS, Case, allowed, assert_norms_near, case, error, poison
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import GRU, LSTM, LSTM1997, RNN, Cell, network_parameters
from lrd.gradients.training_norms import norms_by_adjoint
from lrd.kernels import KERNELS, GradientNorms, choose_kernel, cpu, loop
from lrd.kernels.layers import scan_layers
from lrd.shapes import Tensor

pytestmark = pytest.mark.skipif(bool(cpu.why_not()), reason=cpu.why_not())

CELLS = OF_EVERY_COMPILER | {"lstm1997": LSTM1997()}
NAMES = {RNN: "numba_rnn", LSTM: "numba_lstm", GRU: "numba_gru", LSTM1997: "numba_lstm1997"}


def results(made: Case, **options: object) -> dict[str, Tensor]:
    return made.results(NAMES[type(made.cell)], torch.float32, **options)


def with_norms(made: Case) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    norms = GradientNorms()
    return results(made, norms=norms), norms.log10()


def least_slope(made: Case) -> float:
    """Return the least slope of any unit of an RNN, whose states are all that slopes are made of; 1 of other cells."""
    with torch.no_grad():
        steps = loop.unroll(made.cell, made.params, made.inputs, made.state)
    states = torch.stack([h for h, *_ in steps])
    slopes = {"tanh": 1 - states.square(), "sigmoid": states * (1 - states)}
    return float(slopes.get(getattr(made.cell, "activation", ""), torch.ones(())).min())


def same_units_live(made: Case) -> bool:
    """Whether the same units of a relu let gradients through, at every step, as in float64."""
    with torch.no_grad():
        exact = torch.stack([h for h, *_ in loop.unroll(made.cell, made.params, made.inputs, made.state)])
        params = {what: value.float() for what, value in made.params.items()}
        state = tuple(s.float() for s in made.state)
        h, _ = KERNELS["numba_rnn"].scan(made.cell, params, made.inputs.float(), state, 0)
    return torch.equal(h > 0, exact > 0)


@pytest.mark.parametrize(
    "shape",
    [(7, 3, 5, 2, 4), (1, 2, 1, 1, 1), (5, 2, 33, 10, 34), (12, 1, 70, 3, 16), (9, 2, 6, 40, 130), (40, 2, 32, 2, 64)],
    ids=str,
)
@pytest.mark.parametrize("name", CELLS)
def test_values_gradients_and_norms_are_those_of_a_loop_of_cells(
    name: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = case(CELLS[name], shape)
    expected = made.results("loop", torch.float64), made.norms()
    poison(monkeypatch)
    got, norms = with_norms(made)
    assert error(got, expected[0]) < allowed(made)
    assert_norms_near(norms, expected[1], shape[0])


sizes = st.tuples(
    st.integers(1, 60), st.integers(1, 3), st.integers(1, 70), st.integers(1, 40), st.integers(1, 130)
)  # time, runs, batch, inputs, hidden


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("name", CELLS)
@settings(max_examples=12, deadline=None)
@given(shape=sizes, where=st.floats(0, 1), seed=st.integers(0, 99))
def test_of_any_shape(name: str, shape: tuple[int, ...], where: float, seed: int) -> None:
    made = case(CELLS[name], shape, first=round(where * shape[0]), seed=seed)
    (got, norms), expected = with_norms(made), made.results("loop", torch.float64)
    if name == "rnn-relu" and not same_units_live(made):  # one was so near its kink that rounding decided
        got, expected = ({what: of[what] for what in of if not what.startswith("d ")} for of in (got, expected))
        norms = {}
    assert error(got, expected) < allowed(made) / least_slope(made)
    # Of few units, the sums that a gradient is may all nearly cancel in one of so many samples and steps, and its norm
    # has fewer digits then.
    if norms and made.cell.hidden_size >= 8:
        assert_norms_near(norms, made.norms(), shape[0], least_slope(made))


@pytest.mark.parametrize("name", CELLS)
def test_neither_companions_nor_their_order_nor_norms_change_a_bit(name: str) -> None:
    made = case(CELLS[name], (30, 4, 7, 3, 21), first=10)
    made.params["W"][1] *= 1e-3  # of this run alone gradients leave the range of float32
    together, norms = with_norms(made)
    assert all(torch.equal(value, together[what]) for what, value in results(made).items())
    for run in range(4):
        alone, of_alone = with_norms(made.of_run(run))
        for what, value in alone.items():
            assert torch.equal(value[0], together[what][run]), what
        for variable, value in of_alone.items():
            assert torch.equal(value[:, 0], norms[variable][:, run])
    order = [2, 0, 3, 1]
    turned = case(CELLS[name], (30, 4, 7, 3, 21), first=10)
    turned.params = {what: value[order] for what, value in made.params.items()}
    turned.inputs, turned.on_h = made.inputs[:, order], made.on_h[:, order]
    turned.state, turned.on_state = (tuple(s[order] for s in of) for of in (made.state, made.on_state))
    assert all(torch.equal(value, together[what][order]) for what, value in results(turned).items())


@pytest.mark.parametrize("name", CELLS)
def test_a_sample_is_the_same_in_any_batch(name: str) -> None:
    """Its place decides which tile of rows and which lane it has, and must change nothing."""
    made = case(CELLS[name], (6, 1, 23, 2, 20))
    whole = results(made)
    for samples in (slice(0, 1), slice(5, 18), slice(9, 23)):
        part = case(CELLS[name], (6, 1, 23, 2, 20))
        part.inputs, part.on_h = made.inputs[:, :, samples], made.on_h[:, :, samples]
        part.state, part.on_state = (tuple(s[:, samples] for s in of) for of in (made.state, made.on_state))
        found = results(part)
        assert torch.equal(found["h"], whole["h"][:, :, samples])
        assert torch.equal(found["d x"], whole["d x"][:, :, samples])


def far(kind: Cell, time: int, weights: float) -> Case:
    """A pack of one run whose loss reads the last h alone."""
    made = case(kind, (time, 1, 3, 2, 8), first=time - 1)
    made.params["W"] *= weights
    for on in made.on_state:
        on.zero_()
    return made


def by_adjoint(made: Case) -> dict[str, Tensor]:
    """log10 norms in float64 with exponents of their own, by the derivatives of ``lrd.gradients``."""
    time = len(made.inputs)
    found = norms_by_adjoint(made.cell, made.params, made.inputs, [made.on_h], time)
    return {name: values for (_, name), values in found.items()}


@pytest.mark.slow_but(3)
@pytest.mark.parametrize(
    ("name", "weights"), [("rnn-tanh", 0.8), ("rnn-sigmoid", 3.0), ("lstm", 0.5), ("gru", 0.9), ("rnn-relu", 1.0)]
)
def test_norms_over_two_thousand_steps_are_those_with_exponents_of_their_own(name: str, weights: float) -> None:
    made = far(CELLS[name], 2000, weights)
    if name == "lstm":
        made.params["b"][:, 8:16] -= 1.0  # a gate that forgets
    made.state = tuple(torch.zeros_like(s) for s in made.state)
    expected = by_adjoint(made)
    assert min(float(value[value.isfinite()].min()) for value in expected.values()) < -150
    assert_norms_near(with_norms(made)[1], expected, 2000)


@pytest.mark.parametrize(("factor", "low", "high"), [(0.56, -520, -490), (1.125, 100, 105), (1.0, -1, 1)])
def test_norms_down_to_1e_minus_500_and_up_to_1e100_are_those_of_the_closed_form(
    factor: float, low: float, high: float
) -> None:
    """W is a multiple of a permutation: every step multiplies the norm by exactly that factor."""
    time = 2000
    made = far(RNN(activation="identity"), time, 1.0)
    made.params["W"][0] = torch.eye(8, dtype=torch.float64).roll(1, 0) * factor
    for zero in (made.inputs, made.params["b"], *made.state):
        zero.zero_()
    norms = with_norms(made)[1]["h"]
    at_end = made.on_h[0].norm(dim=-1).log10()
    steps = torch.arange(time - 1, -1, -1, dtype=torch.float64)[:, None, None]
    rounded = float(torch.tensor(factor, dtype=torch.float32))
    expected = at_end + steps * math.log10(rounded)
    assert low < float(expected[0].min()) <= float(expected[0].max()) < high
    # Each step rounds each number once: an error of one rounding in the norm, and log10 e below 1/2.
    torch.testing.assert_close(norms, expected, rtol=0, atol=time * EPS)


def test_a_gradient_that_dies_is_minus_infinity_and_one_that_comes_later_is_there() -> None:
    made = case(RNN(activation="relu"), (60, 1, 2, 1, 3), first=10)
    made.on_h[1:-1] = 0  # only steps 10 and 59 are answered
    made.on_state[0].zero_()
    made.params["W"].mul_(0.01)
    made.params["b"].fill_(1.0)
    made.params["U"].abs_()
    made.inputs[:, 0, 0] = 0
    made.inputs[30, 0, 0] = -1e4  # kills every unit of sample 0 at step 30
    norms, expected = with_norms(made)[1]["h"], made.norms()["h"]
    assert norms[11:30, 0, 0].isneginf().all()
    assert norms[:11].isfinite().all()
    assert_norms_near({"h": norms}, {"h": expected}, 60)


@pytest.mark.parametrize("name", ["rnn-tanh", "rnn-sigmoid", "lstm", "gru", "lstm1997"])
@pytest.mark.parametrize("size", [30.0, 300.0, 1e30])
def test_saturated_units_are_finite_and_pass_what_they_should(name: str, size: float) -> None:
    made = case(CELLS[name], (5, 1, 4, 2, 6))
    made.inputs *= size
    got, expected = results(made), made.results("loop", torch.float64)
    assert all(value.isfinite().all() for value in got.values())
    torch.testing.assert_close(got["h"].double(), expected["h"], rtol=0, atol=50 * EPS)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", CELLS)
def test_an_input_that_is_no_number_spoils_its_sample_and_the_gradients_of_its_run_alone(name: str, bad: float) -> None:
    made = case(CELLS[name], (6, 2, 5, 2, 7), first=0)
    fine = results(made)
    made.inputs[2, 1, 3] = bad
    broken = results(made)
    others = [0, 1, 2, 4]
    assert all(torch.equal(broken[what][0], value[0]) for what, value in fine.items())
    assert torch.equal(broken["h"][1][:, others], fine["h"][1][:, others])
    if math.isnan(bad):
        assert broken["h"][1][2:, 3].isnan().all()
        assert broken["d W"][1].isnan().any()


def test_nan_in_relu_is_not_taken_for_zero() -> None:
    made = case(RNN(activation="relu"), (3, 1, 2, 1, 4), first=0)
    made.inputs[0, 0, 0] = math.nan
    assert results(made)["h"][0, :, 0].isnan().all()


@pytest.mark.parametrize("name", ["lstm"])
def test_the_gradient_through_h_is_cut_as_in_the_packed_loop(name: str) -> None:
    made = case(CELLS[name], (9, 2, 3, 2, 5), first=3)
    keep = torch.tensor([[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0]])
    norms, expected_norms = GradientNorms(), GradientNorms()
    got = results(made, keep=keep, norms=norms)
    expected = made.results("packed_lstm", torch.float64, keep=keep.double(), norms=expected_norms)
    assert error(got, expected) < allowed(made)
    assert error(got, made.results("packed_lstm", torch.float64)) > 1e-2
    assert_norms_near(norms.log10(), expected_norms.log10(), 9)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_that_lie_otherwise_in_memory_are_the_same(name: str) -> None:
    """Such as those of a readout that takes the steps for channels."""
    made = case(CELLS[name], (6, 2, 5, 2, 7), first=2)
    expected = results(made)
    made.on_h = made.on_h.transpose(0, 1).contiguous(memory_format=torch.channels_last).transpose(0, 1)
    assert all(torch.equal(value, expected[what]) for what, value in results(made).items())


@pytest.mark.parametrize("kind", NAMES)
def test_layers_hand_on_their_gradients(kind: type[Cell]) -> None:
    """x_t of the second layer is h of the first one, in both directions."""
    cell = kind(hidden_size=6, layers=2, bidirectional=True)
    drawn = network_parameters(cell, 3, torch.Generator().manual_seed(0))
    p64 = {name: p[None].double() for name, p in drawn.items()}
    x = torch.randn(8, 1, 4, 3, generator=torch.Generator().manual_seed(1))
    found = []
    for kernel, dtype in ((NAMES[kind], torch.float32), ("loop", torch.float64)):
        p = {name: value.to(dtype).requires_grad_() for name, value in p64.items()}
        h, _ = scan_layers(KERNELS[kernel].scan, cell, p, x.to(dtype))
        found.append(dict(zip(p, torch.autograd.grad(h.sin().sum(), list(p.values())), strict=True)))
    assert error(*found) < 1000 * EPS


@pytest.mark.parametrize("name", CELLS)
def test_without_gradients_the_numbers_are_the_same(name: str) -> None:
    made = case(CELLS[name], (11, 2, 5, 2, 6), first=4)
    p = {what: value.float() for what, value in made.params.items()}
    state = tuple(s.float() for s in made.state)
    with torch.no_grad():
        h, _ = KERNELS[NAMES[type(made.cell)]].scan(made.cell, p, made.inputs.float(), state, 4)
    assert torch.equal(h.transpose(0, 1), results(made)["h"])


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_without_gradients_no_gates_are_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, kept = case(CELLS[name], (11, 2, 5, 2, 6), first=4), []
    module = importlib.import_module(f"lrd.kernels.cpu.{name}_programs")
    forward = module.forward
    monkeypatch.setattr(
        module, "forward", lambda seen, gates, *rest: (kept.append(gates.shape), forward(seen, gates, *rest))
    )
    p = {what: value.float().requires_grad_() for what, value in made.params.items()}
    with torch.no_grad():
        KERNELS[NAMES[type(made.cell)]].scan(made.cell, p, made.inputs.float(), None, 4)
    results(made)
    assert [shape[:2] for shape in kept] == [(1, 1), (2, 11)]


def test_where_numba_cannot_run_the_general_kernels_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "why_not", lambda: "numba is not installed")
    assert [choose_kernel(kind()) for kind in NAMES] == ["packed", "stock", "stock_gru", "traced"]


@pytest.mark.parametrize(
    ("hidden", "said"),
    [("numba", "numba is not installed here"), ("llvmlite", "llvmlite is not installed here")],
)
def test_what_is_missing_is_said(hidden: str, said: str) -> None:
    code = f"""
import importlib.abc, sys
class Without(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {hidden!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed here", name=name)
sys.meta_path.insert(0, Without())
from lrd.kernels import choose_kernel, cpu
from lrd.cells import LSTM
print(cpu.why_not(), choose_kernel(LSTM()), sep="; ")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{said}; stock"
