"""What every task offers: sequences with a known answer, a closed-form chance level, and a measure of success.

A task is a frozen dataclass of its options. Shapes are time-major with a leading pack axis behind time: inputs
``[time, runs, batch, inputs]``. Where the length of sequences varies inside a batch, sequences start together and
are padded behind their answer, so that padding can change neither loss nor gradient.
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
    """Sequences for every run of a pack.

    ``targets`` stand at the task's loss steps only: class numbers ``[steps, runs, batch]`` for classification, values
    ``[steps, runs, batch, outputs]`` for regression. ``weights`` is 1 where a sample is scored and 0 on padding, or
    None where every loss step of every sample is scored.
    """

    inputs: Float[Tensor, "time runs batch inputs"]
    targets: Num[Tensor, "steps runs batch *outputs"]
    weights: Float[Tensor, "steps runs batch"] | None = None

    def of_runs(self, runs: slice | Int[Tensor, "some"]) -> Batch:
        """The sequences of these runs alone."""
        weights = None if self.weights is None else self.weights[:, runs]
        return Batch(self.inputs[:, runs], self.targets[:, runs], weights)


@dataclass(frozen=True)
class Task(ABC):
    """A generator of sequences with a known answer and a closed-form chance level.

    Subclasses are frozen dataclasses of ``lrd.options.option`` fields, all with defaults, one of them ``gap``.
    """

    name: ClassVar[str]
    gap: int

    def __post_init__(self) -> None:
        check_options(self)

    @property
    @abstractmethod
    def classification(self) -> bool:
        """Cross-entropy over classes, or else squared error. May depend on the options, as ``criterion`` may."""

    @property
    def logistic(self) -> bool:
        """Whether the readout's O is the logistic function (with squared error), as in the tasks of 1997."""
        return False

    @property
    @abstractmethod
    def criterion(self) -> str:
        """The published criterion for "solved", in words, with its source."""

    # -- geometry: what "gap" means for this task, in steps -----------------------------------------------------------

    @property
    @abstractmethod
    def sequence_length(self) -> int:
        """Steps of a sequence; of the longest one, where lengths vary."""

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
        """Number of answers in one sequence, each one step at which something remembered is asked for."""

    def answer_steps(self, batch: Batch, answer: int) -> Int[Tensor, "runs batch"]:
        """The step of one answer (0-based; negative counts from the last) in each sample.

        Default: the answers are the last ``answers`` loss steps, the same in every sample.
        """
        steps = self.loss_steps[-self.answers :]
        runs, size = batch.inputs.shape[1:3]
        return torch.full((runs, size), steps[answer], dtype=torch.int64, device=batch.inputs.device)

    @property
    def quiet_steps(self) -> range:
        """The steps before the last answer over which the slope of its gradient flow is fitted.

        Where lengths vary they are steps of the longest sample, with all samples aligned at their answer. Where it can
        be said for every sample that can be drawn: those between the latest item and the first answer that needs it.
        The first of them may be the one that shows that item, for its state has read it; no later one shows any.
        Default, for tasks whose items may stand right before the answer: from the first step to the last answer's step.
        """
        return range(0, self.loss_steps[-1])

    # -- the network around the cell ----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def input_size(self) -> int:
        """Features of x_t."""

    @property
    @abstractmethod
    def output_size(self) -> int:
        """Outputs of the readout: classes, or values."""

    # -- data ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def draw(self, stream: Stream, batch_size: int) -> Batch:
        """Sequences from the random words of a stream, on the stream's device, in float32."""

    def batch(self, seeds: Int[Tensor, "runs"], split: str, step: int | Int[Tensor, "runs"], batch_size: int) -> Batch:
        """The batch of one step of a split ("train", "eval", "test", "probe"): a pure function of its arguments.

        ``step``: the same for all runs, or each run's own.
        """
        return self.draw(Stream(seeds, split, step), batch_size)

    @property
    def likelihoods(self) -> Likelihoods | None:
        """How likely each sequence is to be drawn, as shares of all draws; None, the default: nobody has said.

        Of sequences as the network is shown them, so that two with the same inputs are one.
        """
        return None

    @property
    def log10_sequences(self) -> float | None:
        """log10 of the number of different sequences; inf for real numbers, None where it is not known."""
        return None if self.likelihoods is None else log10_number(self.likelihoods)

    def seen_share(self, drawn: int, split: str = "test") -> float | None:
        """The expected share of a split's sequences that are among so many ``drawn`` training ones; None: not known.

        It is the same for all splits but of real data, whose parts differ.
        """
        return None if self.likelihoods is None else seen_share(self.likelihoods, drawn)

    def shown(self, batch: Batch) -> list[Item]:
        """What the sequences show and their answers need, for the probe ``retention``.

        Default: what the answers ask for, taken to be shown ``largest_lag`` steps before each; of more than ten answers
        ten, the first and the last among them.
        """
        outputs = 1 if self.classification else self.output_size
        return self._asked(batch, dict.fromkeys(range(outputs), self.largest_lag))

    def _asked(self, batch: Batch, lags: Mapping[int, int], most: int = 10) -> list[Item]:
        """The targets of up to ``most`` answers; ``lags``: for each output that counts, how far back it was shown."""
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
        """O of the readout, y_t = O(V h_t + c), where it is not that of cross-entropy: logistic, or the identity."""
        return _logistic(outputs) if self.logistic else outputs

    def losses(
        self, outputs: Float[Tensor, "steps runs batch outputs"], targets: Num[Tensor, "steps runs batch *outputs"]
    ) -> Float[Tensor, "steps runs batch"]:
        """Loss of each scored step: cross-entropy in nats, or squared error of ``answered`` (mean over outputs)."""
        if self.classification:
            flat = torch.nn.functional.cross_entropy(outputs.flatten(0, 2), targets.flatten(), reduction="none")
            return flat.view(targets.shape)
        return (self.answered(outputs) - targets).square().mean(-1)

    def loss(self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch) -> Float[Tensor, "runs"]:
        """Training loss of each run: the mean over samples of the mean over each sample's scored steps."""
        return self.averaged(self.losses(outputs, batch.targets), batch)

    def averaged(self, values: Float[Tensor, "steps runs batch"], batch: Batch) -> Float[Tensor, "runs"]:
        """The mean over samples of the mean over each sample's scored steps."""
        if batch.weights is None:
            return over_steps_and_batch(values)
        return over_scored_steps(values, batch.weights).mean(-1)

    @abstractmethod
    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measures of success of each run, means over the batch, always with ``loss``; ``outputs`` at loss steps."""

    @abstractmethod
    def chance(self) -> dict[str, float]:
        """Closed-form level of each metric for the best answer that remembers nothing; keys as in ``metrics``."""

    def landmarks(self) -> dict[str, float]:
        """Further levels of the loss worth a line on a figure, by name (e.g. adding: ``one number known``)."""
        return {}

    @abstractmethod
    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        """Whether each run meets ``criterion``, judged from evaluation metrics."""


def _logistic(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """1 / (1 + exp(-x)), by exp, which gives a number the same last bit wherever it stands; torch.sigmoid does not."""
    # Of -|x|: where exp(-x) overflows the gradient would be nan. Not by abs, which has gradient 0 at 0.
    is_positive = x >= 0
    e = torch.exp(torch.where(is_positive, -x, x))
    return torch.where(is_positive, 1, e) / (1 + e)


def over_steps_and_batch(values: Float[Tensor, "steps runs batch"]) -> Float[Tensor, "runs"]:
    """The mean of each run, summed in the same order whatever the pack, so that its last bit is the run's own."""
    return values.transpose(0, 1).contiguous().flatten(1).mean(-1)


def over_scored_steps(
    values: Float[Tensor, "steps runs batch"], weights: Float[Tensor, "steps runs batch"]
) -> Float[Tensor, "runs batch"]:
    """The mean over each sample's scored steps, in the same order of summing whatever the pack."""
    return (values * weights).permute(1, 2, 0).contiguous().sum(-1) / weights.sum(0)
