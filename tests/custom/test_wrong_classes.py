"""What a user's class returns or holds of a wrong type, and how its code ends, is said in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import CELL, PROBE, TASK, spoiled

from lrd.commands.check import run
from lrd.custom import PROTOCOLS, CustomError, ProtocolError, load
from lrd.custom.protocol import called

NAMES = {"cell": "Leaky", "task": "First", "probe": "Norms"}
LEAK = 'option(0.5, "the rate", gt=0, le=1)'
CHANCE = 'return {"loss": log(4), "accuracy": 0.25}'
METRICS = 'return {"loss": self.loss(outputs, batch), "accuracy": over_steps_and_batch(right)}'
SOLVED = 'return metrics["accuracy"] >= 0.99'
NEW_H = '(1 - self.leak) * h + self.leak * torch.tanh(p["U"] @ x + p["W"] @ h)'


def said(folder: Path, text: str, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What ``lrd check`` prints on stderr, which must be one line."""
    path = folder / "mine.py"
    path.write_text(text)
    assert run([f"{path}:{name}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lrd: ")
    assert error.count("\n") == 1, error
    return error


def with_method(text: str, name: str, arguments: str, returned: str) -> str:
    return f"{text}\n    def {name}({arguments}):\n        return {returned}\n"


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, spoiled(CELL, LEAK, 'option(0.1, "x", gt=0, lt=0)'), "the option leak must be > 0 and < 0, got 0.1"),
        (1, spoiled(CELL, LEAK, 'option(0, "x", ge=1)'), "the default of the option leak must be >= 1, got 0"),
        (1, spoiled(CELL, LEAK, 'option("a", "x", gt=0)'), "the option leak must be a number > 0, got 'a'"),
        (1, spoiled(CELL, LEAK, 'option("a", "x", choices=("b",))'), "the option leak must be one of b, got 'a'"),
        (1, spoiled(CELL, LEAK, 'option(0.1, "x", gt="a")'), "a call without options raised TypeError"),
        (1, with_method(CELL, "__post_init__", "self", "1 / 0"), "a call without options raised ZeroDivisionError"),
        (2, with_method(CELL, "state_sizes", "self", "5"), "state_sizes() must give a tuple of ints"),
        (2, with_method(CELL, "state_sizes", "self", "None"), "got None"),
        (2, with_method(CELL, "for_length", "self, length", "None"), "must give a cell, got None"),
        (3, spoiled(CELL, '{"U": u', '{"b": 0.0, "U": u'), "dict of tensors, but b is a float"),
        (3, spoiled(CELL, '{"U": u', '{3: u, "U": u'), "dict of tensors by name, but a key is 3"),
        (3, spoiled(CELL, '{"U": u', '{"b": u / 0, "U": u'), "b holds nan or infinite numbers"),
        (3, with_method(CELL, "parameters", "self, input_size, generator", "None"), "got None"),
        (3, with_method(CELL, "prepare", "self, p", "None"), "what prepare gives must be a dict of tensors, got None"),
        (4, spoiled(CELL, f"return ({NEW_H},)", "return None"), "it must give a tuple of 1 tensor, got None"),
        (4, spoiled(CELL, f"return ({NEW_H},)", f"return (({NEW_H}) * torch.nan,)"), "h is nan after a step from"),
        (4, spoiled(CELL, "(h,) = state", "(h,) = state; raise ValueError('a\\nb')"), "step raised ValueError: a b"),
        (4, spoiled(CELL, "(h,) = state", "(h,) = state; raise SystemExit(3)"), "step raised SystemExit: 3, which"),
        (10, with_method(CELL, "gates", "self, p, x, state", "state[0]"), "gates must give a dict of tensors"),
        (10, spoiled(CELL, '("h",)', '("h",); keeps = ["h"]'), "`keeps` must be a dict such as"),
    ],
)
def test_of_a_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: int, text: str, message: str) -> None:
    error = said(tmp_path, text, "Leaky", capsys)
    assert f"mine.py:Leaky breaks line {line}: " in error
    assert message in error


