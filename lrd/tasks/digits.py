"""Digits: a real image, pixel by pixel, then blanks, then its class.

The 1797 images of 8 x 8 pixels that come with scikit-learn (``load_digits``; Alpaydin & Kaynak 1998, the test part of
"Optical recognition of handwritten digits"), brightness 0..16 divided by 16. A small cousin of sequential MNIST:

* ``sequential`` (Le, Jaitly, Hinton 2015): 64 pixels, row by row.
* ``permuted`` (the same): in one random order, the same for all images and runs, named by ``permutation_seed``.

The literature answers at the last pixel (``gap=0``); here ``gap`` blank steps (zeros) may follow.

Parts are fixed and stratified: of each class, in scikit-learn's order, of every 20 images 11 are for training, 3 for
evaluation, 3 for test and 1 for each number modulo 3 of the probe batches. Training draws with replacement. The others
go through their part in one order that mixes the classes, and start over at its end: an evaluation of as many samples
as its part has images (about 270 for eval and test, see ``part_sizes``) sees each once.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from lrd.extras import missing
from lrd.options import OptionError, option
from lrd.shapes import Bool, Float, Int, Tensor
from lrd.tasks.base import Batch, Task, over_steps_and_batch
from lrd.tasks.items import Item
from lrd.tasks.overlap import seen_among
from lrd.tasks.parts import PARTS, part_number, parts_of
from lrd.tasks.streams import Stream

PIXELS, CLASSES = 64, 10
#: Parts, as numbered by ``part_number``, of 20 images of a class; scattered, since neighbours have the same writer.
DEALT = (0, 1, 0, 2, 0, 3, 0, 0, 1, 0, 2, 4, 0, 0, 1, 0, 2, 0, 5, 0)
#: Places in a part that one step goes on by: the largest batch of an evaluation (``lrd.training.Pack.evaluate``).
STRIDE = 256
#: Points that a slope takes.
LEAST_QUIET = 3


@dataclass(frozen=True)
class Digits(Task):
    """Classify a small image shown pixel by pixel. The module says what conventions and parts are."""

    gap: int = option(20, "blank steps between the last pixel and the answer; 0: answer at the last pixel", ge=0)
    convention: str = option("sequential", "the order of the pixels", choices=("sequential", "permuted"))
    permutation_seed: int = option(0, "names the order of the pixels (permuted only)", ge=0)

    name = "digits"
    classification = True
    answers = 1
    input_size = 1
    output_size = CLASSES

    def __post_init__(self) -> None:
        super().__post_init__()
        if line := missing("digits", "digits"):
            raise OptionError("name", line)

    @property
    def criterion(self) -> str:
        return "accuracy >= 0.9 (lrd's own: a linear classifier of all pixels at once is right about 0.95 of the time)"

    @property
    def sequence_length(self) -> int:
        return PIXELS + self.gap

    @property
    def smallest_lag(self) -> int:
        return self.gap

    @property
    def largest_lag(self) -> int:
        return PIXELS - 1 + self.gap

    @property
    def loss_steps(self) -> range:
        return range(self.largest_lag, self.largest_lag + 1)

    @property
    def quiet_steps(self) -> range:
        """The steps from the last pixel to the one before the answer; if fewer than three, from the first pixel."""
        last = self.largest_lag
        return range(PIXELS - 1 if self.gap >= LEAST_QUIET else 0, last)

    @property
    def order(self) -> tuple[int, ...]:
        """The number of the pixel, counted row by row, that each step shows."""
        return tuple(range(PIXELS)) if self.convention == "sequential" else _permuted(self.permutation_seed)

    @property
    def part_sizes(self) -> tuple[int, ...]:
        """Number of images of each part, numbered as by ``lrd.tasks.parts.part_number``."""
        return tuple(len(part) for part in _parts())

    def seen_share(self, drawn: int, split: str = "test") -> float:
        """Return the expected share of a split's images of which training has shown an equal one; parts share none."""
        images = np.unique(_load()[0], axis=0, return_inverse=True)[1].ravel()
        train, other = (np.concatenate(parts) for parts in (_parts()[:1], _parts()[parts_of(split)]))
        return seen_among(images[train], images[other], drawn)

    def draw(self, stream: Stream, batch_size: int) -> Batch:
        pixels, labels, bounds = _tensors(self.order, stream.seeds.device)
        first, size = bounds[part_number(stream)].unbind(-1)  # each [1 or runs, 1]
        if stream.split == "train":
            place = stream.integers(size, batch_size)
        else:
            step = torch.as_tensor(stream.step, device=stream.seeds.device).reshape(-1, 1)
            place = (step * STRIDE + torch.arange(batch_size, device=stream.seeds.device)) % size
        image = (first + place).expand(len(stream.seeds), -1)  # [runs, batch]
        inputs = torch.zeros(self.sequence_length, *image.shape, 1, device=image.device)
        inputs[:PIXELS, ..., 0] = pixels[:, image]
        return Batch(inputs, labels[image][None])

    def shown(self, batch: Batch) -> list[Item]:
        """Return the class, which is there in full with the last pixel."""
        target = batch.targets[0]
        return [Item("digit", target, torch.full_like(target, PIXELS - 1), CLASSES)]

    def metrics(
        self, outputs: Float[Tensor, "steps runs batch outputs"], batch: Batch
    ) -> dict[str, Float[Tensor, "runs"]]:
        """Measure ``loss`` (cross-entropy) and ``accuracy``."""
        return {
            "loss": over_steps_and_batch(self.losses(outputs, batch.targets)),
            "accuracy": over_steps_and_batch((outputs.argmax(-1) == batch.targets).float()),
        }

    def chance(self) -> dict[str, float]:
        """Return the levels of the class frequencies of the training part as the answer, which needs no image.

        Scored on each image of the evaluation part once: cross-entropy, and the share of the class that is most
        frequent in training (the first of equals).
        """
        labels = _load()[1]
        train, held = (np.bincount(labels[part], minlength=CLASSES) for part in _parts()[:2])
        loss = -math.fsum(n * math.log(k) for n, k in zip(held / held.sum(), train / train.sum(), strict=True))
        return {"loss": loss, "accuracy": float(held[train.argmax()] / held.sum())}

    def solved(self, metrics: Mapping[str, Float[Tensor, "runs"]]) -> Bool[Tensor, "runs"]:
        return metrics["accuracy"] >= 0.9


