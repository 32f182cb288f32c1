"""Sums of a kernel's norms in machine code: those of exact logarithms, those of torch, and of each run alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrd.cells import FIRST, LSTM, RNN
from lrd.gradients import norm_sums_on_cpu
from lrd.gradients.norm_sums import NormSums
from lrd.kernels import ScaledNorms
from lrd.shapes import Tensor

pytest.importorskip("numba")
LOG_SUM, SQUARE_SUM, ZEROS, LEAST, MOST, RELATIVE = range(6)


def drawn(seed: int, runs: int, time: int, batch: int, dtype: Any = torch.float32, zeros: float = 0.2) -> ScaledNorms:
    """Norms of any size; some are 0, and of some steps all."""
    generator = torch.Generator().manual_seed(seed)
    size = torch.ldexp(
        torch.rand(runs, time, batch, dtype=dtype, generator=generator) + 0.5,
        torch.randint(-90, 90, (runs, time, batch), generator=generator),
    )
    size[torch.rand(size.shape, generator=generator) < zeros] = 0
    size[:, torch.rand(time, generator=generator) < zeros] = 0
    power = torch.randint(-2000, 400, (runs, time, batch), generator=generator, dtype=torch.int32)
    return ScaledNorms(size, power)


def sums(*updates: ScaledNorms, counts: list[list[bool]] | None = None, batch_size: int = 3) -> Tensor:
    runs, time, _ = updates[0].size.shape
    found = NormSums.nothing(RNN(hidden_size=2), runs, time, torch.device("cpu"))
    for norms, counted in zip(updates, counts or [[True] * runs] * len(updates), strict=True):
        found.add({(FIRST, "h"): norms}, torch.tensor(counted), batch_size=batch_size)
    return found.kept[:, 0]


def of_torch(call: Callable[[], Tensor]) -> Tensor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(norm_sums_on_cpu, "program", lambda: None)
        return call()


def exact(updates: list[ScaledNorms], batch_size: int) -> np.ndarray:
    """[runs, 6, time] by the logarithms of the C library, one number at a time, and sums without rounding."""
    runs, time, _ = updates[0].size.shape
    found = np.zeros((runs, 6, time))
    for run, t in np.ndindex(runs, time):
        own = [zip(u.size[run, t].tolist(), u.power[run, t].tolist(), strict=True) for u in updates]
        pairs = [pair for update in own for pair in update]
        logs = [math.log10(s) + p * math.log10(2) + math.log10(batch_size) for s, p in pairs if s]
        most = max(((math.frexp(s)[1] + p, math.frexp(s)[0]) for s, p in pairs if s), default=None)
        found[run, LOG_SUM, t], found[run, SQUARE_SUM, t] = math.fsum(logs), math.fsum(x * x for x in logs)
        found[run, ZEROS, t] = sum(not s for s, _ in pairs)
        found[run, LEAST, t], found[run, MOST, t] = min(logs, default=math.inf), max(logs, default=-math.inf)
        if most is not None:
            parts = [math.frexp(s)[0] / most[1] * 2.0 ** (math.frexp(s)[1] + p - most[0]) for s, p in pairs if s]
            found[run, RELATIVE, t] = math.fsum(parts)
    return found


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    runs=st.integers(1, 3),
    time=st.integers(1, 9),
    batch=st.integers(1, 40),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    updates=st.integers(1, 3),
)
def test_they_are_those_of_exact_logarithms_and_of_torch(
    seed: int, runs: int, time: int, batch: int, dtype: Any, updates: int
) -> None:
    norms = [drawn(seed + update, runs, time, batch, dtype) for update in range(updates)]
    found = sums(*norms)
    # A logarithm of some hundreds has an error of 1e-13, and so has the power of ten that it is the exponent of.
    expected = exact(norms, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11)
    np.testing.assert_array_equal(found[:, ZEROS], expected[:, ZEROS])
    np.testing.assert_allclose(found, of_torch(lambda: sums(*norms)), rtol=1e-12, atol=1e-11)


def test_logarithms_of_every_mantissa() -> None:
    size = torch.linspace(0.5, 4, 40_001, dtype=torch.float64)[:, None, None]
    found = sums(ScaledNorms(size, torch.zeros(size.shape, dtype=torch.int32)), batch_size=1)[:, LOG_SUM, 0]
    # One rounding of each term: of f, the series, its product and the sum.
    np.testing.assert_allclose(found, np.log10(size[:, 0, 0].numpy()), rtol=0, atol=4 * 2.0**-53)


def test_a_run_has_its_sums_alone_as_in_a_pack_bit_for_bit() -> None:
    norms = [drawn(seed, 5, 7, 33) for seed in range(3)]
    together = sums(*norms)
    for run in range(5):
        alone = sums(*(ScaledNorms(u.size[run : run + 1], u.power[run : run + 1]) for u in norms))
        assert torch.equal(together[run], alone[0])


def test_norms_may_lie_anyhow_in_memory_and_have_long_powers() -> None:
    size, power = drawn(0, 2, 4, 6)
    apart = ScaledNorms(size.permute(1, 2, 0).contiguous().permute(2, 0, 1), power[:, :1].expand(-1, 4, -1).long())
    assert not apart.size.is_contiguous()
    assert torch.equal(sums(apart), sums(ScaledNorms(size, power[:, :1].repeat(1, 4, 1))))


def test_a_run_that_does_not_count_stays_as_it_is() -> None:
    first, second = drawn(0, 2, 3, 4), drawn(1, 2, 3, 4)
    second.size[0, 0, 0], second.size[0, 1, 1] = torch.nan, torch.inf
    found = sums(first, second, counts=[[True, True], [False, True]])
    assert torch.equal(found[0], sums(first)[0])
    assert torch.equal(found[1], sums(first, second)[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("odd", [[math.nan], [-math.nan], [math.inf], [math.inf, math.nan]], ids=repr)
def test_what_is_no_number_shows_as_with_torch(odd: list[float], dtype: Any) -> None:
    """The sign of nan says nothing: processors give that of infinity less infinity either."""
    norms = drawn(2, 1, 2, 5, dtype, zeros=0.0)
    norms.size[0, 0, : len(odd)] = torch.tensor(odd, dtype=dtype)
    found, expected = sums(norms, drawn(3, 1, 2, 5)), of_torch(lambda: sums(norms, drawn(3, 1, 2, 5)))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert found[0, LOG_SUM, 0].isnan() if any(map(math.isnan, odd)) else found[0, LOG_SUM, 0].isinf()


def test_every_variable_has_its_own() -> None:
    cell = LSTM(hidden_size=2)
    found = NormSums.nothing(cell, 2, 3, torch.device("cpu"))
    h, c = drawn(0, 2, 3, 4), drawn(1, 2, 3, 4)
    found.add({(FIRST, "c"): c, (FIRST, "h"): h}, torch.tensor([True, True]), batch_size=3)
    assert torch.equal(found.kept[:, 0], sums(h))
    assert torch.equal(found.kept[:, 1], sums(c))
