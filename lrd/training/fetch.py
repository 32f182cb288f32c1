"""Copies from the device to the host: one for whatever is wanted at one moment, with one wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from lrd.shapes import Num, Tensor


def fetched(values: Mapping[str, Num[Tensor, "runs"]]) -> dict[str, list[float]]:
    """Return each tensor as a list of numbers, one a run; all must have as many runs."""
    if not values:
        return {}
    table = torch.stack([value.double() for value in values.values()])  # exact for float32, and for whole numbers
    table = copied(table) if table.is_cuda else table
    return dict(zip(values, table.tolist(), strict=True))


def copied(values: Any) -> Any:
    """Return nested dicts and lists with every tensor in them copied to the host; all must be on one device."""
    streams: dict[torch.device, Any] = {}

    def copy(tensor: Tensor) -> Tensor:
        tensor = tensor.detach()
        if not tensor.is_cuda:
            return tensor.to("cpu", copy=True)
        # Into memory that the GPU can write to by itself; the host then waits for this copy, and for nothing after it.
        streams[tensor.device] = torch.cuda.current_stream(tensor.device)
        return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)

    found = tree_map_only(Tensor, copy, values)
    for stream in streams.values():
        stream.record_event().synchronize()
    return found


def by_run(values: Any, runs: int) -> list[Any]:
    """Return one nested dict a run from nested dicts of tensors [runs, ...]; tensors [runs] become plain numbers."""

    def of(run: int) -> Any:
        return tree_map_only(Tensor, lambda tensor: tensor[run] if tensor.ndim > 1 else tensor[run].item(), values)

    return [of(run) for run in range(runs)]
