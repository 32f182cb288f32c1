"""Gradient norms of the packed loops against a loop of cells in float64, however far they vanish or explode."""

from __future__ import annotations

import pytest
import torch
from exact_cases import CELLS, Case, case

from lrd import scaled
from lrd.kernels import WITH_NORMS, GradientNorms, choose_kernel
from lrd.shapes import Tensor

EPS = {torch.float32: 2.0**-23, torch.float64: 2.0**-52}
META = torch.device("meta")  # which has the general kernels of a CPU
PACKED = {name: cell for name, cell in CELLS.items() if choose_kernel(cell, META, norms=True) in WITH_NORMS}


def with_norms(made: Case, dtype: torch.dtype = torch.float32) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    norms = GradientNorms()
    return made.results(choose_kernel(made.cell, META, norms=True), dtype, norms=norms), norms.log10()


def assert_near(
    got: dict[str, Tensor], expected: dict[str, Tensor], dtype: torch.dtype, time: int, dying: bool = False
) -> None:
    """Relative errors of each step's factor add up, a few roundings of ten terms a step; log10 e is below 1/2."""
    assert got.keys() == expected.keys()
    for variable, value in expected.items():
        assert not ((value < -290) & (value.isfinite() | (not dying))).any()  # where the reference is not exact
        torch.testing.assert_close(got[variable], value, rtol=0, atol=40 * time * EPS[dtype])


def test_cells_that_have_them() -> None:
    assert set(PACKED) == {*(name for name in CELLS if name.startswith("rnn")), "lstm"}


@pytest.mark.parametrize("dtype", EPS, ids=str)
@pytest.mark.parametrize(("time", "first"), [(1, 0), (1, 1), (20, 0), (20, 7), (70, 69), (70, 70)])
@pytest.mark.parametrize("name", PACKED)
def test_norms_are_those_of_a_loop_and_gradients_stay(name: str, time: int, first: int, dtype: torch.dtype) -> None:
    made = case(PACKED[name], (time, 2, 3, 2, 5), first=first)
    results, norms = with_norms(made, dtype)
    assert_near(norms, made.norms(), dtype, time, dying=name == "rnn-relu")
    for what, value in made.results(choose_kernel(made.cell, META, norms=True), dtype).items():
        # Equal bits, but where the smallest normal number lies between a step's gradient and 0.
        torch.testing.assert_close(results[what], value, rtol=0, atol=2.0**-120, msg=lambda m, w=what: f"{w}: {m}")


@pytest.mark.slow_but(2)
@pytest.mark.parametrize("dtype", EPS, ids=str)
@pytest.mark.parametrize(
    ("name", "gain", "time"),
    [
        ("rnn-tanh", 1.0, 300),
        ("rnn-tanh", 0.01, 50),
        ("rnn-sigmoid", 1.0, 150),
        ("lstm", 0.001, 100),
        ("lstm", 1.0, 150),
    ],
)
def test_norms_that_no_float32_holds(name: str, gain: float, time: int, dtype: torch.dtype) -> None:
    made = case(PACKED[name], (time, 2, 3, 1, 4), first=time - 1)
    made.params["W"].mul_(gain)
    if name == "lstm":
        made.params["b"][:, 4:8] -= 3.0  # a gate that forgets
    expected = made.norms()
    assert min(float(value.min()) for value in expected.values()) < -46  # float32 ends at -44.9
    assert_near(with_norms(made, dtype)[1], expected, dtype, time)


@pytest.mark.filterwarnings("ignore:overflow")
def test_norms_beyond_the_largest_float32() -> None:
    made = case(CELLS["rnn-identity"], (40, 1, 1, 1, 2), first=38)
    made.params["W"].copy_(torch.tensor([[140.0, 10.0], [0.0, 120.0]]))
    for zero in (made.inputs, made.state[0], made.params["b"]):
        zero.mul_(0)  # so that states stay 0, while their gradients explode
    results, norms = with_norms(made)
    assert float(norms["h"].max()) > 39
    assert_near(norms, made.norms(), torch.float32, 40)
    assert not results["d b"].isfinite().all()


def test_a_gradient_that_dies_is_minus_infinity_and_one_that_comes_later_is_there() -> None:
    """Samples of one pack far apart: one dies, one vanishes, and both get a gradient again from an earlier step."""
    made = case(CELLS["rnn-relu"], (60, 1, 2, 1, 3), first=10)
    made.on_h[1:-1] = 0  # only steps 10 and 59 are answered
    made.params["W"].mul_(0.01)
    made.params["b"].fill_(1.0)
    made.inputs[:, 0, 0] = 0
    made.inputs[30, 0, 0] = -1e4 * made.params["U"][0].sign().sum()
    made.params["U"].abs_()
    made.inputs[30, 0, 0].abs_().neg_()  # kills every unit of sample 0 at step 30
    norms, expected = with_norms(made)[1]["h"], made.norms()["h"]
    assert norms[11:30, 0, 0].isneginf().all()
    assert norms[30:, 0, 0].isfinite().all()
    assert norms[:11].isfinite().all()
    assert_near({"h": norms}, {"h": expected}, torch.float32, 60, dying=True)


@pytest.mark.parametrize("name", ["rnn-tanh", "lstm"])
def test_neither_companions_nor_the_number_of_steps_at_once_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = case(PACKED[name], (70, 3, 4, 2, 16), first=69)
    for run, gain in enumerate((1.0, 1e-6, 3.0)):  # of which the second alone needs single steps
        made.params["W"][run] *= gain
    results, norms = with_norms(made)
    for run in range(3):
        alone, norms_alone = with_norms(made.of_run(run))
        for what, value in alone.items():
            assert torch.equal(value[0], results[what][run]), what
        for variable, value in norms_alone.items():
            assert torch.equal(value[:, 0], norms[variable][:, run])
    monkeypatch.setattr(scaled, "may_synchronise", lambda x: False)  # as on a GPU
    one_by_one, norms_then = with_norms(made)
    assert all(torch.equal(one_by_one[what], value) for what, value in results.items())
    assert all(torch.equal(norms_then[variable], value) for variable, value in norms.items())


def test_the_gradient_through_h_of_the_lstm_is_cut() -> None:
    made = case(CELLS["lstm"], (9, 2, 3, 2, 5), first=3)
    keep = torch.tensor([[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]] * 2)
    norms = GradientNorms()
    made.results("packed_lstm", torch.float64, keep=keep.double(), norms=norms)
    h, c = made.state
    p, states = made.params, []
    for t, x in enumerate(made.inputs):
        seen = h if keep[0, t] else h.detach()
        a = torch.einsum("rbi,rgi->rbg", x, p["U"]) + torch.einsum("rbh,rgh->rbg", seen, p["W"]) + p["b"][:, None]
        i, f, g, o = a.chunk(4, -1)
        c = (torch.sigmoid(f) * c + torch.sigmoid(i) * g.tanh()).requires_grad_()
        h = torch.sigmoid(o) * c.tanh()
        states.append((h, c))
    loss = sum((h * on).sum() for (h, _), on in zip(states[3:], made.on_h, strict=True))
    loss = loss + sum((s * on).sum() for s, on in zip(states[-1], made.on_state, strict=True))
    for v, variable in enumerate("hc"):
        grads = torch.autograd.grad(loss, [s[v] for s in states], retain_graph=True, materialize_grads=True)
        expected = torch.stack(grads).norm(dim=-1).log10()
        torch.testing.assert_close(norms.log10()[variable], expected, rtol=0, atol=400 * EPS[torch.float64])
