"""The columns of a probe's table as records keep them: NumPy arrays, those of text with Python's own strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lrd.scalars import Columns
from lrd.shapes import Tensor

#: The array type of each SQL type, and the kinds of arrays that become one without loss.
_DTYPES: dict[str, tuple[Any, str]] = {
    "BIGINT": (np.int64, "iu"),
    "DOUBLE": (np.float64, "fiu"),
    "BOOLEAN": (np.bool_, "b"),
    "VARCHAR": (object, "UTO"),
}


def as_arrays(table: Any, types: Mapping[str, str]) -> Columns:
    """Return the columns of a table as arrays.

    Args:
        table: columns by name: tensors on any device, arrays, lists of numbers or lists of texts.
        types: SQL type of each column. Values of another type stay what they are: whoever writes them refuses them.

    Raises:
        TypeError: it is no dict.
    """
    if not isinstance(table, Mapping):
        raise TypeError(f"a table must be a dict of columns, got a {type(table).__name__}")
    return {name: _array(values, types.get(name)) for name, values in table.items()}


def _array(values: Any, kind: str | None) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.double() if values.dtype == torch.bfloat16 else values
    array = values if isinstance(values, np.ndarray) else np.asarray(values)
    dtype, kinds = _DTYPES.get(kind or "", (array.dtype, ""))
    return array.astype(dtype, copy=False) if array.dtype.kind in kinds or not array.size else array
