"""Numbers of all runs from the device to the host: one copy for a whole row of metrics, and one wait."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from lrd.shapes import Num, Tensor


def fetched(values: Mapping[str, Num[Tensor, "runs"]]) -> dict[str, list[float]]:
    """Each of them as a list of numbers, one a run; all must be of as many runs."""
    if not values:
        return {}
    table = torch.stack([value.double() for value in values.values()])  # exact for float32, and for whole numbers
    if table.is_cuda:
        # Into memory that the GPU can write to by itself; the host then waits for this copy, and for nothing after it.
        here = torch.empty(table.shape, dtype=table.dtype, pin_memory=True)
        here.copy_(table, non_blocking=True)
        torch.cuda.current_stream(table.device).record_event().synchronize()
        table = here
    return dict(zip(values, table.tolist(), strict=True))
