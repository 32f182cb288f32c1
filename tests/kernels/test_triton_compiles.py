"""Triton's own compiler takes every program, for an H100: it is stricter than the interpreter, and needs no GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SHARED = 227 * 1024  # bytes of shared memory that a block may have there (CUDA C++ Programming Guide, 9.0)
CODE = """
import sys
from dataclasses import replace
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from lrd.kernels.fused import gru_programs, launch, lstm_programs, rnn_programs

INTEGERS = {"time", "steps", "batch", "hidden"}
OPTIONS = {"ACTIVATION": "tanh", "CUT": True, "NORMS": True}
# Small ones, whose weights stay or are read again, and no two of whose tiles are alike; then what real runs have.
SMALL = {"resident": {"RESIDENT": True, "UNITS": 32}, "streamed": {"RESIDENT": False, "UNITS": 32}}
REAL = [(64, "float32"), (256, "float32"), (128, "tf32"), (64, "tf32x3"), (128, "bfloat16")]
for gates, programs in ((1, rnn_programs), (4, lstm_programs), (3, gru_programs)):
    cuts = {name: replace(launch.tiles(gates, 3, 17, "float32"), **other) for name, other in SMALL.items()}
    cuts |= {f"{hidden}-{precision}": launch.tiles(gates, 33, hidden, precision) for hidden, precision in REAL}
    for name, cut in cuts.items():
        for program in (programs.forward, programs.backward):
            names = program.arg_names
            constants = {name: value for name, value in (vars(cut) | OPTIONS).items() if name in names}
            kinds = {name: "i32" if name in INTEGERS else "*i32" if "power" in name else "*fp32" for name in names}
            source = ASTSource(program, kinds | dict.fromkeys(constants, "constexpr"), constexprs=constants)
            options = {"num_warps": cut.warps, "num_stages": 1}
            made = compile(source, target=GPUTarget("cuda", 90, 32), options=options)
            print(program.fn.__module__, program.fn.__name__, name, made.metadata.shared)
"""


def test_programs_are_compiled_for_an_h100(tmp_path: Path) -> None:
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines)) == 2 * 3 * 7
    assert all(int(line.split()[-1]) <= SHARED for line in lines), lines
