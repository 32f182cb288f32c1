"""A pack: runs of one static shape, trained together in one program.

Parameters, gradients and optimiser state have a leading ``runs`` axis. The parameters of a run, cell and readout, lie
in one row of ``theta`` [runs, parameters], so that clipping and the optimiser are a few operations for the whole pack.
What a run computes does not depend on its companions.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch

from lrd.cells import Parameters
from lrd.gradients.norm_sums import NormSums
from lrd.scalars import Columns
from lrd.shapes import Float, Tensor
from lrd.spec import RunSpec
from lrd.tasks import Batch, Task
from lrd.training.batches import Draws, evaluated_at_once
from lrd.training.curriculum import Curriculum
from lrd.training.fetch import by_run, copied
from lrd.training.net import Gradient, Net
from lrd.training.optimizers import clip, pack_optimizer
from lrd.training.parameters import initial_parameters
from lrd.training.precision import converted, dtype_of, use
from lrd.training.recorded import CudaGraphs, Record, Update
from lrd.training.tricks import Tricks

# Sums over the updates since the last row of metrics, kept on the device: no update waits for the host.
_SUMS = ("train_loss", "grad_norm", "grad_norm_clipped")


class Pack:
    """Runs that are trained together; row r of every tensor belongs to ``specs[r]``.

    Attributes:
        specs: The runs.
        task: Their task, at the gap that they are evaluated at.
        curriculum: The task of every update.
        theta: The parameters of each run in one row.
        update: How many updates the runs have had.
        clock: ``update`` as a tensor, for what runs on the device.
        diverged_at: [runs], the update at which a run's loss or parameters stopped being finite; -1: they are.
        sums: Training loss and gradient norms by name, summed over the updates since the last call of ``averages``.
        summed: How many updates these are.
        norms: The sums of the training gradient norms; None: updates give none.
    """

    def __init__(self, specs: Sequence[RunSpec], device: torch.device, record: Record | None = None) -> None:
        """Initialise runs.

        Args:
            specs: The runs, which share ``RunSpec.pack_key``.
            device: Where they are trained.
            record: What turns an update into one that is replayed; default: a CUDA graph on a GPU, nothing on a CPU.
        """
        self.specs = list(specs)
        self.task, self.cell, self.training = specs[0].task, specs[0].cell, specs[0].training
        self.device, self.dtype = device, dtype_of(self.training.precision)
        use(self.training.precision)
        fresh = [initial_parameters(spec) for spec in specs]
        self.net = Net(specs[0], device, len(specs), {name: tuple(value.shape) for name, value in fresh[0].items()})
        self.theta = torch.stack([torch.cat([v.flatten() for v in p.values()]) for p in fresh]).to(device, self.dtype)
        self.optimizer = pack_optimizer([s.optimizer for s in specs], self.theta, self.training.max_updates)
        self.curriculum = Curriculum(self.task, self.training)
        self.seeds = torch.tensor([spec.seed for spec in specs], device=device)
        self.update = 0
        self.clock = torch.zeros((), dtype=torch.int64, device=device)
        self.diverged_at = torch.full((len(specs),), -1, device=device)
        self.tricks = Tricks.of(self.specs, device)
        summed = (*_SUMS, *self.tricks.measures)
        self.sums = {name: torch.zeros(len(specs), dtype=torch.float64, device=device) for name in summed}
        self.summed = 0
        self.norms = self._no_norms() if self.net.norms else None
        graphs = CudaGraphs(self.training.precision) if device.type == "cuda" else None
        self._record: Record | None = graphs if record is None else record
        if self.curriculum.restless:
            self._record = None
        self._draws: Draws | None = None
        self._recorded: Update | None = None
        self._recorded_rows, self._recorded_task = 0, self.task

    @classmethod
    def of_copies(cls, spec: RunSpec, runs: int, device: torch.device, record: Record | None = None) -> Pack:
        """Return a pack of copies of one run, which is initialised only once, since that may take long.

        Args:
            spec: The run.
            runs: How many copies.
            device: Where they are trained.
            record: What turns an update into one that is replayed; default: as for any pack.
        """
        pack = cls([spec], device, record).take([0] * runs)
        pack.net = pack.net.of_runs(spec, runs)
        pack.norms = pack._no_norms() if pack.net.norms else None
        return pack

    def _no_norms(self) -> NormSums:
        """Return sums of the training gradient norms of no update."""
        return NormSums.nothing(self.cell, len(self.specs), self.task.sequence_length, self.device)

    def parameters(self, theta: Float[Tensor, "runs parameters"] | None = None) -> Parameters:
        """Return each parameter by name, [runs, ...], as a view of ``theta`` (default: the pack's own)."""
        return self.net.parameters(self.theta if theta is None else theta)

    def step(self) -> None:
        """Update every run once. A run whose loss or parameters stop being finite stays as it was before."""
        task = self.curriculum.task(self.update)
        if self._record is None:
            self._advance(self._next_batch(), task)
        else:
            if self._recorded is None or self._recorded_task is not task:
                self._recorded = None  # its memory is free before more is taken
                self._recorded = self._record(self._drawn_and_advanced(task), self.device)
                self._recorded_rows, self._recorded_task = len(self.specs), task
            self._recorded()
        self.update += 1
        self.summed += 1

    def _drawn_and_advanced(self, task: Task) -> Callable[[], None]:
        """Return a whole update of these runs, on the tensors that they are in now, which may outlast the runs."""
        whole = copy.copy(self)
        whole.optimizer = copy.copy(self.optimizer)

        def update() -> None:
            step = whole.clock.expand(len(whole.seeds))
            whole._advance(task.batch(whole.seeds, "train", step, whole.training.batch_size), task)

        return update

    def _advance(self, batch: Batch, task: Task) -> None:
        """Update all runs by one batch, from tensors to the same tensors: nothing goes to or comes from the host."""
        loss, grad, measured, norms = self.gradient(converted(batch, self.dtype), task)
        with torch.no_grad():
            # Clip and move.
            optimizer = self.optimizer
            self.clock += 1
            grad, before, after = clip(optimizer.clip, grad, optimizer.constants["clip_threshold"])
            grad = optimizer.with_noise(grad, self.seeds, self.clock)
            moved = optimizer.step(self.theta, grad, self.clock)
            # Keep a run that has diverged as it was.
            largest = torch.maximum(moved.abs().amax(1), loss.abs())  # nan is the largest of all, and not less
            is_fine, went_on = largest < torch.inf, self.diverged_at < 0
            goes_on = went_on & is_fine
            torch.where(went_on > goes_on, self.clock, self.diverged_at, out=self.diverged_at)
            torch.where(goes_on[:, None], moved, self.theta, out=self.theta)
            # Sum up what is measured.
            if self.norms is not None:
                # The loss is a mean over the batch; what is kept are norms of each sample's own loss.
                self.norms.add(norms, goes_on, batch_size=self.training.batch_size)
            measured |= {"train_loss": loss, "grad_norm": before, "grad_norm_clipped": after}
            for name, value in measured.items():
                self.sums[name] += value

    def gradient(self, batch: Batch, task: Task | None = None) -> Gradient:
        """Return each run's training loss for one batch of a task (default: the pack's own), and its gradient."""
        net = self.net
        if task is not None and task is not self.task:
            net = copy.copy(net)  # a task at another gap has the same parameters and kernels
            net.task = task
        return net.gradient(self.theta, batch, self.seeds, self.clock, self.tricks)

    def _next_batch(self) -> Batch:
        self._draws = self._draws or Draws(self.curriculum, self.seeds, self.training.batch_size)
        return self._draws.batch(self.update)

    def averages(self) -> dict[str, Float[Tensor, "runs"]]:
        """Return what metrics say of training since the last call; {} if there was no update.

        These are means over the updates (training loss, gradient norms, what is added to the loss, the gap of a
        curriculum) and, where there is a schedule, the learning rate of the last of them.
        """
        if self.summed == 0:
            return {}
        means = {name: value / self.summed for name, value in self.sums.items()}
        for value in self.sums.values():
            value.zero_()
        if self.training.curriculum != "none":
            gap = self.curriculum.mean_gap(self.update - self.summed, self.update)
            means["train_gap"] = torch.full_like(means["train_loss"], gap)
        if self.optimizer.schedule is not None:
            means["lr"] = self.optimizer.schedule.rate(self.clock)[:, 0]
        self.summed = 0
        return means

    def norm_tables(self) -> list[Columns]:
        """Return each run's columns of ``gradient_norms`` over the updates since the last call; {} if none were."""
        if self.norms is None:
            return [{} for _ in self.specs]
        tables = self.norms.tables(self.training.batch_size)
        self.norms.clear()
        return tables

    @torch.no_grad()
    def evaluate(self, split: str, samples: int, chunk: int = 256) -> dict[str, Float[Tensor, "runs"]]:
        """Return the task's metrics, by name, on sequences that are always the same ones for a run.

        Args:
            split: Which sequences: ``eval`` or ``test``.
            samples: How many.
            chunk: How many go through the kernel at once, at most.
        """
        number = self.theta.element_size()
        at_once = evaluated_at_once(self.task, self.cell, min(chunk, samples), number, self.device)
        groups: list[dict[str, Tensor]] = []
        for seeds, theta in zip(*(torch.split(x, at_once) for x in (self.seeds, self.theta)), strict=True):
            totals: dict[str, Tensor] = {}
            for number, start in enumerate(range(0, samples, chunk)):
                size = min(chunk, samples - start)
                batch = converted(self.task.batch(seeds, split, number, size), self.dtype)
                for name, value in self.task.metrics(self.net.outputs(self.parameters(theta), batch), batch).items():
                    totals[name] = totals.get(name, 0) + value.double() * (size / samples)
            groups.append(totals)
        return {name: torch.cat([totals[name] for totals in groups]) for name in groups[0]}

    def take(self, runs: Sequence[int]) -> Pack:
        """Return some of the runs as a pack of their own, at the same update."""
        taken = copy.copy(self)
        taken.optimizer = copy.copy(self.optimizer)
        taken._forget()
        taken.select(runs)
        return taken

    def as_in(self, spec: RunSpec) -> Pack:
        """Return the same runs, with the same tensors, to be tested on the task and with the cell of a run like them.

        Args:
            spec: A run that differs from one of the pack's in the length of its sequences alone (``RunSpec.tested``).
        """
        other = copy.copy(self)
        other.task, other.cell = spec.task, spec.cell
        other.net = self.net.of_runs(spec, len(self.specs))
        return other

    def select(self, runs: Sequence[int]) -> None:
        """Go on with some of the runs only, by their rows."""
        rows, left = torch.tensor(runs, dtype=torch.int64, device=self.device), len(runs)
        self.specs = [self.specs[r] for r in runs]

        def to_the_front(old: Tensor) -> Tensor:
            old[:left] = old[rows]
            return old[:left]

        if self._recorded is not None and 2 * left > self._recorded_rows:
            self._each(to_the_front)
            self._draws = None
        else:
            self._each(lambda old: old[rows])
            self.clock = self.clock.clone()
            self._forget()

    def _each(self, change: Callable[[Tensor], Tensor]) -> None:
        """Change every tensor whose rows are runs."""
        self.theta, self.seeds, self.diverged_at = map(change, (self.theta.detach(), self.seeds, self.diverged_at))
        self.sums = {name: change(value) for name, value in self.sums.items()}
        self.tricks = self.tricks.each(change)
        self.norms = None if self.norms is None else self.norms.each(change)
        self.optimizer.each(change)

    def _forget(self) -> None:
        """Drop what belongs to the tensors as they were."""
        self._draws, self._recorded = None, None

    def snapshot(self) -> list[dict[str, Any]]:
        """Return for each run all that it needs to go on, bit for bit, in whatever pack; one copy from the device."""
        tensors: dict[str, Any] = {"theta": self.theta, "slots": dict(self.optimizer.slots), "sums": self.sums}
        if self.norms is not None:
            tensors["norms"] = self.norms.tensors()
        each = by_run(copied(tensors | {"diverged_at": self.diverged_at}), len(self.specs))
        return [{"update": self.update, "summed": self.summed} | state for state in each]

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Put every run back to its state in a ``snapshot``.

        Args:
            states: The state of each run, in the order of ``specs``.

        Raises:
            ValueError: They do not stand at one update.
        """
        updates = {(state["update"], state["summed"]) for state in states}
        if len(updates) != 1:
            raise ValueError(f"runs of a pack must stand at one update, got {sorted(updates)}")
        self.update, self.summed = updates.pop()
        self.clock = torch.full_like(self.clock, self.update)
        self._forget()
        self.theta = torch.stack([state["theta"] for state in states]).to(self.device)
        for name in self.optimizer.slots:
            self.optimizer.slots[name] = torch.stack([state["slots"][name] for state in states]).to(self.device)
        self.diverged_at = torch.tensor([state["diverged_at"] for state in states], device=self.device)
        if self.norms is not None:
            # A run without sums was trained where updates give none: it has norms from here on.
            none = by_run(copied(self._no_norms().tensors()), len(states))
            kept = [state.get("norms", nothing) for state, nothing in zip(states, none, strict=True)]
            self.norms = NormSums.of_runs(kept, self.device)
        for name in self.sums:
            sums = [state["sums"][name] for state in states]
            self.sums[name] = torch.tensor(sums, dtype=torch.float64, device=self.device)
