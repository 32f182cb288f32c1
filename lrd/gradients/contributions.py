"""Contributions of single time steps to the gradient of each parameter.

dL/dtheta = sum over t of (dL/ds_t) (d+ s_t / d theta), where d+ is the immediate partial derivative, in which the state
before t counts as constant (Pascanu, Mikolov & Bengio 2013, eqs. 3-5); L is the loss of one answer of one sample, as in
``lrd.gradients.flow``.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch

from lrd.cells import Part
from lrd.gradients.adjoint import Adjoint, Partials
from lrd.gradients.backward_pass import IntoH, Seen, backward_pass
from lrd.gradients.network import NetworkTapes
from lrd.scaled import LOG10_2, ldexp, log10_norm
from lrd.shapes import Float, Int, Tensor

_ABSENT = -(2**20)  # the power of a step that a sample does not have


@dataclass(frozen=True)
class Contributions:
    """The contribution of each step to the gradient of one parameter, in rows whose lags fall by 1 from the largest.

    They fall to 0; where an answer hears of later steps, further. Lags count steps in the order in which the part of
    the network reads. ``immediate`` [lags, runs, batch]: log10 norm, nan where a sample has no such step. The
    contribution itself is ``left right^T`` (or ``left``) times ``2**power``.
    """

    lags: list[int]

    immediate: Float[Tensor, "lags runs batch"]
    left: Float[Tensor, "lags runs batch rows"]
    right: Float[Tensor, "lags runs batch columns"] | None
    power: Int[Tensor, "lags runs batch"]

    def of_run(self, run: int) -> Contributions:
        """Return the contributions of one run, in the rows that some sample of it has: whatever its companions are."""
        there = (self.power[:, run] != _ABSENT).any(-1).nonzero()[:, 0]
        rows = slice(int(there[0]), int(there[-1]) + 1)
        left, power, immediate = (v[rows, run : run + 1] for v in (self.left, self.power, self.immediate))
        right = None if self.right is None else self.right[rows, run : run + 1]
        return Contributions(self.lags[rows], immediate, left, right, power)

    def beyond(self, run: int, lags: list[int]) -> Float[Tensor, "lags batch"]:
        """Return log10 of the norm of the sum over steps further back than each lag, over that of the whole sum."""
        first, rows = self.lags[0], len(self.lags)
        edges = sorted({0, rows, *(first - lag for lag in lags)})
        total: Tensor | None = None
        power = torch.zeros_like(self.power[0, run])
        norms: dict[int, Tensor] = {}
        for start, stop in itertools.pairwise(edges):
            # The steps between two lags, with one power for all of them ...
            powers = self.power[start:stop, run]
            largest = powers.amax(0)
            left = ldexp(self.left[start:stop, run], powers - largest)
            if self.right is None:
                added = left.sum(0)
            else:
                added = torch.einsum("tbi,tbj->bij", left, self.right[start:stop, run]).flatten(1)
            # ... and those before them.
            if total is None:
                total, power = added, largest
            else:
                common = torch.maximum(power, largest)
                total = ldexp(total, power - common) + ldexp(added, largest - common)
                power = common
            norms[stop] = log10_norm(total) + power.double() * LOG10_2
        whole = norms[rows]
        found = [norms[first - lag] - whole for lag in lags]
        return torch.stack(found) if found else whole.new_empty(0, *whole.shape)


def contributions(
    tape: Adjoint,
    into_h: IntoH,
    last: Int[Tensor, "runs batch"],
    until: Int[Tensor, "runs batch"] | None = None,
    seen: Seen | None = None,
) -> dict[str, Contributions]:
    """Return the contributions of every step to the gradient of each of the cell's parameters, by name.

    Args:
        tape: the states, and the backward pass of a step.
        into_h: what h_t gets from the readout or the layer above, by step.
        last: each sample's answer step, which lags are counted from.
        until: the last step of each sample that some answer hears of; None: that of the last answer.
        seen: called at each step with t, the gradients that arrive there and their power.
    """
    kept: list[tuple[Partials, Tensor]] = []
    for t, arriving, _, power in backward_pass(tape, into_h):
        if seen is not None:
            seen(t, arriving, power)
        kept.append((tape.partials(t, arriving), power))
    kept.reverse()
    latest = int(last.max())
    until = last if until is None else until
    lags = torch.arange(latest, int((last - until).min()) - 1, -1, device=last.device)
    step = last - lags[:, None, None]
    there = (step >= 0) & (step <= until)
    step = step.clamp(0, len(kept) - 1)
    powers = torch.stack([power for _, power in kept]).gather(0, step).masked_fill(~there, _ABSENT)
    found: dict[str, Contributions] = {}
    for name in kept[0][0]:
        left = _aligned([partials[name][0] for partials, _ in kept], step) * there[..., None]
        rights = [right for partials, _ in kept if (right := partials[name][1]) is not None]
        right = _aligned(rights, step) if rights else None
        norm = log10_norm(left)
        if right is not None:  # the norm of an outer product is that of its factors
            norm = norm + log10_norm(right)
        norm = norm + powers.double() * LOG10_2
        found[name] = Contributions(lags.tolist(), torch.where(there, norm, torch.nan), left, right, powers)
    return found


def contributions_of_parts(
    tapes: NetworkTapes, into_h: IntoH, steps: Int[Tensor, "answers runs batch"]
) -> dict[Part, dict[str, Contributions]]:
    """Return the contributions to the gradient of the parameters of each part of the networks.

    Args:
        tapes: the networks along their sequences.
        into_h: what the h that the readout sees get from it, by step.
        steps: each sample's answer steps; lags are counted from the last of them.
    """
    found: dict[Part, dict[str, Contributions]] = {}
    both = any(part.is_backward for part in tapes.parts)

    def of_part(part: Part, into: IntoH, seen: Seen | None) -> None:
        last, until = tapes.order(part, steps.amax(0)), tapes.order(part, steps).amax(0)
        if both and part.layer < tapes.parts[-1].layer:  # which the parts above read in both directions
            until = torch.full_like(last, len(tapes.h) - 1)
        found[part] = contributions(tapes.tapes[part], into, last, until, seen)

    tapes.backward(into_h, of_part)
    return {part: found[part] for part in tapes.parts}


def _aligned(
    values: list[Float[Tensor, "runs batch size"]], step: Int[Tensor, "lags runs batch"]
) -> Float[Tensor, "lags runs batch size"]:
    """Return each sample's values at its own ``step``."""
    stacked = torch.stack(values)
    return stacked.gather(0, step[..., None].expand(-1, -1, -1, stacked.shape[-1]))
