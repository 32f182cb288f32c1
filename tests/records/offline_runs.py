"""Real wandb runs, offline: made in processes of their own, and read back by wandb's own inspector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: A run whose mirror holds something of everything.
TINY = ["task=adding", "task.gap=10", "cell.hidden_size=4", "training.max_updates=25", "training.eval_every=10"]
TINY += ["training.eval_samples=8", "training.test_samples=8", "probe=[gradient_flow,gates,retention,lyapunov]"]
TINY += ["training.gradient_norms=true"]  # their pictures too, on every machine
TINY += [f"probe.{option}" for option in ("gradient_flow.samples=4", "gates.samples=4", "retention.samples=20")]
TINY += [f"probe.{option}" for option in ("retention.test_samples=20", "lyapunov.steps=5", "lyapunov.transient=0")]


def run_script(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: wandb keeps one session a process, whose ways tests must not share."""
    head = (
        "import logging, os, sys, time; from pathlib import Path; import numpy as np\n"
        "from lrd.records import make_tracker\n"
        "logging.basicConfig(level=logging.WARNING, format='LOG %(message)s', stream=sys.stdout)\n"
        f"folder = Path({str(folder)!r})\n"
    )
    inherited = {name: value for name, value in os.environ.items() if name != "WANDB_CACHE_DIR"}
    return subprocess.run(
        [sys.executable, "-c", head + code],
        cwd=ROOT,
        env={**inherited, "HOME": str(folder.parent / "home"), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )


def inspect(folder: Path) -> list[dict[str, Any]]:
    """The records of an offline run's log."""
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def of_type(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record[kind] for record in records if record["type"] == kind]
