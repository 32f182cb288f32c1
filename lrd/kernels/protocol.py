"""The kernel protocol: what a function must take and give to run the steps of a pack's cell over time."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from lrd.cells import Cell, Parameters, State
from lrd.shapes import Float, Tensor


@runtime_checkable  # tests check annotations as they run
class Scan(Protocol):
    """A kernel: the steps of one cell, over time, for all runs of a pack.

    Whatever kernel runs, the results are those of ``lrd.kernels.loop`` up to rounding, and what a run computes does not
    depend on its companions in the pack: on a CPU a run has the same last bit in every pack.

    Some kernels take further options by name. The table (``lrd.kernels.table.Kernel``) says which:

    * ``norms``: a ``GradientNorms`` that the backward pass fills with the norm of the gradient at every state;
    * ``keep`` [runs, time]: 0 at the steps at which the backward pass is cut in h, else 1 (h-detach);
    * ``precision``: the name of the precision of products with W.
    """

    def __call__(
        self,
        cell: Cell,
        params: Parameters,
        inputs: Float[Tensor, "time runs batch inputs"],
        state: State | None,
        first: int = 0,
        /,
    ) -> tuple[Float[Tensor, "steps runs batch hidden"], State]:
        """Run a cell over time.

        Args:
            cell: The cell that does the steps: ``Cell.stepped`` of the one that is trained.
            params: What its steps get, as ``lrd.cells.prepared`` gives it, each with a leading ``runs`` axis. They may
                hold more than the cell's own parameters, such as those of the readout.
            inputs: x_t of every step.
            state: State variables [runs, batch, size] before the first step; None: zeros.
            first: The first step, counted from 0, whose h is wanted. From 0 to ``time``, where none is.

        Returns:
            h of the steps from ``first`` on, so that ``steps`` is ``time - first``, and the state after the last step.
            Both carry gradients to ``params`` and ``state``, and to ``inputs`` where these require them: x_t of a
            layer is h of the layer below.
        """
        ...
