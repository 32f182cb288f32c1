"""Every probe measures on a GPU, and sees what it sees on the CPU. Needs torch, numpy and pytest alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers import OF_TEXTS, run_spec

from lrd.cells import LSTM
from lrd.probes import PROBES, Subject
from lrd.tasks import TASKS, Copy
from lrd.training import Pack

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("default"),
]


@pytest.mark.parametrize("name", [name for name in PROBES if name not in OF_TEXTS])
def test_a_measurement_on_a_gpu_is_that_on_the_cpu(name: str) -> None:
    task = TASKS[name]() if name in TASKS else Copy(gap=5, items=2, symbols=3)
    specs = [run_spec(task, LSTM(hidden_size=4), seed) for seed in range(2)]
    tables = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        pack = Pack(specs, device)
        tables.append(
            PROBES[name](samples=8).tables_of(Subject.of(pack.task, pack.cell, pack.parameters(), pack.seeds))
        )
    for of_cpu, of_gpu in zip(*tables, strict=True):
        assert of_cpu.keys() == of_gpu.keys()
        for table, columns in of_cpu.items():
            for column, values in columns.items():
                got = of_gpu[table][column]
                if values.dtype == object:
                    assert got.tolist() == values.tolist()
                else:
                    # Measurements in float32 are sums of some hundred terms, whose logarithms are kept.
                    np.testing.assert_allclose(got, values, rtol=1e-3, atol=1e-3, err_msg=f"{table}.{column}")
