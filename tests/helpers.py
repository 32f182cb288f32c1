"""What several test files need: packs of random parameters, runs, and a plain loop of cells to compare with."""

from __future__ import annotations

from typing import Any

import torch

from lrd.cells import LSTM, RNN, Cell, Parameters, readout_parameters
from lrd.probes import GradientFlow
from lrd.shapes import Tensor
from lrd.spec import OPTIMIZERS, RunSpec, Training
from lrd.tasks import Task
from lrd.training import Pack

EPS32, EPS64 = 2.0**-23, 2.0**-52
ACTIVATIONS = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda a: a,
}
OF_TEXTS = ("closing", "text_units")  # probes that measure texts alone
CELLS = {f"rnn-{name}": RNN(hidden_size=5, activation=name) for name in ACTIVATIONS} | {"lstm": LSTM(hidden_size=5)}


def random_parameters(
    cell: Cell, inputs: int, runs: int, outputs: int = 0, seed: int = 0, scale: float = 0.6, dtype: Any = torch.float64
) -> Parameters:
    """Parameters [runs, ...] of a cell, and of a readout if ``outputs``; W has a spectral radius near 1.5 scale."""
    n, generator = cell.hidden_size, torch.Generator().manual_seed(seed)
    rows = 4 * n if isinstance(cell, LSTM) else n
    shapes = {"U": (rows, inputs), "W": (rows, n), "b": (rows,)}
    shapes |= {"V": (outputs, n), "V_bias": (outputs,)} if outputs else {}
    p = {name: torch.randn(runs, *s, dtype=dtype, generator=generator) * scale for name, s in shapes.items()}
    p["W"] *= 1.5 / n**0.5
    return p


def random_like(cell: Cell, inputs: int, runs: int, outputs: int = 0, seed: int = 0, dtype: Any = torch.float64) -> Any:
    """Normal parameters [runs, ...] of the shapes that any cell says, in the size of 1/sqrt(fan-in)."""
    generator = torch.Generator().manual_seed(seed)
    p = cell.parameters(inputs, torch.Generator())
    p |= readout_parameters(cell, outputs, torch.Generator(), inputs) if outputs else {}
    drawn = {name: torch.randn(runs, *v.shape, dtype=dtype, generator=generator) for name, v in p.items()}
    return {name: v / v.shape[-1] ** 0.5 if v.ndim > 2 else 0.6 * v for name, v in drawn.items()}


def one(p: Parameters, run: int) -> Parameters:
    """The parameters of one run."""
    return {name: value[run] for name, value in p.items()}


def loop_of_cells(cell: Cell, p: Parameters, inputs: Tensor, state: tuple[Tensor, ...] | None = None) -> list[Any]:
    """States after every step of one run (parameters without ``runs``, inputs [time, batch, inputs]); no lrd in it."""
    zeros = inputs.new_zeros(inputs.shape[1], cell.hidden_size)
    state = state or (zeros,) * (2 if isinstance(cell, LSTM) else 1)
    states = []
    for x in inputs:
        a = x @ p["U"].T + state[0] @ p["W"].T + p["b"]
        if isinstance(cell, LSTM):
            i, f, g, o = a.chunk(4, dim=-1)
            c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
            state = (torch.sigmoid(o) * torch.tanh(c), c)
        else:
            state = (ACTIVATIONS[cell.activation](a),)
        states.append(state)
    return states


def run_spec(task: Task, cell: Cell, seed: int = 0, optimizer: str = "adam", **options: Any) -> RunSpec:
    """A run; ``options`` of the optimiser, of training and of the probe by their names."""
    kinds = {"optimizer": OPTIMIZERS[optimizer], "training": Training, "probe": GradientFlow}
    made: dict[str, Any] = {}
    for group, kind in kinds.items():
        mine = {key: value for key, value in options.items() if key in kind.__dataclass_fields__}
        made[group] = kind(**mine)
        options = {key: value for key, value in options.items() if key not in mine}
    assert not options, f"no such options: {options}"
    made["probes"] = (made.pop("probe"),)
    return RunSpec(task, cell, seed=seed, **made)


def make_pack(*specs: RunSpec) -> Pack:
    return Pack(list(specs), torch.device("cpu"))


def alone_and_resumed(
    specs: list[RunSpec], *, updates: int, select_at: int, restore_at: int
) -> tuple[list[Pack], Pack]:
    """Train three runs each alone, and in a pack that drops the second and later goes on from its states, turned round.

    The pack at the end holds the first and the third run, whose numbers must be those of the runs alone.
    """
    assert len({spec.pack_key for spec in specs}) == 1
    alone, pack = [make_pack(spec) for spec in specs], make_pack(*specs)
    for update in range(updates):
        if update == select_at:
            pack.select([2, 0])
        if update == restore_at:
            again = make_pack(specs[0], specs[2])
            again.restore(pack.snapshot()[::-1])
            pack = again
        for each in (*alone, pack):
            each.step()
    return alone, pack
