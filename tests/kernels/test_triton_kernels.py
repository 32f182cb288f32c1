"""The Triton kernels compute what a loop of cells computes in float64: states, gradients, and norms of gradients."""

from __future__ import annotations

import pytest
import torch
from exact_cases import CELLS, Shape, case, error, poison
from triton_cases import GPU, NAMES, ON, stream, triton, with_norms

from lrd.kernels.fused.launch import into_parameters, tiles

EPS = 2.0**-23
#: What float32 earns over 50 steps: some hundred roundings, carried on by states that neither vanish nor blow up.
CLOSE = 1e-5
ONE_OF_EACH = ["rnn-tanh", "lstm", "gru"]


@pytest.mark.slow_but(1)
@pytest.mark.parametrize("device", ON)
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_fifty_steps_there_and_back(name: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = case(CELLS[name], (50, 1, 3, 2, 17), first=20)
    poison(monkeypatch)
    results, norms = with_norms(made, device)
    assert error(results, made.results("loop", torch.float64)) < CLOSE
    expected = made.norms()
    assert norms.keys() == expected.keys()
    for variable, value in expected.items():
        # A relative error of CLOSE, in log10.
        torch.testing.assert_close(norms[variable], value, rtol=0, atol=CLOSE)


#: Time, runs, batch, inputs, hidden, first: one of everything; more samples than a tile, of which none counts.
SMALL = [(1, 1, 1, 1, 1, 0), (2, 2, 19, 3, 17, 2)]


@pytest.mark.parametrize("device", ON)
@pytest.mark.parametrize("shape", SMALL, ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_odd_sizes(name: str, shape: tuple[int, ...], device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    time, runs, batch, inputs, hidden, first = shape
    made = case(CELLS[name], (time, runs, batch, inputs, hidden), first)
    poison(monkeypatch)
    assert error(triton(made, device), made.results("loop", torch.float64)) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("device", ON)
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_weights_that_no_program_holds(name: str, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = case(CELLS[name], (8, 1, 33 if GPU else 3, 2, 18))
    expected, norms_expected = made.results("loop", torch.float64), made.norms()
    held = triton(made, device)
    poison(monkeypatch)
    stream(monkeypatch)
    results, norms = with_norms(made, device)
    plain = triton(made, device)
    assert error(plain, expected) < CLOSE
    # Powers of two change no digit.
    for what, value in results.items():
        assert torch.equal(value, plain[what]), what
    for variable, value in norms_expected.items():
        torch.testing.assert_close(norms[variable], value, rtol=0, atol=CLOSE)
    assert error(held, expected) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("device", ON)
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_no_companion_matters(name: str, device: str) -> None:
    made = case(CELLS[name], (3, 3, 2, 2, 5))
    together, _ = with_norms(made, device)
    alone, _ = with_norms(made.of_run(1), device)
    for what, value in alone.items():
        if device == "cpu" or not what.startswith("d "):  # cuBLAS promises no last bit of the products over all steps
            assert torch.equal(value[0], together[what][1]), what
    assert error(alone, made.of_run(1).results("loop", torch.float64)) < CLOSE


@pytest.mark.slow
@pytest.mark.parametrize("device", ON)
@pytest.mark.parametrize(
    ("name", "time", "gain", "forgets"),
    [
        ("rnn-tanh", 30, 0.01, 0.0),
        ("lstm", 16, 1e-4, 12.0),
        ("gru", 16, 1e-4, 12.0),
        ("rnn-tanh", 300, 2.0, 0.0),
        ("lstm", 300, 1.0, 1.0),
        ("gru", 300, 1.0, 1.0),
    ],
)
def test_norms_that_no_float32_holds(name: str, time: int, gain: float, forgets: float, device: str) -> None:
    """Every step back shrinks them: by small W, and by a forget or update gate that forgets."""
    if time > 100 and not GPU:
        pytest.skip("too long for the interpreter")
    made = case(CELLS[name], (time, 1, 2, 1, 3), first=time - 1)
    made.params["W"].mul_(gain)
    if name != "rnn-tanh":
        made.params["b"][:, 3:6] -= forgets  # f of the LSTM, z of the GRU
    _, norms = with_norms(made, device)
    expected = made.norms()
    for variable, value in expected.items():
        assert float(value[0].max()) < -46  # float32 ends at -44.9
        # Relative errors of each step's factor add up: a few roundings a step.
        torch.testing.assert_close(norms[variable], value, rtol=0, atol=20 * time * EPS)


@pytest.mark.parametrize("device", ON)
@pytest.mark.filterwarnings("ignore:overflow")  # what is infinite in float32, parameters get as that
def test_norms_beyond_the_largest_float32(device: str) -> None:
    made = case(CELLS["rnn-identity"], (20, 1, 1, 1, 2), first=18)
    made.params["W"].copy_(torch.tensor([[140.0, 10.0], [0.0, 120.0]]))
    for zero in (made.inputs, made.state[0], made.params["b"]):
        zero.mul_(0)  # so that states stay 0, while their gradients explode
    results, norms = with_norms(made, device)
    expected = made.norms()["h"]
    assert float(expected[0]) > 39
    torch.testing.assert_close(norms["h"], expected, rtol=0, atol=20 * 20 * EPS)
    assert not results["d b"].isfinite().all()


@pytest.mark.parametrize("device", ON)
def test_no_gradient_is_a_norm_of_minus_infinity(device: str) -> None:
    made = case(CELLS["rnn-relu"], (3, 1, 2, 1, 4), first=2)
    made.params["b"].fill_(-100.0)  # all units dead
    _, norms = with_norms(made, device)
    assert norms["h"][:2].isneginf().all()
    torch.testing.assert_close(norms["h"][2], made.norms()["h"][2], rtol=0, atol=CLOSE)


@pytest.mark.parametrize("device", ON)
@pytest.mark.parametrize("streamed", [False, True])
def test_the_way_back_of_the_lstm_is_cut(device: str, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made = case(CELLS["lstm"], (4, 1, 2, 2, 18), first=1)
    keep = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    if streamed:
        stream(monkeypatch)
    got = triton(made, device, keep=keep.to(device))
    expected = made.results("packed_lstm", torch.float64, keep=keep.double())
    assert error(got, expected) < CLOSE
    assert error(got, made.results("packed_lstm", torch.float64)) > 1e-2


@pytest.mark.parametrize("device", ON)
@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_bfloat16_products(name: str, device: str) -> None:
    made = case(CELLS[name], (2, 1, 2, 2, 17))
    exact = made.results("loop", torch.float64)
    # Two roundings (or cuts, in the interpreter) to 8 bits in each product, some dozen products behind one another.
    assert 1e-4 < error(triton(made, device, precision="bfloat16"), exact) < 24 * 2**-8


@pytest.mark.parametrize("device", ON)
def test_products_over_all_steps_are_of_the_same_precision(device: str) -> None:
    """Those that give the gradients of U and W, outside the programs."""
    g = torch.Generator().manual_seed(0)
    delta, right = (torch.randn(2, 5, 3, size, generator=g).to(device) for size in (4, 6))
    exact = torch.einsum("rtbi,rtbj->rij", delta.double(), right.double())
    rounded = torch.einsum("rtbi,rtbj->rij", delta.bfloat16().double(), right.bfloat16().double())
    found = {name: into_parameters(delta, right, tiles(1, 3, 6, name)) for name in ("float32", "bfloat16")}
    # 15 products, and in bfloat16 their sum rounded to 8 bits.
    torch.testing.assert_close(found["float32"].double(), exact, rtol=0, atol=15 * EPS * float(exact.abs().max()))
    torch.testing.assert_close(found["bfloat16"].double(), rounded, rtol=2.0**-8, atol=1e-5)
    assert found["bfloat16"].dtype == torch.float32


def test_an_unknown_precision_is_named() -> None:
    made = case(CELLS["rnn-tanh"], (1, 1, 1, 1, 1))
    with pytest.raises(ValueError, match="precision must be one of float32, tf32x3, tf32, bfloat16, got 'half'"):
        triton(made, "cuda" if GPU else "cpu", precision="half")


#: Sizes of real runs: too large for the interpreter.
LARGE: list[Shape] = [(50, 4, 32, 10, 64), (50, 3, 20, 3, 100), (50, 2, 33, 2, 256)]


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["float32", "tf32x3"])
@pytest.mark.parametrize("shape", LARGE, ids=str)
@pytest.mark.parametrize("name", NAMES.values())
def test_large_packs_on_a_gpu(name: str, shape: Shape, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = next(cell for cell in CELLS.values() if NAMES[type(cell)] == name)
    made = case(kind, shape)
    poison(monkeypatch)
    assert error(triton(made, "cuda", precision=precision), made.results("loop", torch.float64)) < CLOSE
