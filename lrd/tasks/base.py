"""Base class of tasks: sequences with a known answer, a closed-form chance level, and a measure of success.

A task is a frozen dataclass of its options. It draws the sequences of all runs of a pack at once, so that tensors are
``[time, runs, batch, features]``; steps count from 0. Where the length of sequences varies inside a batch, all start at
step 0 and are padded behind their answer, so that padding can change neither loss nor gradient: of a network that reads
forward. In a bidirectional one a cell reads the padding first, which is the same whatever runs are in the pack.

``docs/examples/my_task.py`` is a whole task; ``lrd check my_task.py:First`` holds one to what is written here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from lrd.options import check_options
from lrd.shapes import Bool, Float, Int, Num, Tensor
from lrd.tasks.items import Item, spread
from lrd.tasks.overlap import Likelihoods, log10_number, seen_share
from lrd.tasks.streams import Stream


@dataclass(frozen=True)
class Batch:
    """Sequences for every run of a pack, with their answers.

    Attributes:
        inputs: x_t at every step, float32.
        targets: the answers at the task's ``loss_steps`` alone: class numbers ``[steps, runs, batch]`` (int64) for
            classification, values ``[steps, runs, batch, outputs]`` (float32) for regression.
        weights: 1 where a sample is scored at a loss step, 0 on its padding; None where every loss step of every sample
            is scored.
    """

    inputs: Float[Tensor, "time runs batch inputs"]
    targets: Num[Tensor, "steps runs batch *outputs"]
    weights: Float[Tensor, "steps runs batch"] | None = None

    def of_runs(self, runs: slice | Int[Tensor, "some"]) -> Batch:
        """Return the sequences of some runs of the pack."""
        weights = None if self.weights is None else self.weights[:, runs]
        return Batch(self.inputs[:, runs], self.targets[:, runs], weights)


@dataclass(frozen=True)
class Task(ABC):
    """A generator of sequences with a known answer and a closed-form chance level.

    A subclass is a ``@dataclass(frozen=True)`` whose fields are ``lrd.options.option(default, help)``, one of them
    ``gap``. It has to have ``name``, ``classification``, ``criterion``, the geometry (``sequence_length``,
    ``smallest_lag``, ``largest_lag``, ``loss_steps``, ``answers``), ``input_size``, ``output_size``, ``draw``,
    ``metrics``, ``chance`` and ``solved``; the rest has defaults.

    Attributes:
        name: what the task is called in configurations, records and figures.
        gap: the swept length T of the literature, in steps. What it means is the task's to say: sequence length and
            lags follow from it.
    """

    name: ClassVar[str]
    gap: int

    def __post_init__(self) -> None:
        check_options(self)

    @property
    @abstractmethod
    def classification(self) -> bool:
        """Whether answers are classes (the loss is cross-entropy) or values (squared error)."""

    @property
    def logistic(self) -> bool:
        """Whether outputs pass the logistic function before their squared error is taken, as in the tasks of 1997."""
        return False

    @property
    def predicts_inputs(self) -> bool:
        """Whether answers are inputs of later steps: a bidirectional network would see them."""
        return False

    @property
    @abstractmethod
    def criterion(self) -> str:
        """The criterion for "solved", in words, with its source: "accuracy >= 0.99 (Arjovsky et al. 2016)"."""

    # -- geometry: what the gap means for this task, in steps ---------------------------------------------------------

    @property
    @abstractmethod
    def sequence_length(self) -> int:
        """Number of steps of a sequence; of the longest one, where lengths vary."""

    @property
    @abstractmethod
    def smallest_lag(self) -> int:
        """Fewest steps between an item and the answer that needs it."""

    @property
    @abstractmethod
    def largest_lag(self) -> int:
        """Most steps between an item and the answer that needs it."""

    @property
    @abstractmethod
    def loss_steps(self) -> range:
        """Steps (0-based) at which the training loss is taken; where lengths vary, every step that may be scored."""

    @property
    @abstractmethod
    def answers(self) -> int:
        """Number of answers in one sequence. An answer is one step at which something remembered is asked for."""

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        """Return the step of one answer in each sample.

        By default the answers are the last ``answers`` loss steps, the same in every sample. A task whose sequences
        vary in length overrides it.

        Args:
            batch: the sequences.
            answer: which answer, from 0; negative numbers count from the last one, -1.
        """
        steps = self.loss_steps[-self.answers :]
        runs, size = batch.inputs.shape[1:3]
        return torch.full((runs, size), steps[answer], dtype=torch.int64, device=batch.inputs.device)

    @property
    def quiet_steps(self) -> range:
        """The steps of the gap, over which the slope of the last answer's gradient flow is fitted.

        They lie between the latest item that any sample can show and the first answer that needs it. The first of them
        may be the one that shows that item, for its state has read it; no later one shows any. Where lengths vary they
        are steps of the longest sample, with all samples aligned at their last answer. By default, for tasks whose
        items may stand right before the answer, they reach from the first step to the one before the last answer.
        """
        return range(0, self.loss_steps[-1])

    # -- the network around the cell ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def input_size(self) -> int:
        """Number of features of x_t."""

    @property
    @abstractmethod
    def output_size(self) -> int:
        """Number of outputs of the readout: of classes, or of values."""

    # -- data ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def draw(self, stream: Stream, batch_size: int) -> Batch:
        """Draw sequences from random numbers of a stream, on the device of ``stream.seeds``.

        Every random number comes from the stream (``stream.integers(4, self.sequence_length, batch_size)`` gives
        [runs, time, batch]): what a run draws then depends neither on its companions in the pack nor on what was drawn
        before.

        Args:
            stream: the random numbers of every run, for one step of training, evaluation, test or probes.
            batch_size: number of sequences of each run.
        """

    def batch(self, seeds: Int[Tensor, "runs"], split: str, step: int | Int[Tensor, "runs"], batch_size: int) -> Batch:
        """Draw the batch of one step of a split: a pure function of its arguments.

        Args:
            seeds: name each run's data.
            split: train, eval, test or probe.
            step: the number of the batch in its split; one for all runs, or one of each.
            batch_size: number of sequences of each run.
        """
        return self.draw(Stream(seeds, split, step), batch_size)

    @property
    def likelihoods(self) -> Likelihoods | None:
        """How likely each sequence is to be drawn; None, the default, where it is not known.

        Two sequences with the same inputs count as one: it is about what the network is shown.
        """
        return None

    @property
    def log10_sequences(self) -> float | None:
        """log10 of the number of different sequences; inf where inputs are real numbers, None where it is not known."""
        return None if self.likelihoods is None else log10_number(self.likelihoods)

    def seen_share(self, drawn: int, split: str = "test") -> float | None:
        """Return the expected share of a split's sequences that training has shown before; None where it is not known.

        Args:
            drawn: how many sequences training has drawn.
            split: whose sequences; it matters for real data alone, whose parts differ.
        """
        return None if self.likelihoods is None else seen_share(self.likelihoods, drawn)

    def shown(self, batch: Batch) -> list[Item]:
        """Return the items that the sequences show and their answers need, for the probe ``retention``.

        By default the items are the targets of the answers, taken to be shown ``largest_lag`` steps before each; of
        more than ten answers, ten, with the first and the last among them.
        """
        outputs = 1 if self.classification else self.output_size
        return self._asked(batch, dict.fromkeys(range(outputs), self.largest_lag))

    def _asked(self, batch: Batch, lags: Mapping[int, int], most: int = 10) -> list[Item]:
        """Return the targets of some answers as items.

        Args:
            batch: the sequences.
            lags: for each output that counts, how many steps before the answer its item was shown.
            most: number of answers at most, the first and the last among them.
        """
        items = []
        for answer in spread(self.answers, most):
            steps = self.answer_steps(batch, answer)
            targets = batch.targets if self.classification else batch.targets.movedim(-1, 0)
            for output, lag in lags.items():
                mine = targets if self.classification else targets[output]
                values = mine.gather(0, (steps - self.loss_steps.start)[None])[0]
                name = f"answer {answer + 1}" + (f", output {output + 1}" if len(lags) > 1 else "")
                classes = self.output_size if self.classification else None
                items.append(Item(name, values, (steps - lag).clamp(min=0), classes))
        return items

    # -- loss and success ---------------------------------------------------------------------------------------------

    def answered(self, outputs: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the answers that the readout's outputs stand for: of themselves, or of their logistic function."""
        return _logistic(outputs) if self.logistic else outputs

    def losses(
        self, outputs: Float[Tensor, "steps runs batch outputs"], targets: Num[Tensor, "steps runs batch *outputs"]
    ) -> Float[Tensor, "steps runs batch"]:
        """Return the loss of each scored step: cross-entropy in nats, or squared error (its mean over outputs).

        Args:
            outputs: V h_t + c of the readout at the loss steps.
            targets: as in ``Batch``.
        """
        if self.classification:
            flat = torch.nn.functional.cross_entropy(outputs.flatten(0, 2), targets.flatten(), reduction="none")
            return flat.view(targets.shape)
        squares = (self.answered(outputs) - targets).square()
        return squares.squeeze(-1) if squares.shape[-1] == 1 else squares.mean(-1)

    def loss(self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch) -> Float[Tensor, "runs"]:
        """Return the training loss of each run: the mean over samples of the mean over each sample's scored steps."""
        return self.averaged(self.losses(outputs, batch.targets), batch)

    def averaged(self, values: Float[Tensor, "steps runs batch"], batch: Batch) -> Float[Tensor, "runs"]:
        """Return the mean over samples of the mean over each sample's scored steps."""
        if batch.weights is None:
            return over_steps_and_batch(values)
        return over_scored_steps(values, batch.weights).mean(-1)

    @abstractmethod
    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure the success of each run on a batch.

        Args:
            outputs: V h_t + c of the readout at the loss steps.
            batch: the sequences.

        Returns:
            Means over the batch by name, one of them ``loss`` (``self.loss(outputs, batch)``). The means of
            ``over_steps_and_batch`` do not depend on a run's companions in the pack, to the last bit.
        """

    @abstractmethod
    def chance(self) -> dict[str, float]:
        """Return the level of each metric, by the names of ``metrics``, for the best answer that remembers nothing.

        In closed form: a model that sees the present input alone and knows the task's distribution reaches it.
        """

    def landmarks(self) -> dict[str, float]:
        """Return further levels of the loss that are worth a line on a figure, by name ("one number known")."""
        return {}

    @abstractmethod
    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        """Return whether each run meets ``criterion``.

        Args:
            metrics: of an evaluation, by the names of ``metrics``. Where they are nan a run is not solved.
        """


def _logistic(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return 1 / (1 + exp(-x)); by exp, whose last bit does not depend on the place in a tensor, as torch.sigmoid's."""
    # Of -|x|: where exp(-x) overflows the gradient would be nan. Not by abs, which has gradient 0 at 0.
    is_positive = x >= 0
    e = torch.exp(torch.where(is_positive, -x, x))
    return torch.where(is_positive, 1, e) / (1 + e)


def over_steps_and_batch(values: Float[Tensor, "steps runs batch"]) -> Float[Tensor, "runs"]:
    """Return the mean of each run, in an order of summing that does not depend on the pack."""
    return values.transpose(0, 1).contiguous().flatten(1).mean(-1)


def over_scored_steps(
    values: Float[Tensor, "steps runs batch"], weights: Float[Tensor, "steps runs batch"]
) -> Float[Tensor, "runs batch"]:
    """Return the mean over each sample's scored steps, in an order of summing that does not depend on the pack.

    Args:
        values: of every loss step.
        weights: 1 where a sample is scored, else 0.
    """
    return (values * weights).permute(1, 2, 0).contiguous().sum(-1) / weights.sum(0)
