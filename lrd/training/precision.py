"""The precision of a pack's arithmetic, by the name that ``training.precision`` has.

=========  ==================  ================================================  =====================
name       state, parameters   matrix products                                   where
=========  ==================  ================================================  =====================
float32    float32             of float32, no bit less                           everywhere
tf32       float32             of operands rounded to 10 bits, sums in float32   NVIDIA GPUs from 8.0
bfloat16   float32             of operands rounded to 7 bits, results mostly     NVIDIA GPUs from 8.0
float64    float64             of float64                                        everywhere, for checks
=========  ==================  ================================================  =====================

In bfloat16 results are rounded too, but within Triton's kernels. Data are drawn in float32 and then converted; norms
and sums for metrics are in float64 whatever the precision. The mantissas of the formats: IEEE 754, and NVIDIA, "A100
Tensor Core GPU Architecture" (2020).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from lrd.shapes import Tensor
from lrd.tasks import Batch

#: Names under which a cell, its kernel or the readout may ask for a product of matrices or of one with a vector.
_PRODUCTS = {
    torch.matmul,
    torch.mm,
    torch.mv,
    torch.bmm,
    torch.einsum,
    torch.nn.functional.linear,
    torch.Tensor.matmul,
    torch.Tensor.mm,
    torch.Tensor.mv,
    torch.Tensor.bmm,
    torch.Tensor.__matmul__,
    torch.Tensor.__rmatmul__,
}


def dtype_of(precision: str) -> torch.dtype:
    """Return the dtype of parameters, states and the optimiser's memory."""
    return torch.float64 if precision == "float64" else torch.float32


def use(precision: str) -> None:
    """Set how this process's GPU rounds products of float32; by itself torch lets cuDNN round them."""
    rounded = precision == "tf32"
    if hasattr(torch.backends.cudnn, "rnn"):  # torch >= 2.9, which warns of the other names
        cudnn: Any = torch.backends.cudnn  # whose stubs know nothing of it
        cudnn.rnn.fp32_precision = torch.backends.cuda.matmul.fp32_precision = "tf32" if rounded else "ieee"
    else:
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rounded


def converted(batch: Batch, dtype: torch.dtype) -> Batch:
    """Return the batch with its numbers, but not its classes, in another precision."""
    if batch.inputs.dtype == dtype:
        return batch
    targets = batch.targets.to(dtype) if batch.targets.is_floating_point() else batch.targets
    return Batch(batch.inputs.to(dtype), targets, None if batch.weights is None else batch.weights.to(dtype))


def computing(precision: str) -> AbstractContextManager[Any]:
    """Return the context in which cell and readout are run: with ``bfloat16`` it rounds their products."""
    return _BFloat16Products() if precision == "bfloat16" else nullcontext()


class _BFloat16Products(TorchFunctionMode):
    """Products whose operands are rounded to bfloat16; results, and so states, are float32 again.

    Not ``torch.autocast``, which leaves products in bfloat16: a cell without biases would then keep its state in it.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in _PRODUCTS:
            return func(*args, **kwargs)
        found = func(*(_rounded(arg) for arg in args), **{name: _rounded(arg) for name, arg in kwargs.items()})
        return found.float()


def _rounded(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.bfloat16() if value.is_floating_point() else value
    return type(value)(_rounded(each) for each in value) if isinstance(value, list | tuple) else value
