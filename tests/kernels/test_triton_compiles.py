"""Triton's own compiler takes every program, for an H100: it is stricter than the interpreter, and needs no GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys
from dataclasses import replace
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from lrd.kernels.fused import gru_programs, launch, lstm_programs, rnn_programs

INTEGERS = {"time", "steps", "batch", "hidden"}
OPTIONS = {"ACTIVATION": "tanh", "CUT": True, "NORMS": True}
for gates, programs in ((1, rnn_programs), (4, lstm_programs), (3, gru_programs)):
    for resident in (True, False):
        cut = replace(launch.tiles(gates, 3, 17, "float32"), RESIDENT=resident, UNITS=32)  # no two tiles alike
        for program in (programs.forward, programs.backward):
            names = program.arg_names
            constants = {name: value for name, value in (vars(cut) | OPTIONS).items() if name in names}
            kinds = {name: "i32" if name in INTEGERS else "*i32" if "power" in name else "*fp32" for name in names}
            source = ASTSource(program, kinds | dict.fromkeys(constants, "constexpr"), constexprs=constants)
            options = {"num_warps": cut.warps, "num_stages": 1}
            made = compile(source, target=GPUTarget("cuda", 90, 32), options=options)
            print(program.fn.__module__, program.fn.__name__, resident, len(made.asm["cubin"]) > 0)
"""


def test_programs_are_compiled_for_an_h100(tmp_path: Path) -> None:
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert len(lines) == len(set(lines)) == 12
    assert all(line.endswith(" True") for line in lines)