@pytest.mark.parametrize(
    ("line", "old", "new", "message"),
    [
        (1, 'option(5, "steps", ge=1)', 'option(0, "steps", ge=1)', "the option gap must be >= 1, got 0"),
        (3, "answers = 1", "answers = None", "answers must be an int, got None"),
        (3, "range(self.gap, self.gap + 1)", "3", "loss_steps must be a range of steps"),
        (4, "input_size = output_size = 4", "input_size, output_size = '4', 4", "input_size must be a positive int"),
        (4, '"first", True', '"first", "yes"', "classification must be True or False, got 'yes'"),
        (7, METRICS, "return None", "metrics must give a dict by name, got None"),
        (7, METRICS, METRICS.replace("over_steps_and_batch(right)", "1.0"), "accuracy must be a tensor [runs]"),
        (7, CHANCE, "return None", "chance() must give a dict by name, got None"),
        (7, CHANCE, CHANCE.replace("0.25", "'half'"), "chance() must be finite numbers, but accuracy is a str"),
        (7, CHANCE, CHANCE.replace("0.25", "None"), "chance() must be finite numbers, but accuracy is None"),
        (8, SOLVED, "return True", "solved must give a tensor [runs] of truth values, got a bool"),
        (8, SOLVED, "return None", "solved must give a tensor [runs] of truth values, got None"),
        (8, SOLVED, 'return metrics["accuracy"]', "got [1], float32"),
        (8, SOLVED, "raise SystemExit", "solved raised SystemExit"),
    ],
)
def test_of_a_task(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: int, old: str, new: str, message: str
) -> None:
    error = said(tmp_path, spoiled(TASK, old, new), "First", capsys)
    assert f"mine.py:First breaks line {line}: " in error
    assert message in error


STATES = 'h = self.scale * subject.states(subject.sequences(self.samples))["h"]'
ROW = "norm = h[:, run].norm(dim=-1).mean(-1)"


@pytest.mark.parametrize(
    ("line", "text", "message"),
    [
        (1, spoiled(PROBE, "option(1.0,", "option(-1,"), "the default of the option scale must be > 0, got -1"),
        (
            4,
            spoiled(PROBE, "return tables", "return None"),
            "measure must give a list of 2 tables, one a run, got None",
        ),
        (4, spoiled(PROBE, "return tables", "raise SystemExit(4)"), "raised SystemExit: 4, which would end lrd"),
        (4, with_method(PROBE, "check", "self, task", "exit()"), "check raised SystemExit"),
        (4, with_method(PROBE, "tables_of", "self, subject", "3"), "the check of measure raised TypeError"),
        (10, with_method(PROBE, "scalars", "self, tables", "3.0"), "scalars must give a dict of numbers, got a float"),
        (
            7,
            spoiled(PROBE, STATES, STATES.replace("self.scale * ", "")).replace(ROW, f"h += 0.1; {ROW}"),
            "it wrote into the states h that it was given",
        ),
    ],
)
def test_of_a_probe(tmp_path: Path, capsys: pytest.CaptureFixture[str], line: int, text: str, message: str) -> None:
    error = said(tmp_path, text, "Norms", capsys)
    assert f"mine.py:Norms breaks line {line}: " in error
    assert message in error


@pytest.mark.parametrize("text", [CELL, TASK, PROBE], ids=list(NAMES))
@pytest.mark.parametrize(
    ("first", "message"),
    [
        ("import sys; sys.exit(3)", "mine.py, line 1: SystemExit: 3, which would end lrd"),
        ("raise ValueError('two\\nlines')", "mine.py, line 1: ValueError: two lines"),
    ],
)
def test_a_file_that_cannot_be_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, first: str, message: str
) -> None:
    assert message in said(tmp_path, f"{first}\n{text}", "Leaky", capsys)


@pytest.mark.parametrize("columns", ['["norm"]', "None", "5"])
def test_columns_that_are_no_dict(tmp_path: Path, columns: str) -> None:
    declared = '{"t": "BIGINT", "part": "VARCHAR", "norm": "DOUBLE", "large": "BOOLEAN"}'
    (tmp_path / "mine.py").write_text(spoiled(PROBE, declared, columns))
    with pytest.raises(CustomError, match="`columns` must give the type of each column"):
        load("probe", f"{tmp_path / 'mine.py'}:Norms")


def test_what_no_check_foresees_names_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CELL)
    kind = load("cell", f"{tmp_path / 'mine.py'}:Leaky")

    def odd(*arguments: object) -> None:
        raise RuntimeError("nobody\nforesaw it")

    monkeypatch.setattr("lrd.custom.cell_protocol._check_beginning", odd)
    with pytest.raises(ProtocolError, match=r"the check of the first steps raised RuntimeError: nobody foresaw it$"):
        PROTOCOLS["cell"].check(kind)


def test_a_broken_line_that_is_found_inside_of_a_part_keeps_its_number() -> None:
    def broken() -> None:
        raise ProtocolError(3, "so")

    with pytest.raises(ProtocolError, match=r"^so$") as caught:
        called(7, "a part", broken)
    assert caught.value.line == 3
