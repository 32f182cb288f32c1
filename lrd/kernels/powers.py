"""Gradients as a vector and a power of two: what packed loops need to take norms that no float32 holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from lrd.shapes import Float, Int, Tensor

#: Steps at most that are taken with one power a sample. On a GPU one: there nobody can look whether more are safe.
STEPS = 32
# Exponents of gradients that are let be: nothing then needs to be multiplied. Others are brought home, near the upper
# end of what is safe, since most gradients vanish.
_LET_BE, _HOME = (-10, 50), 30
# Norms of a few steps that stay within these powers have lost nothing: nor have their squares, down to a hundredth of
# the largest entry, to the ends of float32, 2^-126 and 2^128.
_SAFE = (-45, 60)
_NONE = -(2**30)  # the exponent of 0

State = list[Tensor]
#: ``steps(low, high, arriving, direct) -> (arriving, totals)`` takes gradients from step high back to step low.
Steps = Callable[[int, int, State, Tensor], tuple[State, State]]


def may_look(x: Tensor) -> bool:
    """Whether the host may look at numbers, which a GPU would have to wait for."""
    return x.is_cpu


def exponent(x: Float[Tensor, "*shape size"]) -> Int[Tensor, "*shape"]:
    """p of the largest entry's size m 2^p, m in [0.5, 1), of each vector; very small for zeros."""
    largest = x.abs().amax(-1)
    return torch.where(largest > 0, torch.frexp(largest).exponent, _NONE)


def shifted(x: Float[Tensor, "*shape size"], power: Int[Tensor, "*#shape"]) -> Float[Tensor, "*shape size"]:
    """x 2^power, each vector by its own."""
    if may_look(x) and x.numel() == 0:
        return x
    first, *second = _factors(power, x.dtype)
    return _times(x * first, second)


def shift_(x: Float[Tensor, "*shape size"], power: Int[Tensor, "*#shape"]) -> Float[Tensor, "*shape size"]:
    """The same in place."""
    return _times(x, _factors(power, x.dtype))


def _times(x: Float[Tensor, "*shape size"], factors: Sequence[Tensor]) -> Float[Tensor, "*shape size"]:
    """x times each of the factors, in place."""
    for factor in factors:
        x.mul_(factor)
    return x


def _factors(power: Int[Tensor, "*shape"], dtype: torch.dtype) -> list[Float[Tensor, "*shape 1"]]:
    """Of 2^power: one, or two where it may be no normal number of the precision."""
    if may_look(power) and int(power.abs().amax()) < 126:
        return [_two_to(power, dtype)[..., None]]
    half = power >> 1
    least, most = (-1022, 1023) if dtype == torch.float64 else (-126, 127)
    return [_two_to(part.clamp(least, most), dtype)[..., None] for part in (half, power - half)]


def _two_to(power: Int[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
    """2^power, a normal number, by its bits: exact, wherever in a tensor it stands."""
    if dtype == torch.float64:
        return (power.long() + 1023 << 52).view(dtype)
    return (power.int() + 127 << 23).view(dtype)


def way_back(
    steps: Steps,
    time: int,
    first: int,
    direct: Float[Tensor, "runs steps batch hidden"],
    arriving: State,
    deltas: Float[Tensor, "runs time batch rows"],
) -> tuple[State, list[Float[Tensor, "runs time batch"]], Int[Tensor, "runs time batch"]]:
    """From the last step to step 0; gives what arrives before it, each variable's norms, and their powers of two.

    ``direct``: what steps from ``first`` on get from outside; ``arriving``: what the last state gets. ``steps`` writes
    into ``deltas``, the pre-activation gradients, whose own powers are put in here, and gives the total gradients
    [runs, high - low, batch, size] of each state variable.
    """
    runs, _, batch, _ = deltas.shape
    power = torch.zeros(runs, batch, dtype=torch.int32, device=deltas.device)
    of_direct = exponent(direct)
    norms: list[list[Tensor]] = []
    powers: list[Tensor] = []
    high, most = time, STEPS if may_look(deltas) else 1
    while high > 0:
        low = max(0, high - most)
        scored = slice(max(0, low - first), max(0, high - first))
        outside = of_direct[:, scored].amax(1) if scored.stop > scored.start else torch.full_like(power, _NONE)
        common = torch.stack([power + exponent(g) for g in arriving] + [outside]).amax(0)
        is_any = common > _NONE // 2
        away = (common < _LET_BE[0]) | (common > _LET_BE[1])
        common = torch.where(is_any & away, common - _HOME, 0)
        by = power - common
        shift = bool(by.any() or common.any()) if may_look(deltas) else True
        mine = [shifted(g, by) for g in arriving] if shift else arriving
        outer = direct[:, scored]
        after, totals = steps(low, high, mine, shifted(outer, -common[:, None]) if shift else outer)
        found = [_norm(total, any_size=high - low == 1) for total in totals]
        if high - low > 1 and _is_lost(found, is_any):
            most = max(1, (high - low) // 4)
            continue
        most = min(2 * most, STEPS) if may_look(deltas) else 1
        if shift:
            after = [g.clone() for g in after]  # which may lie in deltas
            if not may_look(deltas) or common.any():
                shift_(deltas[:, low:high], common[:, None])
        norms.append(found)
        powers.append(common[:, None].expand(-1, high - low, -1))
        arriving, power, high = after, common, low
    if power.any() if may_look(deltas) else True:
        arriving = [shifted(g, power) for g in arriving]
    by_variable = [torch.cat(parts[::-1], dim=1) for parts in zip(*norms, strict=True)]
    return arriving, by_variable, torch.cat(powers[::-1], dim=1)


def _norm(x: Float[Tensor, "*shape size"], any_size: bool) -> Float[Tensor, "*shape"]:
    """Rounded as in x's precision, in float64 if of ``any_size``; else squares must lie within that."""
    if any_size:
        power = exponent(x).clamp(-1000, 1023)
        return _norm(shifted(x, -power), any_size=False).double() * _two_to(power, torch.float64)
    norm: Tensor = torch.linalg.vector_norm(x, dim=-1)
    return norm


def _is_lost(norms: Sequence[Float[Tensor, "runs steps batch"]], is_any: Tensor) -> bool:
    """Whether a sample's gradient came near the ends of float32, or is 0 where it need not be."""
    ends = [torch.aminmax(norm) for norm in norms]
    if all(low >= 2.0 ** _SAFE[0] and high < 2.0 ** _SAFE[1] for low, high in ends):
        return False
    largest = torch.stack(list(norms)).amax(0)
    lost = (largest < 2.0 ** _SAFE[0]) | ~(largest < 2.0 ** _SAFE[1])
    return bool((lost & is_any[:, None]).any())
