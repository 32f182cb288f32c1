"""An update of a pack, recorded once as a CUDA graph and replayed, so that its launches cost the host next to nothing.

A recording has fixed shapes and fixed memory. So runs that leave the pack do not end it: the others move to the front
rows, and the rows behind them go on idly, until no more than half of the rows are in use. Only then is the update
recorded anew, for the runs that are left. Idle rows thus never cost more than the runs that use theirs, and a pack of R
runs is recorded at most 1 + log2 R times; where the gap of a curriculum grows, once more for each gap that lasts.

No recording is trusted unseen: its first replay is compared with the update itself, run from the same state. Where the
two differ by more than rounding, the update is run as it is from then on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from lrd.shapes import Tensor
from lrd.training.out_of_memory import is_out_of_memory
from lrd.training.replay_check import copies, difference, put_back, rounding

logger = logging.getLogger(__name__)

Update = Callable[[], None]
#: Turns an update into one that does the same at every call, on the tensors that the first calls found.
Record = Callable[[Update, torch.device], Update]
#: Updates before the one that is recorded. They compile, load and cache all that it uses; in the last of them, waiting
#: for the device is an error.
WARM_UP = 2


class CudaGraphs:
    """Makes the recorded updates of a pack (``Record``), until one of them does another thing than its update.

    From then on the pack's updates are run as they are.
    """

    def __init__(self, precision: str) -> None:
        """Begin with trust.

        Args:
            precision: ``training.precision`` of the pack, which says how much rounding may do.
        """
        self._rounding = rounding(precision)
        self._trusted = True

    def __call__(self, update: Update, device: torch.device) -> CudaGraph:
        """Return an update of the pack as one that is recorded, or run as it is."""
        return CudaGraph(update, device, self._rounding, self._trusted, self._distrust)

    def _distrust(self) -> None:
        self._trusted = False


class CudaGraph:
    """An update that is run as it is ``WARM_UP`` times, then recorded, and replayed from then on.

    The first replay is held to the update itself. Where that differs, or where the update cannot be recorded, it goes
    on being run as it is, and one line of the log says so.
    """

    def __init__(
        self,
        update: Update,
        device: torch.device,
        most: float = 0.0,
        recordable: bool = True,
        distrust: Callable[[], None] = lambda: None,
    ) -> None:
        """Record nothing yet.

        Args:
            update: The update.
            device: Where it runs.
            most: The share of an update by which a replay may differ (``replay_check.difference``).
            recordable: Whether it is to be recorded at all.
            distrust: Called when a replay differs by more.
        """
        self._update, self._device = update, device
        self._calls = 0
        self._graph: torch.cuda.CUDAGraph | None = None
        self._outside: list[Tensor] = []
        self._changed: dict[Any, Tensor] = {}
        self._recordable = recordable
        self._most, self._distrust = most, distrust

    def __call__(self) -> None:
        self._calls += 1
        with torch.cuda.device(self._device):
            if self._graph is not None:
                self._graph.replay()
            elif self._recordable and self._calls == WARM_UP:
                self._watched()
            elif self._recordable and self._calls > WARM_UP:
                self._record_and_compare()
            else:
                self._on_a_side_stream()

    def _on_a_side_stream(self) -> None:
        # Not on the default stream, on which nothing can be recorded: what is set up for a stream is then set up.
        here, aside = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(here)
        try:
            with torch.cuda.stream(aside):
                self._update()
        finally:
            here.wait_stream(aside)

    def _watched(self) -> None:
        """Run the update so that waiting for the device is an error here, before it is recorded.

        A wait comes from a cell or a task, before the update has changed anything, and so the update is begun again.
        """
        before, seen = torch.cuda.get_sync_debug_mode(), _OutsideTensors()
        torch.cuda.set_sync_debug_mode("error")
        try:
            with seen:
                self._on_a_side_stream()
        except RuntimeError as error:
            if "synchronizing CUDA operation" not in str(error):
                raise
            self._go_without(str(error))
        finally:
            torch.cuda.set_sync_debug_mode(before)
        if not self._recordable:
            self._on_a_side_stream()
        self._changed = seen.changed

    def _record_and_compare(self) -> None:
        """Record the update, and do it twice from the same state: as it is, and by the first replay.

        As it is first, in memory that the recording may then have: both at once would need twice as much.
        """
        changed = list(self._changed.values())
        before = copies(changed)
        self._on_a_side_stream()
        expected = copies(changed)
        put_back(changed, before)
        self._record()
        if self._graph is None:
            put_back(changed, expected)
            return
        self._graph.replay()
        share = difference(before, expected, copies(changed))
        if share > self._most:
            self._graph, self._outside = None, []
            put_back(changed, expected)
            self._distrust()
            self._go_without(f"its first replay is off by {share:.1e} of what it changes, which is not rounding")

    def _record(self) -> None:
        graph, seen = torch.cuda.CUDAGraph(), _OutsideTensors()
        try:
            # The outer stream context restores the current stream, which a recording that fails would not.
            # The graph gets a stream of its own: torch's default for it belongs to the first GPU that was recorded on.
            aside = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph, stream=aside), seen:
                self._update()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise  # the pack is too large: it is split, not slowed
            self._go_without(str(error))
        else:
            if seen.changed.keys() <= self._changed.keys():
                self._graph, self._outside = graph, seen.tensors
            else:  # it could not be compared, nor begun again
                self._go_without("it changes other tensors than the update before it")

    def _go_without(self, message: str) -> None:
        self._recordable = False
        reason = message.splitlines()[0]
        logger.warning("an update cannot be a CUDA graph and runs without: %s", reason)


class _OutsideTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A list of the tensors that operations read and that none of them made; to be kept as long as the graph.

    A graph knows their memory and nothing else. Most live with the pack, but tables of tasks and cells live in caches,
    which may drop them.

    Attributes:
        tensors: One tensor for each memory.
        changed: Those views of them that operations write to, by their place.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tensors: list[Tensor] = []
        self.changed: dict[Any, Tensor] = {}
        self._known: set[int] = set()
        self._outside: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch would import its compiler, for seconds, only to keep it out of here

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for tensor in _tensors((args, kwargs)):
            if self._is_new(tensor):
                self.tensors.append(tensor)
                self._outside.add(_memory(tensor))
        if func._schema.is_mutable:
            for tensor in _written(func._schema.arguments, args, kwargs):
                if _memory(tensor) in self._outside:
                    place = _memory(tensor), tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride())
                    self.changed.setdefault(place, tensor)
        found = func(*args, **kwargs)
        for tensor in _tensors(found):
            self._is_new(tensor)
        return found

    def _is_new(self, tensor: Tensor) -> bool:
        place = _memory(tensor)
        is_new = place not in self._known
        self._known.add(place)
        return is_new


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _written(arguments: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Return the arguments that an operation writes to, by its schema."""
    values = [*zip(arguments, args, strict=False)]
    values += [(argument, kwargs[argument.name]) for argument in arguments if argument.name in kwargs]
    return _tensors([value for argument, value in values if argument.alias_info and argument.alias_info.is_write])


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_iter(values) if isinstance(value, Tensor)]
