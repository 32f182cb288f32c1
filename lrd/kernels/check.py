"""The check of a kernel: its largest errors against float64 on small packs, and whether rounding explains them.

It needs torch and numpy alone and takes a fraction of a second, so that a kernel that is compiled on the machine of
whoever trains can be held to it there (``lrd.training.kernel_trust``, ``lrd doctor``).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from lrd.cells import Cell
from lrd.kernels.float64_reference import SmallPack, reference, small_packs
from lrd.kernels.norms import GradientNorms
from lrd.kernels.table import Kernel
from lrd.one_line import one_line
from lrd.shapes import Tensor

# The largest relative error of rounding to a format.
_FLOAT32, _FLOAT64 = 2.0**-24, 2.0**-53
#: That of the factors of matrix products, by ``training.precision``.
FACTORS = {"float32": _FLOAT32, "tf32": 2.0**-11, "bfloat16": 2.0**-8, "float64": _FLOAT64}
_OPERATIONS = 10  # on each number of a step, besides its sum of products: a gate, its slope, sums with others


@dataclass(frozen=True)
class Error:
    """The largest error of a kernel in one respect.

    Attributes:
        size: Of values and gradients, over the largest entry of the same run's tensor; of each norm, over itself.
            Infinite where a number is missing or nan.
        allowed: The size that rounding explains (see ``allowed``).
        where: What it is the error of, and in which pack.
    """

    size: float
    allowed: float
    where: str

    @property
    def is_wrong(self) -> bool:
        """Whether rounding does not explain it."""
        return not self.size <= self.allowed


@dataclass(frozen=True)
class Check:
    """What came of checking a kernel: its largest errors, or why it could not be run.

    Attributes:
        forward: Of h and the last state.
        backward: Of the gradients of parameters, first state and inputs.
        norms: Of the norms that the backward pass gives; None: it gives none.
        raised: The error that ended the check, in one line; else empty.
    """

    forward: Error | None = None
    backward: Error | None = None
    norms: Error | None = None
    raised: str = ""

    @classmethod
    def of_error(cls, error: Exception) -> Check:
        """Return the check of a kernel that could not be run."""
        return cls(raised=one_line(f"{type(error).__name__}: {error}", longest=300))

    def parts(self) -> dict[str, Error]:
        """Return the errors that there are, by ``forward``, ``backward`` and ``norms``."""
        named = {"forward": self.forward, "backward": self.backward, "norms": self.norms}
        return {part: error for part, error in named.items() if error is not None}

    @property
    def wrong(self) -> str:
        """What is wrong, in one line; empty where nothing is."""
        if self.raised:
            return f"it raises {self.raised}"
        return "; ".join(
            f"{part}: {error.where} is wrong by {error.size:.1e}, rounding explains {error.allowed:.1e}"
            for part, error in self.parts().items()
            if error.is_wrong
        )


def check_kernel(
    kernel: Kernel,
    cell: Cell,
    device: torch.device,
    precision: str = "float32",
    around: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Check:
    """Return how far a kernel is from float64 on small packs: forward, backward, norms; alone, in packs, with cuts.

    Args:
        kernel: The kernel.
        cell: A cell that it runs. Its number of units plays no part.
        device: Where it runs.
        precision: ``training.precision`` for which it is meant.
        around: Gives the context in which it runs, such as that in which products are rounded to bfloat16.

    Raises:
        Exception: Whatever a compiler, a driver or the kernel itself raises (``Check.of_error``).
    """
    scan: Callable[..., Any] = kernel.scan
    if kernel.takes_precision and precision == "bfloat16":
        scan = functools.partial(scan, precision=precision)
    found: dict[str, list[Error]] = {"forward": [], "backward": [], "norms": []}
    for pack in small_packs(cell, kernel.cuts):
        expected, norms = reference(pack)
        limit = allowed(pack, precision)
        for with_norms in _ways(kernel, pack):
            with around():
                got, got_norms = _run(scan, pack, device, precision, with_norms)
            if not pack.far:  # where float32 has no room for most gradients
                for name, error in _errors(got, expected).items():
                    part = "backward" if name.startswith("d ") else "forward"
                    found[part].append(Error(error, limit, f"{name} ({pack.name})"))
            for variable, log10 in norms.items() if with_norms else ():
                error = _norm_error(got_norms.get(variable), log10)
                found["norms"].append(Error(error, limit, f"the norm of dL/d{variable} ({pack.name})"))
    return Check(_largest(found["forward"]), _largest(found["backward"]), _largest(found["norms"]))


def allowed(pack: SmallPack, precision: str) -> float:
    """Return the relative error that rounding explains.

    A number goes through at most T steps forward and T back. In each it is a sum of ``hidden + inputs`` products, and
    passes some operations more; each of these may add one relative error of the format of sums, u. Both factors of a
    product, and by some libraries the product, are rounded to the format of factors, u'. A parameter's gradient is a
    sum over T steps and B samples more. Errors of one step do not grow in the next ones, since W is a contraction in
    these packs. To first order:

        2 T (hidden + inputs + 10) u  +  6 T u'  +  T B u.

    The bound takes all errors to have one sign; those of a kernel that is right are several times smaller. One that is
    wrong, by a sign, a step or a sample, has errors of the order of 1.

    Args:
        pack: The pack.
        precision: ``training.precision``.
    """
    time, _, batch, inputs = pack.inputs.shape
    sums = _FLOAT64 if precision == "float64" else _FLOAT32
    terms = 2 * time * (pack.cell.hidden_size + inputs + _OPERATIONS) + time * batch
    return terms * sums + 6 * time * FACTORS[precision]


def _ways(kernel: Kernel, pack: SmallPack) -> tuple[bool, ...]:
    """Return with and without norms a pack is run: both where gradients are plain ones, since programs may differ."""
    if not kernel.norms:
        return (False,)
    return (True,) if pack.far or pack.keep is not None or pack.first == len(pack.inputs) else (False, True)


def _run(
    scan: Callable[..., Any], pack: SmallPack, device: torch.device, precision: str, with_norms: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return what a kernel makes of a pack: results by name, and log10 of norms by state variable."""
    leaves = params, x, state = pack.leaves(device, torch.float64 if precision == "float64" else torch.float32)
    norms = GradientNorms() if with_norms else None
    options: dict[str, object] = {} if norms is None else {"norms": norms}
    if pack.keep is not None:
        options["keep"] = pack.keep.to(x)
    h, last = scan(pack.cell, params, x, state, pack.first, **options)
    values, _ = pack.results(leaves, h, last)
    return _home(values), {} if norms is None else _home(norms.log10())


