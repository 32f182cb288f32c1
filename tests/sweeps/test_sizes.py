"""Sizes of packs: as asked for, or what a GPU's processors and memory are good for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from helpers import run_spec
from jobs import job

from lrd.cells import LSTM, RNN, Attentive, PeepholeLSTM
from lrd.sweeps import sizes
from lrd.sweeps.plan import plan
from lrd.sweeps.sizes import fitting, gpu, most_runs, pack_bytes
from lrd.tasks import Adding

GPU = torch.device("cuda")
PLENTY = 10**15


@pytest.mark.parametrize(("size", "sizes_of_packs"), [(1, [1] * 5), (3, [3, 2]), (400, [5])])
def test_a_size_that_is_asked_for_bounds_packs(size: int, sizes_of_packs: list[int]) -> None:
    made = plan([job("/nowhere", seed=seed, pack_size=size) for seed in range(5)], workers=2)
    assert sorted((len(pack.jobs) for pack in made.packs), reverse=True) == sizes_of_packs


@pytest.mark.parametrize(("batch", "runs"), [(1, 264), (16, 264), (32, 132), (33, 88), (10**6, 1)])
def test_a_pack_fills_a_gpus_processors(batch: int, runs: int) -> None:
    """Two blocks of up to 16 samples a processor: of one run in 16 samples, two in 32, three in 33."""
    assert fitting(run_spec(Adding(gap=3), RNN(hidden_size=2), batch_size=batch), GPU, 132, PLENTY) == runs


def test_larger_blocks_are_taken_of_weights_that_are_read_at_every_step() -> None:
    run = run_spec(Adding(gap=3), LSTM(hidden_size=256), batch_size=32)
    assert fitting(run, GPU, 132, PLENTY) == 264
    small = run_spec(Adding(gap=3), RNN(hidden_size=128), batch_size=32)  # held in bfloat16, not in strict float32
    rounded = replace(small, training=replace(small.training, precision="bfloat16"))
    assert (fitting(small, GPU, 132, PLENTY), fitting(rounded, GPU, 132, PLENTY)) == (264, 132)


@pytest.mark.parametrize("free", [10**9, 10**10, 10**11])
def test_it_is_the_largest_that_half_of_the_memory_holds(free: int) -> None:
    run = run_spec(Adding(gap=400), LSTM(hidden_size=64))
    runs = fitting(run, GPU, 10**4, free)
    assert pack_bytes(run, runs, GPU) <= free / 2 < pack_bytes(run, runs + 1, GPU)


def test_one_run_is_tried_however_little_memory_there_is() -> None:
    assert fitting(run_spec(Adding(gap=4), RNN(hidden_size=2)), GPU, 132, 0) == 1


def test_float64_takes_twice_the_memory_and_a_recorded_update_its_own() -> None:
    """On a GPU more than twice where the Triton kernels hand over to others."""
    cpu = torch.device("cpu")
    for cell in (PeepholeLSTM(hidden_size=16), LSTM(hidden_size=16)):
        run = run_spec(Adding(gap=30), cell)
        double = replace(run, training=replace(run.training, precision="float64"))
        if cell.name != "lstm":  # which in float32 has a kernel of its own on a CPU
            assert pack_bytes(double, 4, cpu) == pytest.approx(2 * pack_bytes(run, 4, cpu), abs=2)
        assert pack_bytes(double, 4, GPU) >= 2 * pack_bytes(run, 4, GPU)
    attentive = run_spec(Adding(gap=30), Attentive(hidden_size=16).for_length(30))  # of one kernel everywhere
    assert pack_bytes(attentive, 4, GPU) > pack_bytes(attentive, 4, cpu)


def test_auto_on_a_gpu_is_what_fits_shared_by_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr(sizes, "gpu", lambda device: (132, PLENTY))
    one = job("/nowhere", device="cuda", training_batch_size=16)
    assert [most_runs(one, left, workers) for left, workers in ((1000, 1), (100, 1), (100, 2))] == [264, 100, 50]
    monkeypatch.setattr(sizes, "gpu", lambda device: (132, 0))
    assert most_runs(one, 1000, 1) == 1


def test_a_gpu_elsewhere_is_taken_to_hold_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert most_runs(job("/nowhere", device="cuda"), 1000, 1) == 64


def test_free_memory_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    free = iter([10**9, 10**6])

    class Properties:
        multi_processor_count = 132

    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (next(free), 10**10))
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: Properties())
    gpu.cache_clear()
    try:
        assert gpu(GPU) == gpu(GPU) == (132, 10**9)
        assert math.isclose(next(free), 10**6)
    finally:
        gpu.cache_clear()
