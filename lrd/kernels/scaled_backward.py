"""The backward pass of a packed loop with scaled gradients (``lrd.scaled``), which gives the norm at every step.

A sample's gradient is a mantissa near 1 and a power of two, so that nothing is lost however far it vanishes or explodes
from step to step. Several steps are taken with one power while that is safe, as it nearly always is; where numbers come
near the ends of float32, the same steps are taken again, fewer at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from lrd import scaled
from lrd.shapes import Float, Int, Tensor

#: Steps at most that are taken with one power a sample. On a GPU one: Python cannot see there whether more are safe.
STEPS = 32
# Gradients whose exponent lies between these are left as they are: nothing then needs to be multiplied. Others are
# brought to the target, near the upper end of what is safe, since most gradients vanish.
_UNTOUCHED, _TARGET = (-10, 50), 30
# Powers of two. While norms stay within 2^-45 ... 2^60, the squares of all entries down to 1/100 of the largest are
# normal float32 numbers, which lie between 2^-126 and 2^128: a norm has lost nothing that float32 could show.
_SAFE = (-45, 60)

State = list[Tensor]
#: ``steps(low, high, arriving, direct) -> (arriving, totals)`` takes gradients from step high back to step low.
Steps = Callable[[int, int, State, Tensor], tuple[State, State]]


def scaled_backward(
    steps: Steps,
    time: int,
    first: int,
    direct: Float[Tensor, "runs steps batch hidden"],
    arriving: State,
    deltas: Float[Tensor, "runs time batch rows"],
) -> tuple[State, list[Float[Tensor, "runs time batch"]], Int[Tensor, "runs time batch"]]:
    """Go back from the last step to step 0.

    Args:
        steps: takes some steps back. It writes into ``deltas`` and returns what arrives before them, and the total
            gradients [runs, high - low, batch, size] of each state variable.
        time: how many steps there are.
        first: the first step that gets a gradient from outside.
        direct: the gradient of h from outside, of the steps from ``first`` on.
        arriving: the gradient of each variable of the last state.
        deltas: where ``steps`` writes the gradients of the pre-activations; the samples' powers are multiplied in here.

    Returns:
        The gradients that arrive before step 0, and the norm of each state variable's gradient at every step as a float
        and a power of two, which the variables share.
    """
    runs, _, batch, _ = deltas.shape
    synchronise = scaled.may_synchronise(deltas)
    power = torch.zeros(runs, batch, dtype=torch.int32, device=deltas.device)
    direct_exponent = scaled.exponent(direct)
    norms: list[list[Tensor]] = []
    powers: list[Tensor] = []
    high, most = time, STEPS if synchronise else 1
    while high > 0:
        # The power of steps low ... high - 1: that of the largest gradient that goes into them, if it is far from 1.
        low = max(0, high - most)
        scored = slice(max(0, low - first), max(0, high - first))
        outside = torch.full_like(power, scaled.OF_ZERO)
        if scored.stop > scored.start:
            outside = direct_exponent[:, scored].amax(1)
        largest = torch.stack([power + scaled.exponent(g) for g in arriving] + [outside]).amax(0)
        # Zeros have OF_ZERO plus the sample's power here: half of OF_ZERO lies above that, and below all true powers.
        is_any = largest > scaled.OF_ZERO // 2
        is_far = (largest < _UNTOUCHED[0]) | (largest > _UNTOUCHED[1])
        common = torch.where(is_any & is_far, largest - _TARGET, 0)
        # Take the steps, with gradients in units of 2^common.
        change = power - common
        must_scale = bool(change.any() or common.any()) if synchronise else True
        into = [scaled.ldexp(g, change) for g in arriving] if must_scale else arriving
        outer = direct[:, scored]
        after, totals = steps(low, high, into, scaled.ldexp(outer, -common[:, None]) if must_scale else outer)
        found = [_norm(total, any_size=high - low == 1) for total in totals]
        # Take them again, fewer at a time, if a gradient came near the ends of float32 (_is_lost).
        if high - low > 1 and _is_lost(found, is_any):
            most = max(1, (high - low) // 4)
            continue
        most = min(2 * most, STEPS) if synchronise else 1
        # What leaves this loop is in units of 1.
        if must_scale:
            after = [g.clone() for g in after]  # which may lie in deltas
            if not synchronise or common.any():
                scaled.ldexp_(deltas[:, low:high], common[:, None])
        norms.append(found)
        powers.append(common[:, None].expand(-1, high - low, -1))
        arriving, power, high = after, common, low
    if not synchronise or power.any():
        arriving = [scaled.ldexp(g, power) for g in arriving]
    by_variable = [torch.cat(parts[::-1], dim=1) for parts in zip(*norms, strict=True)]
    return arriving, by_variable, torch.cat(powers[::-1], dim=1)


def _norm(x: Float[Tensor, "*shape size"], any_size: bool) -> Float[Tensor, "*shape"]:
    """Return the norm, rounded as in the precision of x; in float64 if of ``any_size``, else its square must fit."""
    if any_size:
        power = scaled.exponent(x).clamp(-1000, 1023)
        return _norm(scaled.ldexp(x, -power), any_size=False).double() * scaled.two_to(power, torch.float64)
    norm: Tensor = torch.linalg.vector_norm(x, dim=-1)
    return norm


def _is_lost(norms: Sequence[Float[Tensor, "runs steps batch"]], is_any: Tensor) -> bool:
    """Return whether a sample's gradient came near the ends of float32, or is 0 where it need not be."""
    ends = [torch.aminmax(norm) for norm in norms]
    if all(low >= 2.0 ** _SAFE[0] and high < 2.0 ** _SAFE[1] for low, high in ends):
        return False
    largest = torch.stack(list(norms)).amax(0)
    lost = (largest < 2.0 ** _SAFE[0]) | ~(largest < 2.0 ** _SAFE[1])
    return bool((lost & is_any[:, None]).any())