def _home(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.cpu().double() for name, value in values.items()}


def _errors(got: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, float]:
    """Return the largest error of each result, over the largest entry of it in the same run."""
    errors = {}
    for name, value in expected.items():
        if name not in got or got[name].shape != value.shape:
            errors[name] = math.inf
            continue
        runs = len(value)
        difference, size = ((x.reshape(runs, -1).abs()) for x in (got[name] - value, value))
        worst = 0.0
        for off, largest in zip(difference, size, strict=True):
            if off.numel():
                worst = max(worst, _ratio(float(off.max()), float(largest.max())))
        errors[name] = worst
    return errors


def _norm_error(got: Tensor | None, expected: Tensor) -> float:
    """Return the largest relative error of any norm, from logarithms to base 10; of zeros, which are -inf, 0."""
    if got is None or got.shape != expected.shape:
        return math.inf
    off = torch.where(got == expected, 0, (got - expected).abs()) * math.log(10)
    return _ratio(float(torch.expm1(off).max()), 1.0)


def _ratio(off: float, largest: float) -> float:
    if off == 0:
        return 0.0
    return off / largest if math.isfinite(off) and largest > 0 else math.inf


def _largest(errors: Sequence[Error]) -> Error | None:
    """Return the error that is furthest beyond what rounding explains, or nearest to it; None where there is none."""
    return max(errors, key=lambda error: error.size / error.allowed, default=None)
