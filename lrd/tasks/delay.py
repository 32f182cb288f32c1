"""Delay: at every step, answer what was seen ``gap`` steps ago.

* ``echo`` (default): a random token of ``alphabet`` at each of ``gap + tokens`` steps; the last ``tokens`` steps, where
  an answer exists, are scored. The first ``tokens`` tokens are asked for, the last ``gap`` only get in the way.
* ``gu2022`` (Gu et al. 2022, "How to train your HiPPO", continuous delay; sizes of its public configuration): white
  noise of rms 0.5 up to a quarter of the sampling rate, ``4 * gap`` steps; the input shifted by ``gap``, zero before;
  squared error over all steps. The public code then subtracts the first value from the whole signal, which makes its
  power depend on the step; here it does not, so that the rms is 0.5 at every step.
* ``voelker2019`` (Voelker, Kajic, Eliasmith 2019, "Legendre memory units", capacity task): white noise up to 10 Hz, and
  five delays, evenly spaced from 0 to ``gap``, read out at once. Our reading: the window of ``gap`` steps lasts one
  second, so 10 periods fit in whatever its number of steps (their error stays flat up to 100,000 steps with one and
  the same memory of 100 numbers, which a window of growing content would not allow); ``2 * gap`` steps, rms 0.5, scored
  where all five exist.

White noise here is a sum of the sines and cosines that have whole periods in the sequence, up to the cutoff, with
independent Gaussian amplitudes: stationary, with the stated rms at every step in expectation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lrd.options import OptionError, option
from lrd.shapes import Bool, Float, Tensor
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.items import Item
from lrd.tasks.overlap import NEVER, Likelihoods, alike
from lrd.tasks.recall import one_hot
from lrd.tasks.streams import Stream

RMS = 0.5


@dataclass(frozen=True)
class Delay(Task):
    """Answer at every step what was seen ``gap`` steps ago. The module says what each convention is."""

    gap: int = option(20, "steps between what is seen and when it is asked for", ge=1)
    convention: str = option("echo", "whose signal and readout", choices=("echo", "gu2022", "voelker2019"))
    alphabet: int = option(8, "number of tokens to choose from (echo only)", ge=2)
    tokens: int = option(10, "tokens that are asked for, one a step (echo only)", ge=1)

    name = "delay"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.convention == "voelker2019" and self.gap < 21:
            raise OptionError("gap", f"must be >= 21 for convention voelker2019 (10 periods a window), got {self.gap}")

    @property
    def classification(self) -> bool:
        return self.convention == "echo"

    @property
    def criterion(self) -> str:
        measure = "accuracy" if self.classification else "skill"
        return f"{measure} >= 0.99 (lrd's own: no threshold is published)"

    @property
    def sequence_length(self) -> int:
        return {"echo": self.gap + self.tokens, "gu2022": 4 * self.gap, "voelker2019": 2 * self.gap}[self.convention]

    @property
    def delays(self) -> tuple[int, ...]:
        """The delays read out at each answer, in steps."""
        if self.convention == "voelker2019":
            return tuple(round(part * self.gap / 4) for part in range(5))
        return (self.gap,)

    @property
    def smallest_lag(self) -> int:
        return self.delays[0]

    @property
    def largest_lag(self) -> int:
        return self.gap

    @property
    def loss_steps(self) -> range:
        return range(0 if self.convention == "gu2022" else self.gap, self.sequence_length)

    @property
    def answers(self) -> int:
        return self.sequence_length - self.gap

    @property
    def quiet_steps(self) -> range:
        """The ``gap`` steps before the last answer, from the one that shows what it asks for."""
        last = self.sequence_length - 1
        return range(last - self.gap, last)

    @property
    def input_size(self) -> int:
        return self.alphabet if self.classification else 1

    @property
    def output_size(self) -> int:
        return self.alphabet if self.classification else len(self.delays)

    @property
    def frequencies(self) -> int:
        """Number of frequencies in the noise: k periods in the whole sequence, k from 1 to this number."""
        return {"gu2022": self.sequence_length // 4, "voelker2019": 20}[self.convention]

    @property
    def likelihoods(self) -> Likelihoods:
        """Every list of tokens, with those that are never asked for; or real numbers."""
        return alike(self.sequence_length * math.log(self.alphabet)) if self.classification else NEVER

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        length = self.sequence_length
        if self.classification:
            tokens = stream.integers(self.alphabet, length, batch_size).transpose(0, 1)  # [time, runs, batch]
            return Batch(one_hot(tokens, self.alphabet), tokens[: self.tokens].contiguous())
        signal = _noise(stream, length, self.frequencies, batch_size)
        if self.convention == "gu2022":
            targets = torch.zeros_like(signal)
            targets[self.gap :] = signal[: -self.gap]
            return Batch(signal.unsqueeze(3), targets.unsqueeze(3))
        targets = torch.stack([signal[self.gap - delay : length - delay] for delay in self.delays], -1)
        return Batch(signal.unsqueeze(3), targets)

    def shown(self, batch: Batch) -> list[Item]:
        """Return the tokens, or values of the signal, that up to ten answers ask for; delay 0 is left out."""
        return self._asked(batch, {output: delay for output, delay in enumerate(self.delays) if delay > 0})

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` and ``skill``, for echo also ``accuracy``.

        Skill is 1 when everything is right and 0 at chance: for tokens ``(accuracy - 1/alphabet) / (1 - 1/alphabet)``,
        for signals 1 - loss / (expected mean square of the targets).
        """
        loss = over_steps_and_batch(self.losses(outputs, batch.targets))
        if not self.classification:
            return {"loss": loss, "skill": 1 - loss / self._power}
        accuracy = over_steps_and_batch((outputs.argmax(-1) == batch.targets).float())
        return {"loss": loss, "accuracy": accuracy, "skill": (accuracy * self.alphabet - 1) / (self.alphabet - 1)}

    @property
    def _scored(self) -> float:
        """Share of the loss steps at which the target is not the zero that stands before the first answer."""
        return self.answers / len(self.loss_steps)

    @property
    def _power(self) -> float:
        """Expected mean square of the targets over the loss steps."""
        return RMS**2 * self._scored

    def _correlation(self, delay: int) -> float:
        """Return the correlation of the signal with itself ``delay`` steps before, mean cos(2 pi k delay / length)."""
        angles = (2 * math.pi * k * delay / self.sequence_length for k in range(1, self.frequencies + 1))
        return math.fsum(math.cos(angle) for angle in angles) / self.frequencies

    def chance(self) -> dict[str, float]:
        """Return the levels of equal probability for all tokens, or of the best multiple of the current input.

        With correlation r between input and delayed signal, and targets that are not the leading zero in a share f of
        the loss steps, the best multiple is f r and leaves ``rms^2 f (1 - f r^2)`` of each output (Gaussian, so that
        where f = 1 no other function does better). For gu2022 r is 0 or -1/gap: the level of answering zero, or just
        below.
        """
        if self.classification:
            return {"loss": math.log(self.alphabet), "accuracy": 1 / self.alphabet, "skill": 0.0}
        explained = sum(self._correlation(delay) ** 2 for delay in self.delays) / len(self.delays)
        skill = self._scored * explained
        return {"loss": self._power * (1 - skill), "skill": skill}

    def landmarks(self) -> dict[str, float]:
        return {} if self.classification else {"always zero": self._power}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["accuracy" if self.classification else "skill"] >= 0.99


def _noise(stream: Stream, length: int, frequencies: int, batch_size: int) -> Float[Tensor, "time runs batch"]:
    """Draw Gaussian noise of a given rms with 1..frequencies periods in ``length`` steps (fewer than length / 2)."""
    drawn = stream.uniform(2, batch_size, frequencies)
    # Box-Muller in the plane: a complex Gaussian amplitude. Each frequency appears twice (as k and -k) in the sum.
    radius = torch.sqrt(-2 * torch.log1p(-drawn[:, 0])) * (RMS / (2 * math.sqrt(frequencies)))
    amplitudes = torch.polar(radius, 2 * torch.pi * drawn[:, 1])  # [runs, batch, frequencies]
    spectrum = torch.nn.functional.pad(amplitudes, (1, 0))  # no constant part
    # One transform a run, so that its shape, and with it the rounding, does not depend on the pack.
    signals = [torch.fft.irfft(run, n=length, norm="forward") for run in spectrum]  # each [batch, time]
    return torch.stack(signals).permute(2, 0, 1).contiguous()
