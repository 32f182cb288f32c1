"""How many runs train together, and how much memory they need.

``pack_size`` says how many, or else what the machine gains from and its memory holds. A pack's memory is estimated to a
factor of about two: its parameters with the optimiser's slots and the data are there all along; on top comes the
largest of an update, a chunk of an evaluation and a probe's measurement. What an update keeps of a step is what
autograd keeps of one in the plain loop, which is counted; kernels that do the same with less, or with workspaces beside
it, stay within the factor.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import torch

from lrd.cells import GRU, Attentive, Cell, CoupledLSTM, features, parts_of, prepared, units
from lrd.gradients.flow import runs_per_group
from lrd.kernels import KERNELS, loop, run_by_run, runs_at_once
from lrd.kernels.fused.launch import PRECISIONS, samples_a_program
from lrd.kernels.layers import scan_layers
from lrd.spec import Job, RunSpec, SpecError, flow_probe
from lrd.training.batches import drawn_steps, evaluated_at_once
from lrd.training.parameters import initial_parameters
from lrd.training.tricks import evaluation_kernel, update_kernel

MAX_RUNS = 16  # a pack on a CPU: what a step of a pack costs beside its arithmetic is then shared by enough
# Torch's own kernels take one run after another: there company saves only measurements and optimiser steps, so that
# packs are kept small enough for every worker to have several and none to wait long for the last.
PACKS_A_WORKER, FEW_RUNS = 4, 3
# An update of a pack costs near a millisecond whatever the number of its runs. Below so many pre-activations of a run
# that is most of its time, so that packs stay large. Seen on two busy cores: an update of 10 runs of 1,600 took 1.7 ms,
# of one run 1.0.
_LITTLE = 50_000
_BLOCKS = 2  # a GPU is full where each of its processors has a few blocks of a step to choose from
# Of the memory that is free: the estimate is good to a factor of two. A pack that does not fit after all is halved.
_SHARE = 0.5
_UNSEEN = 64  # runs a pack on a GPU that this machine has not, such as a cluster's
EVAL_CHUNK = 256  # sequences of one evaluation that are taken at once (Pack.evaluate)
_PARAMETERS = 10  # copies: the parameters, two slots of the optimiser, gradients and moved parameters of an update
_DRAWN = 4  # numbers beside each drawn symbol: random words are 64 bits, and mixed out of place
_SAMPLES = 16  # when kept numbers are counted: enough for copies of parameters not to count


def most_runs(job: Job, left: int, workers: int) -> int:
    """Return the largest number of runs like a job's in a pack.

    Args:
        job: one of them.
        left: runs of all kinds that are to be trained.
        workers: how many packs train at once.
    """
    if job.place.pack_size != "auto":
        return int(job.place.pack_size)
    each = math.ceil(left / workers)
    if on_gpu := _on_gpu(job):
        return min(each, on_gpu)
    most = min(MAX_RUNS, each)
    if workers > 1 and preactivations(job.run) >= _LITTLE and run_by_run(update_kernel(job.run)):
        most = min(most, max(FEW_RUNS, math.ceil(left / (workers * PACKS_A_WORKER))))
    return most


def _on_gpu(job: Job) -> int | None:
    """Return the largest pack on the job's GPU; None where it has none."""
    try:
        device = job.place.torch_device()
    except SpecError:
        return _UNSEEN if job.place.device.startswith("cuda") else None
    # Of one seed, so that memory is counted once for all.
    return None if device.type == "cpu" else fitting(replace(job.run, seed=0), device, *gpu(device))


@lru_cache(maxsize=16)
def gpu(device: torch.device) -> tuple[int, int]:
    """Return a GPU's processors, and its bytes of memory that were free when this was first called.

    What is free now would change the plan with what its own packs hold.
    """
    return torch.cuda.get_device_properties(device).multi_processor_count, torch.cuda.mem_get_info(device)[0]


