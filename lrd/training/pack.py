"""Runs of one static shape trained together: parameters, gradients and optimiser state have a leading ``runs`` axis.

The parameters of a run, cell and readout, lie in one row of ``theta`` [runs, parameters], so that clipping and the
optimiser are a few operations for the whole pack. What a run computes does not depend on its companions.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lrd.cells import Cell, Parameters, prepared, read, readout_parameters
from lrd.kernels import KERNELS, choose_kernel, runs_at_once
from lrd.shapes import Float, Tensor
from lrd.spec import RunSpec
from lrd.tasks import Batch, Task
from lrd.training.optimizers import clip, pack_optimizer
from lrd.training.tricks import Tricks, update_kernel

# Drawing takes some 40 tensor operations whatever their size: small batches are drawn for several updates at once.
_DRAW_STEPS, _DRAW_NUMBERS = 16, 2**16
# Runs are evaluated so many at once that their states fill about this.
_EVAL_BYTES = 64 * 2**20
# Sums over the updates since the last row of metrics, kept on the device: no update waits for the host.
_SUMS = ("train_loss", "grad_norm", "grad_norm_clipped")


class Pack:
    """``specs`` share ``RunSpec.pack_key``; row r of every tensor belongs to ``specs[r]``."""

    def __init__(self, specs: Sequence[RunSpec], device: torch.device) -> None:
        self.specs = list(specs)
        self.task, self.cell, self.training = specs[0].task, specs[0].cell, specs[0].training
        self.scan = KERNELS[choose_kernel(self.cell, device, len(self.specs))][0]
        self.device = device
        fresh = [initial_parameters(spec) for spec in specs]
        self._shapes = {name: tuple(value.shape) for name, value in fresh[0].items()}
        self.theta = torch.stack([torch.cat([v.flatten() for v in p.values()]) for p in fresh]).to(device)
        self.optimizer = pack_optimizer([spec.optimizer for spec in specs], self.theta)
        self.seeds = torch.tensor([spec.seed for spec in specs], device=device)
        self.update = 0
        self.diverged_at = torch.full((len(specs),), -1, device=device)
        self.tricks = Tricks.of(self.specs, device)
        summed = (*_SUMS, *self.tricks.measures)
        self.sums = {name: torch.zeros(len(specs), dtype=torch.float64, device=device) for name in summed}
        self.summed = 0
        self._drawn_from = self._drawn_steps = 0

    def parameters(self, theta: Float[Tensor, "runs parameters"] | None = None) -> Parameters:
        """Each parameter by name, [runs, ...]: views of ``theta`` (default: the pack's own)."""
        return split_theta(self.theta if theta is None else theta, self._shapes)

    def states(
        self, params: Parameters, inputs: Float[Tensor, "time runs batch inputs"], first: int, **cut: Tensor
    ) -> list[Float[Tensor, "_ runs batch hidden"]]:
        """h from step ``first`` on, in the parts between which the gradient is cut; ``params`` are prepared.

        ``cut``: what the kernel of updates takes besides [runs, time] (``Tricks.cut``); default: that of any use.
        """
        every, parts, state = self.training.truncate or len(inputs), [], None
        scan = KERNELS[update_kernel(self.specs[0], self.device, len(self.specs))][0] if cut else self.scan
        for start in range(0, len(inputs), every):
            steps = slice(start, start + every)
            mine = {name: value[:, steps] for name, value in cut.items()}
            h, state = scan(self.cell.stepped, params, inputs[steps], state, min(max(0, first - start), every), **mine)
            state = tuple(s.detach() for s in state)
            parts.append(h)
        return parts

    def outputs(self, params: Parameters, batch: Batch) -> Float[Tensor, "steps runs batch outputs"]:
        """Readout at the task's loss steps."""
        params = prepared(self.cell, params)
        return self._read(params, self.states(params, batch.inputs, self.task.loss_steps.start), batch)

    def _read(self, params: Parameters, parts: list[Tensor], batch: Batch) -> Tensor:
        """Readout at the task's loss steps, of ``states`` from their first one on or from an earlier step on."""
        h, inputs = parts[0] if len(parts) == 1 else torch.cat(parts), batch.inputs[self.task.loss_steps.start :]
        early = len(h) - len(inputs)
        return read(params, h[early:] if early else h, inputs)

    def step(self) -> None:
        """One update of every run. A run whose loss or parameters stop being finite stays as it was before."""
        loss, grad, measured = self.loss_and_gradient(self._next_batch())
        with torch.no_grad():
            theta, optimizer = self.theta, self.optimizer
            grad, before, after = clip(optimizer.clip, grad, optimizer.constants["clip_threshold"])
            moved = optimizer.step(theta, grad)
            self.update += 1
            fine = loss.isfinite() & moved.isfinite().all(1)
            self.diverged_at = torch.where((self.diverged_at < 0) & ~fine, self.update, self.diverged_at)
            self.theta = torch.where((self.diverged_at < 0)[:, None], moved, theta)
            measured |= {"train_loss": loss, "grad_norm": before, "grad_norm_clipped": after}
            for name, value in measured.items():
                self.sums[name] += value
            self.summed += 1

    def loss_and_gradient(
        self, batch: Batch
    ) -> tuple[Float[Tensor, "runs"], Float[Tensor, "runs parameters"], dict[str, Float[Tensor, "runs"]]]:
        """Training loss of each run, its gradient with that of what is added to it, and measures of the latter.

        By as many runs at once as the kernel likes.
        """
        numbers = self.task.sequence_length * self.training.batch_size * self.cell.hidden_size
        kernel = update_kernel(self.specs[0], self.device, len(self.specs))
        size = runs_at_once(kernel, numbers * self.theta.element_size(), self.device) or len(self.specs)
        found = [self._of_runs(slice(start, start + size), batch) for start in range(0, len(self.specs), size)]
        losses, grads, measured = zip(*found, strict=True)
        joined = {name: torch.cat([values[name] for values in measured]) for name in measured[0]}
        return torch.cat(losses), torch.cat(grads), joined

    def _of_runs(self, runs: slice, batch: Batch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        theta, batch, tricks = self.theta[runs].detach(), batch.of_runs(runs), self.tricks.of_runs(runs)
        theta.requires_grad_()
        own, first = self.parameters(theta), self.task.loss_steps.start
        params = prepared(self.cell, own)
        cut = tricks.cut(self.seeds[runs], self.update, len(batch.inputs))
        states = self.states(params, batch.inputs, first if tricks.omega is None else 0, **cut)
        loss = self.task.loss(self._read(params, states, batch), batch)
        if tricks.omega is None:
            return loss.detach(), torch.autograd.grad(loss.sum(), theta)[0], {}
        grad, *direct = torch.autograd.grad(loss.sum(), (theta, *states))
        return loss.detach(), grad, tricks.add_omega(self.cell, own, self.parameters(grad), states, direct)

    def _next_batch(self) -> Batch:
        """The training batch of this update, drawn together with those of the updates after it where they are small."""
        runs = len(self.specs)
        if not self._drawn_from <= self.update < self._drawn_from + self._drawn_steps:
            steps = drawn_steps(self.task, self.training.batch_size, runs)
            step = torch.arange(self.update, self.update + steps, device=self.device).repeat_interleave(runs)
            self._drawn = self.task.batch(self.seeds.repeat(steps), "train", step, self.training.batch_size)
            self._drawn_from, self._drawn_steps = self.update, steps
        place = (self.update - self._drawn_from) * runs
        return self._drawn.of_runs(slice(place, place + runs))

    def averages(self) -> dict[str, Float[Tensor, "runs"]]:
        """Means of training loss and gradient norms over the updates since the last call; {} if there were none."""
        if self.summed == 0:
            return {}
        means = {name: value / self.summed for name, value in self.sums.items()}
        self.sums = {name: torch.zeros_like(value) for name, value in self.sums.items()}
        self.summed = 0
        return means

    @torch.no_grad()
    def evaluate(self, split: str, samples: int, chunk: int = 256) -> dict[str, Float[Tensor, "runs"]]:
        """The task's metrics on ``samples`` sequences of a split, always the same ones for a run."""
        at_once = evaluated_at_once(self.task, self.cell, min(chunk, samples), self.theta.element_size())
        groups: list[dict[str, Tensor]] = []
        for seeds, theta in zip(*(torch.split(x, at_once) for x in (self.seeds, self.theta)), strict=True):
            totals: dict[str, Tensor] = {}
            for number, start in enumerate(range(0, samples, chunk)):
                size = min(chunk, samples - start)
                batch = self.task.batch(seeds, split, number, size)
                for name, value in self.task.metrics(self.outputs(self.parameters(theta), batch), batch).items():
                    totals[name] = totals.get(name, 0) + value.double() * (size / samples)
            groups.append(totals)
        return {name: torch.cat([totals[name] for totals in groups]) for name in groups[0]}

    def take(self, runs: Sequence[int]) -> Pack:
        """These runs as a pack of their own, at the same update."""
        taken = copy.copy(self)
        taken.optimizer = copy.copy(self.optimizer)
        taken.select(runs)
        return taken

    def select(self, runs: Sequence[int]) -> None:
        """Go on with these runs only."""
        rows = torch.tensor(runs, dtype=torch.int64, device=self.device)
        self.specs = [self.specs[r] for r in runs]
        self.theta = self.theta.detach()[rows]
        self._drawn_steps = 0
        self.tricks = self.tricks.of_runs(rows)
        self.seeds, self.diverged_at = self.seeds[rows], self.diverged_at[rows]
        self.sums = {name: value[rows] for name, value in self.sums.items()}
        self.optimizer.select(rows)

    def state(self, run: int) -> dict[str, Any]:
        """All that one run needs to go on, bit for bit, in whatever pack."""
        return {
            "update": self.update,
            "theta": self.theta[run].detach(),
            "slots": {name: slot[run].clone() for name, slot in self.optimizer.slots.items()},
            "diverged_at": int(self.diverged_at[run]),
            "sums": {name: float(value[run]) for name, value in self.sums.items()},
            "summed": self.summed,
        }

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Put every run back to a state from ``state``; all must stand at the same update."""
        updates = {(state["update"], state["summed"]) for state in states}
        if len(updates) != 1:
            raise ValueError(f"runs of a pack must stand at one update, got {sorted(updates)}")
        self.update, self.summed = updates.pop()
        self.optimizer.updates = self.update
        self._drawn_steps = 0
        self.theta = torch.stack([state["theta"] for state in states]).to(self.device)
        for name in self.optimizer.slots:
            self.optimizer.slots[name] = torch.stack([state["slots"][name] for state in states]).to(self.device)
        self.diverged_at = torch.tensor([state["diverged_at"] for state in states], device=self.device)
        for name in self.sums:
            sums = [state["sums"][name] for state in states]
            self.sums[name] = torch.tensor(sums, dtype=torch.float64, device=self.device)


def split_theta(theta: Float[Tensor, "runs parameters"], shapes: Mapping[str, tuple[int, ...]]) -> Parameters:
    """Each parameter by name, [runs, *shape]: views of ``theta``."""
    parts = torch.split(theta, [math.prod(shape) for shape in shapes.values()], dim=1)
    return {name: part.view(len(theta), *shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}


def drawn_steps(task: Task, batch_size: int, runs: int) -> int:
    """Of how many updates the batches are drawn at once."""
    return max(1, min(_DRAW_STEPS, _DRAW_NUMBERS // (task.sequence_length * batch_size * runs)))


def evaluated_at_once(task: Task, cell: Cell, samples: int, number: int) -> int:
    """Runs that are evaluated at once, of so many samples and of numbers of so many bytes."""
    return max(1, _EVAL_BYTES // (task.sequence_length * samples * cell.hidden_size * number))


def initial_parameters(spec: RunSpec) -> Parameters:
    """Cell and readout of one run, drawn on the CPU so that they are the same on every device."""
    generator = torch.Generator().manual_seed(spec.seed)
    cell = spec.cell.parameters(spec.task.input_size, generator)
    return cell | readout_parameters(spec.cell, spec.task.output_size, generator, spec.task.input_size)
