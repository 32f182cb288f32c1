"""The benchmarks run, at their smallest; what they measure is no test's business."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)


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
    printed = run(name, *options, "--quick").stdout
    first_words = [line.split()[0] for line in printed.splitlines() if line.strip()]
    assert [row for row in rows if row in first_words] == rows


def test_tables_of_the_page_are_renewed_from_benchmarks() -> None:
    page = ROOT / "docs" / "speed.md"
    before = page.read_text(encoding="utf-8")
    printed = run("renew_docs", "update", "--quick").stdout
    table = place_of("update", printed)
    assert table.count("\n| rnn | 20 | 4 | 8 |") == table.count("\n| lstm | 20 | 4 | 8 |") == 1
    assert printed.replace(table, "").split() == before.replace(place_of("update", before), "").split()
    assert page.read_text(encoding="utf-8") == before


def place_of(name: str, page: str) -> str:
    return page.partition(f"<!-- table: {name} -->")[2].partition("<!-- end of table -->")[0]
