"""Each line of the protocol of tasks, kept and broken."""

from __future__ import annotations

from pathlib import Path

import pytest
from written import TASK, spoiled

from lrd.custom import TASK_PROTOCOL, ProtocolError, load
from lrd.tasks import TASKS

SYMBOLS = "stream.integers(4, self.sequence_length, batch_size)"
WEIGHTED = "symbols[:1].contiguous(), {})"


def checked(folder: Path, text: str) -> list[str]:
    (folder / "task.py").write_text(text)
    return TASK_PROTOCOL.check(load("task", f"{folder / 'task.py'}:First"))


@pytest.mark.parametrize("name", TASKS)
def test_every_task_of_lrd_keeps_it(name: str) -> None:
    TASK_PROTOCOL.check(TASKS[name])


def test_a_plain_task_keeps_it(tmp_path: Path) -> None:
    assert checked(tmp_path, TASK) == []


@pytest.mark.parametrize(
    ("line", "old", "new", "message"),
    [
        (2, '"accuracy >= 0.99 (ours)"', '""', "criterion must be a text"),
        (3, "self.gap + 1)\n    smallest", "self.gap + 1.5)\n    smallest", "sequence_length must be a positive int"),
        (
            3,
            "range(self.gap, self.gap + 1)",
            "range(self.gap, self.gap + 2)",
            "loss_steps must be a range of steps below 6",
        ),
        (3, "range(self.gap, self.gap + 1)", "range(0)", "loss_steps must be a range"),
        (3, "answers = 1", "answers = 2", "answers must lie between 1 and the 1 loss steps, got 2"),
        (3, "lambda self: self.gap)", "lambda self: self.gap + 1)", "lags must be 0 <= smallest_lag"),
        (
            4,
            "Batch(torch.nn.functional.one_hot(symbols, 4).float(), symbols[:1].contiguous())",
            "symbols",
            r"got a Tensor|Expected type: lrd.tasks.base.Batch",  # the second where shapes are checked, as in tests
        ),
        (4, ".transpose(0, 1)", "", r"inputs must be \[6, 2, 4, 4\], float32, got \[2, 6, 4, 4\], float32"),
        (4, ".float(), symbols", ".double(), symbols", "inputs must be .* got .*, float64"),
        (4, "4).float(), symbols", "4).float() + torch.zeros(4), symbols", "draw makes a tensor on another device"),
        (4, "symbols[:1].contiguous())", "symbols[:1].float())", r"targets must be \[1, 2, 4\], int64"),
        (4, "symbols[:1].contiguous())", "symbols[:1] + 4)", "targets must be classes below output_size, 4"),
        (
            5,
            "symbols[:1].contiguous())",
            "symbols[:1], 0 * symbols[:1] + 0.5)",
            "weights must be 0 or 1, with at least",
        ),
        (
            5,
            "symbols[:1].contiguous())",
            "symbols[:1], symbols[:1] * 0.0)",
            "weights must be 0 or 1, with at least one",
        ),
        (6, SYMBOLS, "torch.randint(4, (len(stream.seeds), self.gap + 1, batch_size))", "gave other sequences"),
        (6, SYMBOLS, f"(({SYMBOLS} + len(stream.seeds)) % 4)", "a run alone has other sequences"),
        (
            6,
            SYMBOLS,
            "(torch.arange(24).view(1, 6, 4).repeat(len(stream.seeds), 1, 1) % 4)",
            "another step has the same",
        ),
        (7, '{"loss": self.loss(outputs, batch), ', "{", "`loss` is missing; there are accuracy"),
        (7, '"accuracy": 0.25', '"error": 0.25', r"chance\(\) has loss, error, metrics loss, accuracy"),
        (7, "over_steps_and_batch(right)", "right.mean()", r"accuracy must be a tensor \[runs\]"),
        (7, '"loss": log(4)', '"loss": float("inf")', r"chance\(\) must be finite"),
        (7, "outputs.argmax(-1)", "outputs.argmax(9)", r"metrics raised IndexError: .* \(line 23\)"),
        (8, ">= 0.99\n", ">= 0.2\n", "the level of chance counts as solved"),
        (8, '"accuracy"] >= 0.99', '"loss"] != log(4)', "a run whose outputs are nan counts as solved"),
    ],
)
def test_what_breaks_a_line_is_reported(tmp_path: Path, line: int, old: str, new: str, message: str) -> None:
    with pytest.raises(ProtocolError, match=message) as caught:
        checked(tmp_path, spoiled(TASK, old, new))
    assert caught.value.line == line
