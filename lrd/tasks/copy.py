"""Copying memory: items to remember, blanks, a cue, recall in order.

A sequence of ``gap + 2 * items`` steps; every item has the same lag, ``gap + items``. With the defaults, ten items out
of eight symbols, this is the task of the literature (Hochreiter & Schmidhuber 1997 in spirit; Arjovsky, Shah, Bengio
2016, "Unitary evolution recurrent neural networks", section 5.1), in four conventions that differ in when the cue is
shown, how the input is written and which steps are trained (T is ``gap``, steps are 0-based, K is ``items``):

=============  ===========================  ========================  =======  ==========
convention     cue at steps                 input                     classes  loss over
=============  ===========================  ========================  =======  ==========
arjovsky2016   T+K-1, one before recall     one-hot, symbols + 2      + 1      all steps
lezcano2019    T+K, the first recall step   one-hot, symbols + 2      + 1      all steps
bai2018        T+K-1 to the end             the code itself, 1 number + 2      all steps
gu2020         T+K to the end (all recall)  one-hot, symbols + 2      + 2      last K
=============  ===========================  ========================  =======  ==========

Sources: Lezcano-Casado & Martinez-Rubio 2019 (expRNN); Bai, Kolter, Koltun 2018 (TCN); Gu et al. 2020 (HiPPO) and
2022 (S4). Arjovsky's text numbers the blank behind the symbols (``lrd.tasks.recall`` before them), which only renames
one-hot columns.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch

from lrd.options import option
from lrd.shapes import Float, Tensor
from lrd.tasks.base import Batch
from lrd.tasks.recall import Recall
from lrd.tasks.streams import Stream


@dataclass(frozen=True)
class Copy(Recall):
    """Remember ``items`` symbols over ``gap`` steps and repeat them in order. The module explains the conventions."""

    gap: int = option(20, "steps between the last item and the first recall step", ge=1)
    convention: str = option(
        "arjovsky2016",
        "whose cue, input encoding and loss steps",
        choices=("arjovsky2016", "lezcano2019", "bai2018", "gu2020"),
    )
    items: int = option(10, "symbols to remember", ge=1)
    symbols: int = option(8, "size of the alphabet that items are drawn from", ge=2)

    name = "copy"

    @property
    def loss_steps(self) -> range:
        first = self.gap + self.items if self.convention == "gu2020" else 0
        return range(first, self.sequence_length)

    @property
    def cue_steps(self) -> range:
        """Steps (0-based) that show the cue."""
        recall = self.gap + self.items
        return {
            "arjovsky2016": range(recall - 1, recall),
            "lezcano2019": range(recall, recall + 1),
            "bai2018": range(recall - 1, self.sequence_length),
            "gu2020": range(recall, self.sequence_length),
        }[self.convention]

    @property
    def input_size(self) -> int:
        return 1 if self.convention == "bai2018" else super().input_size

    @property
    def output_size(self) -> int:
        # The public code of the last two has a class for the cue as well, which is never the answer.
        return self.symbols + (2 if self.convention in ("bai2018", "gu2020") else 1)

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        drawn = stream.integers(self.symbols, self.items, batch_size) + 1
        items = drawn.transpose(0, 1)  # [items, runs, batch]
        runs = drawn.shape[0]
        frame = _frame(self, drawn.device)
        inputs = frame.expand(-1, runs, batch_size, -1).clone()
        if self.convention == "bai2018":
            inputs[: self.items, :, :, 0] = items
        else:
            inputs[: self.items].scatter_(3, items.unsqueeze(3), 1.0)
        if self.convention == "gu2020":
            return Batch(inputs, items.contiguous())
        targets = drawn.new_zeros(self.sequence_length, runs, batch_size)
        targets[-self.items :] = items
        return Batch(inputs, targets)


@functools.lru_cache(maxsize=64)
def _frame(task: Copy, device: torch.device) -> Float[Tensor, "time 1 1 inputs"]:
    """Return what is the same in every sequence, blanks and cue, with nothing at the item steps. Never write to it."""
    codes = torch.zeros(task.sequence_length, dtype=torch.int64)
    codes[task.cue_steps.start : task.cue_steps.stop] = task.symbols + 1
    if task.convention == "bai2018":
        frame = codes[:, None].float()
    else:
        frame = torch.nn.functional.one_hot(codes, task.symbols + 2).float()
    frame[: task.items] = 0
    return frame[:, None, None, :].to(device)
