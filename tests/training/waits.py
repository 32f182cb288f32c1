"""What makes the host wait for a GPU, seen without one: operations whose result, or its shape, is read by the host."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

aten = torch.ops.aten
#: Operations that read a number, or a count of something, out of a tensor.
READ = {
    aten._local_scalar_dense.default,
    aten.is_nonzero.default,
    aten.equal.default,
    aten.nonzero.default,
    aten.masked_select.default,
    aten.repeat_interleave.Tensor,
    aten._unique2.default,
    aten.unique_consecutive.default,
    aten.bincount.default,
    aten.linalg_matrix_exp.default,  # chooses by the norm how many terms it takes
}
#: Data of the host made a tensor: ``torch.tensor`` of numbers, an index that is a list. A single number may be one that
#: a part of a tensor is set to, which go to a GPU along with the call; copies of single numbers are seen on ``meta``.
MADE = {aten.lift_fresh.default, aten.lift_fresh_copy.default}
BY_INDEX = {aten.index.Tensor, aten.index_put.default, aten.index_put_.default}  # a mask's ones are counted
#: All else takes a single number of the host along with its call.
COPIES = {aten._to_copy.default, aten.copy_.default, aten.where.self, aten.cat.default, aten.stack.default}
CPU = torch.device("cpu")


class WaitError(AssertionError):
    """The host would wait."""


class NoWaits(TorchDispatchMode):
    """Refuses them; and on ``meta``, which has no numbers to wait for, all that comes from the host."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device = device

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # as in lrd.kernels.graphs

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        elsewhere = self.device != CPU
        if func in READ or (func in MADE and args[0].ndim):
            raise WaitError(f"{func}")
        if func in BY_INDEX and any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1]):
            raise WaitError(f"{func} by a mask")
        tensors = [t for t in tree_iter((args, kwargs)) if isinstance(t, torch.Tensor)]
        if elsewhere and any(t.device == CPU and (t.ndim or func in COPIES) for t in tensors):
            raise WaitError(f"{func} of a tensor of the host")
        return func(*args, **kwargs)
