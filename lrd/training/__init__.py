"""Training: a pack of runs in, records of trained runs out.

* ``lrd.training.loop``: the training loop.
* ``lrd.training.pack``: the runs of a pack and one update of them.
* ``lrd.training.net``: outputs, loss and gradient of a pack.

``Pack`` needs torch and numpy alone; ``train``, which keeps records, is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrd.training.pack import Pack
from lrd.training.parameters import initial_parameters, split_theta

if TYPE_CHECKING:
    from lrd.training.loop import Ending, train

__all__ = ["Ending", "Pack", "initial_parameters", "split_theta", "train"]


def __getattr__(name: str) -> Any:
    if name not in ("Ending", "train"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lrd.training import loop

    return getattr(loop, name)
