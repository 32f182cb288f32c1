"""Annotations that state the shapes of tensors, such as ``Float[Tensor, "time runs batch hidden"]``.

jaxtyping reads them where it is installed (the tests check them at run time); on a bare GPU box with only torch and
numpy, ``Float[Tensor, ...]`` is plain ``Tensor``, so that the lower layers import there.

Dimension names used throughout: ``time`` steps of a sequence, ``steps`` its scored steps, ``runs`` of a pack,
``batch`` samples, ``inputs`` features of x_t, ``hidden`` units, ``outputs`` of the readout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

__all__ = ["Bool", "Float", "Int", "Num", "Tensor"]

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Num
else:
    try:
        from jaxtyping import Bool, Float, Int, Num
    except ImportError:

        class _AnyShape:
            def __class_getitem__(cls, item: tuple[type, str]) -> Any:
                return item[0]

        Bool = Float = Int = Num = _AnyShape
