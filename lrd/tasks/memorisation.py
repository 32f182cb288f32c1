"""Noiseless memorisation: five symbols out of two, or ten out of five, over a gap filled with one constant symbol.

* ``5bit``: 5 items of 2 symbols, 32 lists in all; ``20bit``: 10 items of 5 symbols (23.2 bits in truth).

Sources: Martens & Sutskever 2011, "Learning recurrent neural networks with Hessian-free optimization", supplement;
Sutskever, Martens, Dahl, Hinton 2013, table 5; Pascanu, Mikolov, Bengio 2013, whose public code fixes what the text
leaves open: a filler at every step behind the items but one, the cue, on the first recall step; ``gap + 2 * items``
steps; a class for the filler; cross-entropy over all steps. That is ``copy`` in its convention lezcano2019 with these
sizes and the filler for its blank, from which the data come here too. (H. Jaeger's description of the task shows the
cue one step earlier, as arjovsky2016 does.)

The table of 2013 begins at 2.5 and 8.0 for a network of which only biases are trained. Our reading: the symbols wrong
in a sequence, ``wrong_symbols``, of which the best answer that remembers nothing gets just so many on average.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lrd.options import option
from lrd.shapes import Bool, Float, Tensor
from lrd.tasks.base import Batch
from lrd.tasks.copy import Copy
from lrd.tasks.recall import Recall
from lrd.tasks.streams import Stream

_SIZES = {"5bit": (5, 2), "20bit": (10, 5)}


@dataclass(frozen=True)
class Memorisation(Recall):
    """Repeat a short list in order behind a gap without noise. The module says what each convention is."""

    gap: int = option(100, "steps between the last item and the first recall step", ge=1)
    convention: str = option("5bit", "how many items of how many symbols", choices=tuple(_SIZES))

    name = "memorisation"
    criterion = "fewer than 1 % of sequences with a wrong symbol (Pascanu et al. 2013: 10,000 sequences)"

    @property
    def items(self) -> int:
        return _SIZES[self.convention][0]

    @property
    def symbols(self) -> int:
        return _SIZES[self.convention][1]

    @property
    def loss_steps(self) -> range:
        return range(self.sequence_length)

    @property
    def output_size(self) -> int:
        return self.symbols + 1

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        return Copy(self.gap, "lezcano2019", self.items, self.symbols).draw(stream, batch_size)

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure what ``copy`` measures, and ``wrong_symbols``: how many items of a sequence are answered wrongly."""
        metrics = super().metrics(outputs, batch)
        return metrics | {"wrong_symbols": self.items * (1 - metrics["recall_accuracy"])}

    def chance(self) -> dict[str, float]:
        """Return the levels of answering filler with certainty before recall, then each symbol with equal probability.

        Of ``items`` symbols, ``items (1 - 1/symbols)`` are wrong then: 5 (1 - 1/2) = 2.5 or 10 (1 - 1/5) = 8.
        """
        return super().chance() | {"wrong_symbols": self.items * (1 - 1 / self.symbols)}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["sequence_accuracy"] > 0.99