@functools.lru_cache(maxsize=64)
def _permuted(seed: int) -> tuple[int, ...]:
    """Return the order of pixels that a seed means."""
    keys = Stream(torch.tensor([seed]), "train", 0).uniform(PIXELS, dtype=torch.float64)
    return tuple(keys[0].argsort(stable=True).tolist())


@functools.cache
def _load() -> tuple[np.ndarray, np.ndarray]:
    """Return brightness [1797, 64] in [0, 1] and class [1797], in scikit-learn's order."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return (pixels / 16).astype(np.float32), labels.astype(np.int64)


@functools.cache
def _parts() -> tuple[np.ndarray, ...]:
    """Return the numbers of the images of each part: the first of each class, the second of each class, and so on."""
    labels = _load()[1]
    rank = np.zeros(len(labels), dtype=np.int64)
    for label in range(CLASSES):
        rank[labels == label] = np.arange((labels == label).sum())
    dealt, order = np.array(DEALT)[rank % len(DEALT)], np.lexsort((labels, rank))
    return tuple(order[dealt[order] == part] for part in range(PARTS))


@functools.lru_cache(maxsize=64)
def _tensors(
    order: tuple[int, ...], device: torch.device
) -> tuple[Float[Tensor, "pixels images"], Int[Tensor, "images"], Int[Tensor, "parts 2"]]:
    """Return pixels by step, classes, and first image and size of each part; images are sorted by part."""
    pixels, labels = _load()
    images = np.concatenate(_parts())
    sizes = np.array([len(part) for part in _parts()])
    shown = torch.from_numpy(pixels[images].T[list(order)].copy())
    bounds = torch.from_numpy(np.stack([sizes.cumsum() - sizes, sizes], 1))
    return shown.to(device), torch.from_numpy(labels[images]).to(device), bounds.to(device)
