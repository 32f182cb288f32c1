"""The cell that the protocol's docstring shows keeps the protocol."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import torch

from lrd.cells import Cell, base
from lrd.custom import check_cell
from lrd.options import option


def test_the_example_keeps_the_protocol() -> None:
    lines = base.__doc__.splitlines()
    code = [line for line in lines if not line or line.startswith("    ")]
    found = {"Cell": Cell, "dataclass": dataclass, "option": option, "torch": torch}
    exec(textwrap.dedent("\n".join(code)), found)
    cell = found["Leaky"](hidden_size=4, leak=0.25)
    assert check_cell(cell) == []
    p = cell.parameters(2, torch.Generator().manual_seed(0))
    (h,) = cell.step(p, torch.zeros(2), (torch.ones(4),))
    torch.testing.assert_close(h, 0.75 + 0.25 * torch.tanh(p["W"].sum(1)))
