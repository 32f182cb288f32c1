"""A check that code keeps to the device of its arguments, on a machine without a GPU.

torch's meta device computes shapes and no numbers. A tensor that code makes without naming a device lies on the CPU,
and shows as soon as it meets one on the meta device, as it would on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from lrd.custom.protocol import ProtocolError, named, place_of
from lrd.shapes import Tensor

#: Operations that take tensors of several devices on a GPU, too: copies between them, and indices on the CPU.
_MAY_MIX = {
    torch.ops.aten.copy_.default,
    torch.ops.aten._to_copy.default,
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
}


class _TwoDevicesError(Exception):
    """Raised where one operation got tensors of two devices."""


class _OneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode in which an operation over tensors of two devices raises; as on a GPU, single numbers may lie anywhere."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch would import its compiler, for seconds, only to keep it out of here

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = [value for value in tree_iter((args, kwargs)) if isinstance(value, Tensor) and value.ndim]
        if func not in _MAY_MIX and len({tensor.device for tensor in tensors}) > 1:
            raise _TwoDevicesError
        return func(*args, **kwargs)


def check_device(line: int, what: str, function: Callable[[], Any], home: str, way_out: str) -> None:
    """Call a function of tensors on the meta device, and see that it makes all of its own there.

    What cannot be computed without numbers (``.item()``, ``.numpy()``, an index that depends on values) ends the check
    without a verdict.

    Args:
        line: the line of the protocol that is broken otherwise.
        what: name of the function, for the message.
        function: makes its own arguments on the meta device; returns tensors in lists, tuples or dicts.
        home: where tensors should lie, for the message: "its arguments'".
        way_out: what to write instead, for the message.

    Raises:
        ProtocolError: a tensor was made on another device.
    """
    try:
        with _OneDevice():  # type: ignore[no-untyped-call]
            found = function()
    except _TwoDevicesError as error:
        message = f"{what} makes a tensor on another device than {home}: {way_out}{place_of(error)}"
        raise ProtocolError(line, message) from error
    except SystemExit as error:
        raise ProtocolError(line, f"{what} raised {named(error)}{place_of(error)}") from error
    except Exception:  # of an operation that needs numbers
        return
    if any(isinstance(value, Tensor) and not value.is_meta for value in tree_iter(found)):
        raise ProtocolError(line, f"{what} gives a tensor on another device than {home}: {way_out}")