def fitting(run: RunSpec, device: torch.device, processors: int, free: int) -> int:
    """Return the runs that fill so many processors, or fewer where they do not fit into memory; at least one.

    Args:
        run: one of them.
        device: the GPU.
        processors: its processors.
        free: its free memory in bytes.
    """
    batch, precision = run.training.batch_size, run.training.precision
    precision = precision if precision in PRECISIONS else "float32"  # in float64 other kernels run, of no such blocks
    blocks = math.ceil(batch / samples_a_program(gates(run.cell), batch, run.cell.hidden_size, precision))
    low, high = 1, max(1, _BLOCKS * processors // blocks)
    while low < high:
        middle = (low + high + 1) // 2
        if pack_bytes(run, middle, device) <= _SHARE * free:
            low = middle
        else:
            high = middle - 1
    return low


def gates(cell: Cell) -> int:
    """Return the pre-activations of a unit: 4 in a cell with more than one state variable, 1 in a vanilla one."""
    if isinstance(cell, GRU | CoupledLSTM):
        return 3
    return 4 if len(cell.measured) > 1 else 1


def preactivations(run: RunSpec) -> int:
    """Return how many pre-activations an update of a run computes; its time is in proportion to them, roughly."""
    return run.task.sequence_length * run.training.batch_size * units(run.cell) * gates(run.cell)


def pack_bytes(run: RunSpec, runs: int, device: torch.device) -> int:
    """Return the bytes that torch holds at the peak of training ``runs`` runs like ``run``, without the process."""
    task, training, cell, hidden = run.task, run.training, run.cell, units(run.cell)
    number = 8 if training.precision == "float64" else 4
    scored = len(task.loss_steps) / task.sequence_length
    data = task.input_size + scored * (2 if task.classification else task.output_size + 1)  # numbers a symbol, as below
    read = scored * (features(cell) + 3 * task.output_size)
    kept = kept_numbers(run)

    # On a CPU batches are drawn for several updates at once.
    symbols, on_gpu = task.sequence_length * training.batch_size, device.type == "cuda"
    drawn = symbols * runs * (1 if on_gpu else drawn_steps(task, training.batch_size, runs))
    # Autograd frees what it kept on its way; the other kernels hold the gradients of every step beside it.
    kernel = update_kernel(run, device, runs)
    at_once = min(runs, runs_at_once(kernel, symbols * hidden * number, device) or runs)
    tape = hidden + (kept if kernel in ("loop", "traced") else 2 * kept)
    if (keeps := KERNELS[kernel].keeps) is not None:
        tape = keeps * hidden + task.input_size
    tape += 3 * hidden if training.omega or training.norm_stabilizer else 0  # directions and products, or lengths
    update = symbols * (at_once * (tape + 2 * read) + runs * task.input_size)

    samples = min(EVAL_CHUNK, max(training.eval_samples, training.test_samples))
    longest = max((run, *run.tested), key=lambda there: there.task.sequence_length)
    length, kept = longest.task.sequence_length, kept_numbers(longest)
    evaluated = min(runs, evaluated_at_once(longest.task, cell, samples, number, device))
    kernel = evaluation_kernel(run, device, runs)
    inside = 1 if run_by_run(kernel) else evaluated if on_gpu else 0
    if KERNELS[kernel].keeps is not None:  # of the states alone
        inside, kept = evaluated, 2 * len(cell.measured) * hidden
    evaluation = length * samples * (inside * kept / 2 + evaluated * (hidden + data + read))

    measurement = 0.0
    measured_on = [(task.sequence_length, probe) for probe in run.probes]
    measured_on += [(length, flow_probe(run.probes))] if run.evaluation.gradient_flow else []
    for steps, probe in measured_on:
        symbols = steps * probe.samples
        measured = min(runs, runs_per_group(symbols, cell, device))
        width = 1 if getattr(probe, "precision", "float64") == "float32" else 2
        states = (5 + 2 * len(cell.measured)) * hidden  # states, what multiplies gradients, those, copies for norms
        measurement = max(measurement, width * symbols * measured * (states + data + 2 * read))

    held = _PARAMETERS * runs * parameter_count(run) + drawn * data
    if on_gpu:  # a recorded update keeps its memory
        return math.ceil(number * (held + drawn * _DRAWN + update + max(evaluation, measurement)))
    return math.ceil(number * (held + max(drawn * _DRAWN, update, evaluation, measurement)))


@lru_cache(maxsize=256)
def parameter_count(run: RunSpec) -> int:
    """Return the number of parameters of one run, cell and readout."""
    return sum(value.numel() for value in initial_parameters(run).values())


@lru_cache(maxsize=256)
def kept_numbers(run: RunSpec) -> float:
    """Return the numbers that autograd keeps of one sample's step, on average over a whole sequence.

    Counted for a few steps; what a step keeps may grow with the number of steps before it, as in attention.
    """
    if isinstance(run.cell, Attentive):  # whose kernel keeps far less than the loop: states, queries, weights
        return 3 * units(run.cell) + len(parts_of(run.cell)) * run.task.sequence_length / 4
    few, more, most = (_kept_bytes(run, steps) for steps in (2, 4, 6))
    growth = (most - 2 * more + few) / 8  # of what n steps keep, a + b n + growth n^2
    slope = (more - few) / 2 - 6 * growth
    return (slope + growth * run.task.sequence_length) / (4 * _SAMPLES)


def _kept_bytes(run: RunSpec, steps: int) -> int:
    """Return the bytes of all tensors, but parameters, that the graph of so many steps keeps for its backward pass."""
    params = {name: p[None].requires_grad_() for name, p in initial_parameters(run).items()}
    inputs = torch.zeros(steps, 1, _SAMPLES, run.task.input_size)
    h, last = scan_layers(loop.scan, run.cell, prepared(run.cell, params), inputs)
    own = {p.untyped_storage().data_ptr() for p in params.values()}
    kept: dict[int, int] = {}
    seen: set[object] = set()
    waiting = [state.grad_fn for state in (h, *last)]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [follower for follower, _ in node.next_functions]
        for name in dir(node):
            value = getattr(node, name) if name.startswith("_saved_") else None
            if isinstance(value, torch.Tensor) and value.untyped_storage().data_ptr() not in own:
                kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
    return sum(kept.values())
