"""The benchmarks run, at their smallest; what they measure is no test's business."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("script", "rows"),
    [
        ("update", ["rnn", "lstm"]),
        ("shares", ["rnn", "lstm"]),
        ("probes", ["rnn", "lstm"]),
        ("pack", ["rnn", "lstm"]),
        ("gpu --device cpu", ["device", "run-updates", "|"]),
        ("plan", ["compose", "check", "plan", "forecast", "total"]),
        ("analysis", ["open", "gap_wall", "gradient_flow", "regimes", "figures", "report"]),
        pytest.param(
            "sweep",
            ["lrd", "basic", "joblib"],
            marks=pytest.mark.skipif(
                importlib.util.find_spec("hydra_plugins.hydra_joblib_launcher") is None,
                reason="make bench-sweep installs the joblib launcher",
            ),
        ),
    ],
)
def test_a_benchmark_prints_its_table(script: str, rows: list[str]) -> None:
    name, *options = script.split()
    command = [sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *options, "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    first_words = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert [row for row in rows if row in first_words] == rows
