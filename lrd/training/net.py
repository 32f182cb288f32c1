"""The way from a pack's parameters to outputs, loss and gradient: cell, kernel and readout of runs of one shape."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import torch

from lrd.cells import Parameters, parts_of, prepared, read, units
from lrd.gradients.training_norms import Norms, norms_by_adjoint, norms_of_kernel, norms_of_runs
from lrd.kernels import KERNELS, GradientNorms, runs_at_once
from lrd.kernels.layers import Dropout, scan_layers
from lrd.shapes import Float, Int, Tensor
from lrd.spec import RunSpec
from lrd.tasks import Batch
from lrd.training.norms_by_default import has_norms
from lrd.training.parameters import split_theta
from lrd.training.precision import computing
from lrd.training.tricks import Tricks, scan_named, trusted_kernels


class Gradient(NamedTuple):
    """The training loss of each run for one batch, and its gradient."""

    #: The loss, without what is added to it.
    loss: Float[Tensor, "runs"]
    #: The gradient of the loss and of what is added to it, such as a regulariser.
    grad: Float[Tensor, "runs parameters"]
    #: The value of what is added to the loss, by name.
    measured: dict[str, Float[Tensor, "runs"]]
    #: The training gradient norms, where updates give them (``Net.norms``); else empty.
    norms: Norms


class Net:
    """The computation that all runs of a pack share: what a run computes does not depend on its companions.

    Attributes:
        kernel: The name of the kernel of updates, which records keep.
        norms: Whether updates give the training gradient norms.
    """

    def __init__(self, spec: RunSpec, device: torch.device, runs: int, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Choose the kernels of a pack.

        Args:
            spec: One of its runs, which have task, cell and training in common but for ``per_run`` options.
            device: Where they are trained.
            runs: How many they are.
            shapes: The shape of each parameter of a run, in the order in which they lie in a row of theta.
        """
        self.task, self.cell, self.training, self.device = spec.task, spec.cell, spec.training, device
        self.kernel, of_evaluations = trusted_kernels(spec, device, runs)
        self.norms = has_norms(spec, device, runs)
        self._scan = scan_named(of_evaluations, self.training.precision)
        self._update_scan = scan_named(self.kernel, self.training.precision)
        self._shapes = shapes
        self._kept_leaves: tuple[Tensor, Parameters] | None = None

    def of_runs(self, spec: RunSpec, runs: int) -> Net:
        """Return the computation of a pack of ``runs`` runs like ``spec``, which may have another kernel."""
        return Net(spec, self.device, runs, self._shapes)

    def parameters(self, theta: Float[Tensor, "runs parameters"]) -> Parameters:
        """Return each parameter by name, [runs, ...], as a view of ``theta``."""
        return split_theta(theta, self._shapes)

    def outputs(self, params: Parameters, batch: Batch) -> Float[Tensor, "steps runs batch outputs"]:
        """Return the readout at the task's loss steps, by the kernel of evaluations.

        Args:
            params: Parameters by name, [runs, ...], as they are trained.
            batch: A batch of each run.
        """
        params = prepared(self.cell, params)
        with computing(self.training.precision):
            return self._read(params, self.states(params, batch.inputs, self.task.loss_steps.start), batch)

    def states(
        self,
        params: Parameters,
        inputs: Float[Tensor, "time runs batch inputs"],
        first: int,
        norms: list[GradientNorms] | None = None,
        updating: bool = False,
        dropout: Dropout | None = None,
        **cut: Tensor,
    ) -> list[Float[Tensor, "_ runs batch features"]]:
        """Return the h that the readout sees from step ``first`` on, in parts between which the gradient is cut.

        It is cut by ``training.truncate``; without it there is one part.

        Args:
            params: Parameters as ``lrd.cells.prepared`` gives them.
            inputs: x_t of every step.
            first: The first step whose h is wanted.
            norms: A list that gets one more entry for each part, which the backward pass fills; None: no norms.
            updating: Whether the kernel of updates runs; else that of evaluations.
            dropout: Changes h from layer to layer; None: nothing does.
            **cut: Where the backward pass is cut in h (``Tricks.cut``), for the kernel of updates.
        """
        every, parts, state = self.training.truncate or len(inputs), [], None
        scan = self._update_scan if updating else self._scan
        for start in range(0, len(inputs), every):
            steps = slice(start, start + every)
            options: dict[str, object] = {name: value[:, steps] for name, value in cut.items()}
            if norms is not None:
                norms.append(GradientNorms())
                options["norms"] = norms[-1]
            h, state = scan_layers(
                scan,
                self.cell,
                params,
                inputs[steps],
                state,
                min(max(0, first - start), every),
                None if dropout is None else functools.partial(dropout, steps),
                **options,
            )
            state = tuple(s.detach() for s in state)
            parts.append(h)
        return parts

    def _read(self, params: Parameters, parts: list[Tensor], batch: Batch) -> Tensor:
        """Return the readout at the task's loss steps, from ``states`` of these steps or of more steps before them."""
        h, inputs = parts[0] if len(parts) == 1 else torch.cat(parts), batch.inputs[self.task.loss_steps.start :]
        early = len(h) - len(inputs)
        return read(params, h[early:] if early else h, inputs)

    def gradient(
        self,
        theta: Float[Tensor, "runs parameters"],
        batch: Batch,
        seeds: Int[Tensor, "runs"],
        clock: Tensor,
        tricks: Tricks,
    ) -> Gradient:
        """Return loss and gradient of each run for one batch, taking as many runs at once as suits the kernel.

        Args:
            theta: The parameters of each run in one row.
            batch: A batch of each run.
            seeds: The seed of each run.
            clock: The number of the update, for what is drawn in it.
            tricks: What is added to the gradient, or cut from it.
        """
        numbers = self.task.sequence_length * self.training.batch_size * units(self.cell)
        size = runs_at_once(self.kernel, numbers * theta.element_size(), self.device) or len(theta)
        if size >= len(theta):
            return self._of_runs(theta, batch, seeds, clock, tricks)
        found = [
            self._of_runs(theta[runs], batch.of_runs(runs), seeds[runs], clock, tricks.of_runs(runs))
            for runs in (slice(start, start + size) for start in range(0, len(theta), size))
        ]
        losses, grads, measured, norms = zip(*found, strict=True)
        return Gradient(
            torch.cat(losses),
            torch.cat(grads),
            {name: torch.cat([values[name] for values in measured]) for name in measured[0]},
            norms_of_runs(norms),
        )

    def _leaves(self, theta: Tensor) -> Parameters:
        """Return views of theta of which gradients are taken: the same as before, where theta is the same tensor.

        Not the gradient of theta, to which autograd would add up what need only stand side by side.
        """
        if self._kept_leaves is None or self._kept_leaves[0] is not theta:
            self._kept_leaves = theta, {n: p.requires_grad_() for n, p in self.parameters(theta.detach()).items()}
        return self._kept_leaves[1]

    def _of_runs(self, theta: Tensor, batch: Batch, seeds: Tensor, clock: Tensor, tricks: Tricks) -> Gradient:
        # Forward: parameters, states, outputs, loss.
        own, first = self._leaves(theta), self.task.loss_steps.start
        params = prepared(self.cell, own)
        update, (time, _, samples, _) = clock.expand(len(theta)), batch.inputs.shape
        cut = tricks.cut(seeds, update, time)
        dropout = tricks.dropped(self.cell, seeds, update, time, samples)
        given: list[GradientNorms] | None = None
        asked = self.norms
        if asked and KERNELS[self.kernel].norms and len(parts_of(self.cell)) == 1:
            given = []
        with computing(self.training.precision):
            since = 0 if tricks.need_every_h else first
            states = self.states(params, batch.inputs, since, given, updating=True, dropout=dropout, **cut)
            outputs = self._read(params, states, batch)
        loss = self.task.loss(outputs, batch)
        whole, measured = tricks.add_norm_stabilizer(loss, states)
        # Backward: to the parameters, and to h directly where Omega or the norms of other kernels need that.
        needs_direct = tricks.omega is not None or (asked and given is None)
        seen = [h for h in states if len(h)] if needs_direct else []  # others may have no gradient
        grads = torch.autograd.grad(
            whole, (*own.values(), *seen), torch.ones_like(whole), allow_unused=True, materialize_grads=True
        )
        grad = torch.cat([into.flatten(1) for into in grads[: len(own)]], 1)
        into_h = iter(grads[len(own) :])
        direct = [next(into_h) if len(h) else h for h in states] if needs_direct else []
        # What is added to the gradient, and the norms of the loss's own.
        if tricks.omega is not None:
            measured = tricks.add_omega(self.cell, own, self.parameters(grad), states, direct)
        norms: Norms = {}
        if asked:
            every = self.training.truncate or len(batch.inputs)
            if given is None:
                norms = norms_by_adjoint(self.cell, params, batch.inputs, direct, every, dropout)
            else:
                norms = norms_of_kernel(self.cell, given, batch.inputs, every)
        return Gradient(loss.detach(), grad, measured, norms)
