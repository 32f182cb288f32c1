"""Random words without state: every number is a pure function of (seed, split, step, place).

A batch can be drawn again at any time, on any device, in any pack, bit for bit: nothing is remembered between draws.
The 64-bit counter ``split | step | place`` is unique to one word, and the mixing is a bijection for each seed, so no
two splits or steps of one run ever share a counter: the random words of training, evaluation, test and probes are
disjoint by construction. The sequences that tasks make of them are disjoint only where there are so many that none
comes again; ``lrd.tasks.overlap`` says how many of them training has shown.

Mixer: SplitMix64's finaliser (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", with
Stafford's mix 13), applied twice since our counters are structured where theirs are not. Integer arithmetic modulo
2**64 is the same on every device, in torch and in the machine code that a CPU has of it (``lrd.tasks.words_on_cpu``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from lrd.shapes import Float, Int, Tensor
from lrd.tasks import words_on_cpu

SPLITS = {"train": 0, "eval": 1, "test": 2, "probe": 3}
MAX_STEP = 2**30
#: Where a step's places for something else than data begin and end, by its name; no two of them meet. A batch of data,
#: which ends where they begin, would need 16 GiB of words a run to get there.
ASIDES = {
    "h_detach": (2**31, 2**31 + 2**29),
    "dropout": (2**31 + 2**29, 3 * 2**30),
    "gradient_noise": (3 * 2**30, 2**32),
}
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64  # as a signed 64-bit integer, like all below
_MIX_1 = 0xBF58476D1CE4E5B9 - 2**64
_MIX_2 = 0x94D049BB133111EB - 2**64


def _shift_xor(z: Int[Tensor, "*shape"], bits: int) -> Int[Tensor, "*shape"]:
    # torch shifts int64 arithmetically; the mask makes it the logical shift that the mixer is defined by.
    return (z >> bits).bitwise_and_(2 ** (64 - bits) - 1).bitwise_xor_(z)


def _mix(z: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    z = _shift_xor(z, 30).mul_(_MIX_1)
    z = _shift_xor(z, 27).mul_(_MIX_2)
    return _shift_xor(z, 31)


@dataclass
class Stream:
    """The random words of one step of one split, for every run of a pack. Each draw takes the next places.

    Attributes:
        seeds: name the runs; what a run draws does not depend on its companions.
        split: train, eval, test or probe.
        step: of the split, 0..``MAX_STEP``-1; one for all runs, or one of each.
        aside: what the words are for, one of ``ASIDES``; None: data. None of them ever draws the words of another.
    """

    seeds: Int[Tensor, "runs"]
    split: str
    step: int | Int[Tensor, "runs"]
    aside: str | None = None

    def __post_init__(self) -> None:
        # A later step would run into the next split's counters.
        if isinstance(self.step, int) and not 0 <= self.step < MAX_STEP:
            raise ValueError(f"step must be >= 0 and < {MAX_STEP}, got {self.step}")
        self._start = (SPLITS[self.split] << 62) - (2**64 if SPLITS[self.split] >= 2 else 0) + self.step * 2**32
        self._place, self._end = ASIDES[self.aside] if self.aside else (0, min(ASIDES.values())[0])

    @property
    def _key(self) -> Int[Tensor, "runs 1"]:
        return _mix(_mix(self.seeds.to(torch.int64) * _GOLDEN + 1))[:, None]

    def _words(self, shape: tuple[int, ...]) -> Int[Tensor, "..."]:
        """Draw uniform 64-bit words [runs, *shape]."""
        on_cpu = words_on_cpu.words() if self.seeds.is_cpu else None
        if on_cpu is not None:
            return self._filled(on_cpu, torch.int64, shape)
        count = math.prod(shape)
        first = self._taken(count)
        place = torch.arange(first, first + count, device=self.seeds.device)
        start = self._start
        if isinstance(start, Tensor):
            start = start.to(place.device).reshape(-1, 1)
        counter = (place + start) * _GOLDEN + self._key
        return _mix(_mix(counter)).reshape(-1, *shape)

    def _filled(self, fill: Callable[..., None], dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        """Draw numbers [runs, *shape] by a function of ``words_on_cpu``."""
        count = math.prod(shape)
        first, runs = self._taken(count), len(self.seeds)
        start = torch.as_tensor(self._start, device=self.seeds.device).reshape(-1).expand(runs).contiguous()
        found = torch.empty(runs, count, dtype=dtype)
        fill(self.seeds.to(torch.int64).contiguous().numpy(), start.numpy(), first, found.numpy())
        return found.view(runs, *shape)

    def _taken(self, count: int) -> int:
        """Take the next places; return the first of them."""
        first = self._place
        if first + count > self._end:
            raise ValueError(f"a step has no more than {self._end - first} words left here, got {count}")
        self._place += count
        return first

    def uniform(self, *shape: int, dtype: torch.dtype = torch.float32) -> Float[Tensor, "..."]:
        """Draw numbers uniform in [0, 1), on the grid of 2**-24, which float32 holds exactly."""
        on_cpu = words_on_cpu.uniform() if self.seeds.is_cpu and dtype == torch.float32 else None
        if on_cpu is not None:
            return self._filled(on_cpu, dtype, shape)
        return ((self._words(shape) >> 40) & (2**24 - 1)).to(dtype) * 2.0**-24

    def sixteen_bits(self, *shape: int) -> Int[Tensor, "..."]:
        """Draw int16 uniform in [-2**15, 2**15), four of a word: for draws of so many numbers that they cost time."""
        count = math.prod(shape)
        bits: Tensor = self._words((-(-count // 4),)).view(torch.int16)
        return bits[:, :count].reshape(-1, *shape)

    def integers(self, below: int | Int[Tensor, "..."], *shape: int) -> Int[Tensor, "..."]:
        """Draw integers uniform in [0, below), with a bias less than ``below`` / 2**32.

        Args:
            below: may differ from place to place: any tensor that broadcasts to the shape.
            shape: of each run's numbers.
        """
        return (((self._words(shape) >> 32) & (2**32 - 1)) * below) >> 32

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32) -> Float[Tensor, "..."]:
        """Draw standard normal numbers, by Box-Muller in float64, rounded to float32."""
        # 1 - u lies in (0, 1], so that the logarithm is finite.
        radius = torch.sqrt(-2 * torch.log1p(-self.uniform(*shape, dtype=torch.float64)))
        angle = 2 * torch.pi * self.uniform(*shape, dtype=torch.float64)
        return (radius * torch.cos(angle)).to(dtype)
