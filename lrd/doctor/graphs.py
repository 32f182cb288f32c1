"""CUDA graphs: whether replayed updates are those that run as they are."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import torch

from lrd.cells import GRU, LSTM, RNN, Cell
from lrd.doctor.finding import Finding
from lrd.one_line import one_line
from lrd.spec import Adam, RunSpec, Training
from lrd.tasks import Adding
from lrd.training import Pack
from lrd.training.recorded import WARM_UP
from lrd.training.replay_check import difference, rounding

_UPDATES = WARM_UP + 4
_WAY_OUT = "training runs without graphs, more slowly; please report it with the output of lrd doctor --json"


def findings(runs: Path) -> Iterator[Finding]:
    """Yield a finding for each cell that has kernels of its own, or one that says that there is no GPU."""
    if not torch.cuda.is_available():
        yield Finding("graphs", "graphs", "note", "no GPU: updates are not recorded", facts={"device": None})
        return
    for cell in (RNN(hidden_size=16), LSTM(hidden_size=16), GRU(hidden_size=16)):
        yield compared(cell, torch.device("cuda"))


def compared(cell: Cell, device: torch.device) -> Finding:
    """Return how far some updates of a small pack are from the same ones that are not recorded."""
    training = Training(batch_size=8, max_updates=100)
    specs = [RunSpec(Adding(gap=10), cell, Adam(), training, (), seed=seed) for seed in range(2)]
    packs = [Pack(specs, device, record=lambda update, device: update), Pack(specs, device)]
    before = packs[0].theta.clone()
    logger, lines = logging.getLogger("lrd.training.recorded"), _Lines()
    logger.addHandler(lines)
    try:
        for pack in packs:
            for _ in range(_UPDATES):
                pack.step()
    finally:
        logger.removeHandler(lines)
    share = difference([before], [packs[0].theta], [packs[1].theta])
    facts = {"device": str(device), "updates": _UPDATES, "difference": share, "said": lines.said}
    # Each update may add its own rounding.
    if share > _UPDATES * rounding(training.precision):
        value = f"{_UPDATES} replayed updates are off by {share:.1e} of what they change"
        return Finding("graphs", cell.name, "failed", value, _WAY_OUT, facts)
    if lines.said:
        return Finding("graphs", cell.name, "warning", lines.said[0], _WAY_OUT, facts)
    value = "the same bits" if share == 0 else f"off by {share:.0e}, which is rounding"
    return Finding("graphs", cell.name, "ok", f"{_UPDATES} replayed updates beside plain ones: {value}", facts=facts)


class _Lines(logging.Handler):
    """A list of what was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(one_line(record.getMessage()))
