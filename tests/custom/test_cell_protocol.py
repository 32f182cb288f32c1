"""Each line of the protocol of cells, kept and broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import CELL, spoiled

from lrd.cells import CELLS
from lrd.custom import CELL_PROTOCOL, CustomError, ProtocolError, load

NEW_H = '(1 - self.leak) * h + self.leak * torch.tanh(p["U"] @ x + p["W"] @ h)'
STEP = f"return ({NEW_H},)"


def checked(folder: Path, text: str) -> list[str]:
    (folder / "cell.py").write_text(text)
    return CELL_PROTOCOL.check(load("cell", f"{folder / 'cell.py'}:Leaky"))


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_of_lrd_keeps_it(name: str) -> None:
    CELL_PROTOCOL.check(CELLS[name])


def test_a_plain_cell_keeps_it(tmp_path: Path) -> None:
    assert checked(tmp_path, CELL) == []


@pytest.mark.parametrize(
    ("line", "old", "new", "message"),
    [
        (2, '("h",)', '"h"', "`state_names` must be a tuple"),
        (2, '("h",)', '("h",); state_sizes = lambda self: (3,)', r"state_sizes\(\) must give a size for each"),
        (3, "/ input_size**0.5,", "/ input_size**0.5, 'b': None,", "it must be a dict of tensors"),
        (3, "u / input_size**0.5", "u.double()", "U must be float32, got float64"),
        (3, "torch.randn(n, n, generator=generator)", "torch.randn(n, n)", "not drawn from the generator alone"),
        (3, '{"U": u', '{"V": u, "U": u', "V is the name of a parameter of the readout"),
        (3, '{"U": u', '{"U[2]": u, "U": u', r"the name U\[2\] must not end in a bracket"),
        (
            3,
            "generator=generator), torch",
            "generator=generatr), torch",
            r"parameters raised NameError: .* \(line 15\)",
        ),
        (4, STEP, STEP[:-2] + ")", "it must give a tuple of 1 tensor, got a Tensor"),
        (4, STEP, STEP[:-1] + " h)", "it must give a tuple of 1 tensor, got a tuple of 2"),
        (
            4,
            STEP,
            'return (torch.tanh(p["U"] @ x + p["W"] @ h)[None],)',
            r"h must have the shape \[64\], got \[1, 64\]",
        ),
        (4, STEP, f"return (({NEW_H}).float(),)", "h must be float64 where x is, got float32"),
        (4, 'p["U"] @ x', 'p["U"] @ h', r"step raised RuntimeError: .* \(line 20\)"),
        (
            4,
            STEP,
            STEP.replace("(1 - self.leak)", "torch.ones(len(h), dtype=torch.float64)"),
            "h must be float32 where x is, got float64",
        ),
        (4, 'p["U"] @ x', 'p["U"] @ torch.ones(len(x), dtype=torch.float64)', "step raised RuntimeError: .*"),
        (4, "(h,) = state", "(h,) = state; h = h.double()", r"step raised RuntimeError: .*dtype.*"),
        (4, STEP, f"return (({NEW_H}).int(),)", "h must be float32 where x is, got int32"),
        (4, "(h,) = state", "(h,) = state; h = h / h.norm()", "h is nan or infinite soon after the zeros"),
        (
            4,
            STEP,
            STEP.replace("torch.tanh(", "torch.zeros(len(h)).to(h.dtype) + torch.tanh("),
            "step makes a tensor on another device",
        ),
        (4, "(h,) = state", "(h,) = state; h = h + torch.arange(len(h)).to(h.dtype)", "step makes a tensor on another"),
        (5, "(h,) = state", "(h,) = state; h *= 0.5", "it wrote into the state h"),
        (
            6,
            "(h,) = state",
            "(h,) = state; torch.manual_seed(1); h = h + torch.rand(len(h)).to(h)",
            "it draws random numbers, or seeds them",
        ),
        (
            7,
            "(h,) = state",
            '(h,) = state; h = h + 0.1 * (p["W"] @ h).abs().sqrt()',
            "the gradient of [UW] is nan or infinite where a sequence begins",
        ),
        (8, "(h,) = state", '(h,) = state; h = h * 2 if p["W"][0, 0] > 0 else h', "step raised .*vmap"),
        (8, "(h,) = state", '(h,) = state; h = h * p["W"][0, 0].item()', "step raised .*vmap"),
        (
            8,
            "(h,) = state",
            '(h,) = state; a = torch.zeros(len(h), dtype=h.dtype, device=h.device); a.add_(p["U"] @ x); h = h + 0 * a',
            "step raised RuntimeError: output with shape",
        ),
        (5, "(h,) = state", '(h,) = state; p["W"].mul_(0.5)', "it wrote into W"),
        (6, STEP, STEP[:-2] + " + torch.rand_like(h),)", "the same arguments gave another state"),
        (7, STEP, f"return (({NEW_H}).detach(),)", "no gradient flows through it"),
        (
            7,
            STEP,
            STEP.replace('p["U"] @ x', 'p["U"].detach() @ x'),
            "no gradient reaches the parameter U: its gradient",
        ),
        (7, STEP, STEP.replace('p["U"] @ x', "x.sum()"), "no gradient reaches the parameter U: step never uses it"),
        (7, "(h,) = state", "h = state[0].detach()", "no gradient reaches the state before"),
        (8, "(h,) = state", "(h,) = state; h = h * 2 if h[0] > 0 else h", "step raised .*vmap"),
        (8, "(h,) = state", "(h,) = state; h = h * h[0].item()", "step raised .*vmap"),
        (9, "self.leak * torch", "self.gain * torch", "it reads gain: drop per_run=True"),
        (10, '"leaky", ("h",)', '"leaky", ("h",); keeps = {"h": "forget"}', "`keeps` names h and forget"),
    ],
)
def test_what_breaks_a_line_is_reported(tmp_path: Path, line: int, old: str, new: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message) as caught:
        checked(tmp_path, spoiled(CELL, old, new))
    assert caught.value.line == line


@pytest.mark.parametrize(
    "own",
    [
        'layers: int = option(2, "layers of my own")',
        'dropout: float = option(0.1, "of my own")',
        "bidirectional = True",
        "layers = property(lambda self: 2)",
    ],
)
def test_options_that_make_a_network_of_a_cell_are_lrds(tmp_path: Path, own: str) -> None:
    (tmp_path / "cell.py").write_text(spoiled(CELL, "    leak:", f"    {own}\n    leak:"))
    name = own.split(":")[0].split(" ")[0]
    message = rf"{name} is an option of every cell, by which lrd makes a network of it: rename it "
    with pytest.raises(CustomError, match=message) as caught:
        load("cell", f"{tmp_path / 'cell.py'}:Leaky")
    assert "\n" not in str(caught.value)


def test_a_cell_derived_from_one_with_options_of_its_own_is_told_so_too(tmp_path: Path) -> None:
    derived = "\n@dataclass(frozen=True)\nclass Next(Leaky):\n    name = 'next'\n"
    (tmp_path / "cell.py").write_text(
        spoiled(CELL, "    leak:", "    layers: int = option(2, 'mine')\n    leak:") + derived
    )
    with pytest.raises(CustomError, match="layers is an option of every cell"):
        load("cell", f"{tmp_path / 'cell.py'}:Next")


def test_a_gate_that_is_none_is_reported(tmp_path: Path) -> None:
    gates = '\n    def gates(self, p, x, state):\n        return {"update": p["W"] @ p["W"]}\n'
    with pytest.raises(ProtocolError, match="the gate update must be a tensor") as caught:
        checked(tmp_path, CELL + gates)
    assert caught.value.line == 10


def test_a_truncated_gradient_is_allowed_and_remarked(tmp_path: Path) -> None:
    two = spoiled(CELL, '("h",)', '("h", "c")').replace("(h,) = state", "h, c = state[0].detach(), state[1]")
    two = spoiled(two, STEP, 'c = c + torch.tanh(p["U"] @ x + p["W"] @ h); return c.tanh(), c')
    assert checked(tmp_path, two) == ["no gradient reaches h_(t-1) in a step: right for a truncated gradient only"]


@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ('{"update": p["W"].sum(1) * (2 if x[0] > 0 else 1)}', "gates raised .*vmap"),
        (
            '{"update": p["W"].sum(1) + torch.zeros(self.hidden_size).to(x.dtype)}',
            "gates makes a tensor on another device",
        ),
    ],
)
def test_gates_are_held_to_what_probes_do_with_them(tmp_path: Path, gates: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message) as caught:
        checked(tmp_path, CELL + f"\n    def gates(self, p, x, state):\n        return {gates}\n")
    assert caught.value.line == 10
