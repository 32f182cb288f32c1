"""The backward pass of one cell over a whole sequence, step by step, and the norms of its gradients.

Gradients are scaled vectors (``lrd.scaled``), normalised before each step back, so that log10 norms of -5000 or +5000
are as exact as those near 0.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping

import torch

from lrd.cells import State
from lrd.gradients.adjoint import Adjoint
from lrd.scaled import LOG10_2, Scaled, add, log10_norm, normalise
from lrd.shapes import Float, Int, Tensor

#: What h_t gets from outside, by step: from the readout or, as scaled vectors, from the layer above.
IntoH = Mapping[int, Tensor | Scaled]
#: What is called at each step of a backward pass: with its number, the gradients that arrive there and their power.
Seen = Callable[[int, State, Tensor], None]
# Gradients of a vanilla RNN are held for so many steps, larger ones for fewer, so that one call takes the norm of many.
_HELD_STEPS = 32


def backward_pass(
    tape: Adjoint, into_h: IntoH, cuts: Container[int] = ()
) -> Iterator[tuple[int, State, State, Int[Tensor, "runs batch"]]]:
    """Go back step by step from the last step that gets a gradient to step 0.

    Args:
        tape: the adjoint of the cell: its states, and how a gradient is pulled through one step.
        into_h: what h_t gets from outside, by step.
        cuts: the steps from which nothing goes back further.

    Yields:
        ``(t, arriving, total, power)``. ``arriving``: the gradients that arrive at the variables of step t from later
        steps and from outside; ``total``: dL/d(variable), which counts also what c_t does through h_t; both are
        mantissas, times ``2**power``.
    """
    grads = tape.zero_gradients()
    power = torch.zeros(grads[0].shape[:2], dtype=torch.int64, device=grads[0].device)
    for t in range(max(into_h), -1, -1):
        # At every step: a saturated unit or a small weight takes hundreds of orders of magnitude at once.
        grads, power = normalise(grads, power)
        if t in into_h:
            grads, power = add(grads, power, into_h[t])
        total, before = tape.pull(t, grads)
        yield t, grads, total, power
        grads = tape.zero_gradients() if t in cuts else before


def total_norms(
    tape: Adjoint,
    into_h: IntoH,
    cuts: Container[int] = (),
    seen: Seen | None = None,
) -> list[Float[Tensor, "time runs batch"]]:
    """Return log10 of the norm of dL/d(state variable), of each variable, from step 0 to the last one in ``into_h``.

    Args:
        tape: as for ``backward_pass``.
        into_h: as for ``backward_pass``.
        cuts: as for ``backward_pass``.
        seen: called at each step with t, the gradients that arrive there and their power.
    """
    zeros = tape.zero_gradients()
    held_steps = max(1, _HELD_STEPS * zeros[0].shape[-1] // sum(zero.shape[-1] for zero in zeros))
    norms_backwards: list[list[Tensor]] = [[] for _ in zeros]  # by variable: norms of a few steps each, last step first
    held: list[list[Tensor]] = [[] for _ in zeros]  # by variable: gradients of the latest steps, without their powers
    powers = []
    for t, arriving, total, power in backward_pass(tape, into_h, cuts):
        if seen is not None:
            seen(t, arriving, power)
        powers.append(power)
        for gradients, gradient in zip(held, total, strict=True):
            gradients.append(gradient)
        if len(held[0]) == held_steps or t == 0:
            for norms, gradients in zip(norms_backwards, held, strict=True):
                norms.append(log10_norm(torch.stack(gradients)))
                gradients.clear()
    log10_of_powers = torch.stack(powers[::-1]).double() * LOG10_2  # int64 * float would be float32
    return [torch.cat(norms).flip(0) + log10_of_powers for norms in norms_backwards]
