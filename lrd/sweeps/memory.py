"""What a pack needs in memory at its peak: a formula over the tensors that training holds, by kernel.

Letters: R runs, T steps, B a batch, S loss steps, H units, I inputs, O outputs, P parameters of a run. Counts are
numbers of ``_NUMBER`` bytes. They were read off torch's own count of allocations; a test holds them to it. Those of the
Triton kernels are counts of their buffers, held to torch's count in the interpreter. What cuDNN's kernels keep is not
documented: it is assumed to be what their way back needs, as in the Triton kernels, and a copy of the weights.

All through training there are the parameters with the optimiser's slots, and the batches drawn for the updates to
come. On top comes the largest of: drawing the next ones, an update, a chunk of an evaluation, a look.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch

from lrd.cells import LSTM, RNN, Attentive, prepared
from lrd.gradients.flow import runs_per_group
from lrd.kernels import WITH_NORMS, loop, run_by_run, runs_at_once
from lrd.kernels.scaled_backward import STEPS
from lrd.probes import Probe
from lrd.spec import SGD, Adam, RMSprop, RMSpropURNN, RunSpec
from lrd.sweeps.prices import EVAL_CHUNK, gates
from lrd.training.batches import drawn_steps, evaluated_at_once
from lrd.training.parameters import initial_parameters
from lrd.training.tricks import evaluation_kernel, update_kernel

_NUMBER = 4  # bytes of a float32
_SLOTS = {SGD: 1, RMSprop: 1, RMSpropURNN: 1, Adam: 2}
_UPDATE_COPIES = 7  # of P: theta, the gradient, the clipped one, moved parameters and what the optimiser makes of them
_WORDS = 4  # of a drawn symbol beside its inputs: random words are 64 bits, and mixed out of place
#: Triton's and cuDNN's kernels, numbers a unit and symbol: of the gates, that stand in place of their pre-activations;
#: of what forward keeps (states, c of an LSTM, W_n h of a GRU); of the gradients of the pre-activations.
_FUSED = {"rnn": (1, 1, 1), "lstm": (4, 2, 4), "gru": (3, 2, 4)}
_FUSED_KERNELS = {f"triton_{cell}": numbers for cell, numbers in _FUSED.items()}
#: What the Triton kernels hand over to where they cannot run (lrd.kernels.fused).
_HANDED_OVER = {"triton_rnn": "packed", "triton_lstm": "packed_lstm", "triton_gru": "traced"}
_CUDNN = {"stock_rnn": _FUSED["rnn"], "stock": _FUSED["lstm"], "stock_gru": _FUSED["gru"]}


def pack_bytes(run: RunSpec, runs: int, device: torch.device) -> int:
    """Bytes that torch holds at the peak of training ``runs`` runs like ``run``; without the process itself.

    Where float32 cannot hold a look's gradients and it is taken again in float64, that look takes up to three times
    as much; looks are small beside updates and evaluations unless there are few samples.
    """
    task, training = run.task, run.training
    kept = runs * parameter_count(run) * (1 + _SLOTS.get(type(run.optimizer), 2))
    steps = drawn_steps(task, training.batch_size, runs)
    symbol = task.input_size + _targets(run)
    drawn = steps * runs * task.sequence_length * training.batch_size * symbol
    drawing = drawn + steps * runs * task.sequence_length * training.batch_size * _WORDS
    samples = min(EVAL_CHUNK, max(training.eval_samples, training.test_samples))
    looking = max((_look(run, probe, runs, device) for probe in run.probes), default=0.0)
    number = 2 * _NUMBER if training.precision == "float64" else _NUMBER
    update, evaluation = _update(run, runs, device), _evaluation(run, runs, samples, device)
    if device.type == "cuda":  # a recorded update keeps its memory, and draws for itself alone
        return math.ceil(number * (kept + drawing / steps + update + max(evaluation, looking)))
    return math.ceil(number * (kept + drawn + max(drawing, update, evaluation, looking)))


@lru_cache(maxsize=256)
def parameter_count(run: RunSpec) -> int:
    """Parameters of one run, cell and readout."""
    hidden, inputs, outputs = run.cell.hidden_size, run.task.input_size, run.task.output_size
    if type(run.cell) in (RNN, LSTM):  # without making them: some initialisers take long
        return gates(run.cell) * hidden * (inputs + hidden + 1) + outputs * (hidden + 1)
    return sum(value.numel() for value in initial_parameters(run).values())


def _targets(run: RunSpec) -> float:
    """Numbers a symbol: classes are 64 bits wide; weights stand beside where lengths vary."""
    per_step = 2 if run.task.classification else run.task.output_size + 1
    return per_step * len(run.task.loss_steps) / run.task.sequence_length


def _readout(run: RunSpec, copies: float, outputs: float) -> float:
    """Numbers a symbol that the loss steps' states and outputs take, in so many copies of each."""
    scored = len(run.task.loss_steps) / run.task.sequence_length
    return scored * (copies * run.cell.hidden_size + outputs * run.task.output_size)


def _update(run: RunSpec, runs: int, device: torch.device) -> float:
    kernel, training, task, hidden = update_kernel(run, device, runs), run.training, run.task, run.cell.hidden_size
    symbols = task.sequence_length * training.batch_size
    moving = _UPDATE_COPIES * runs * parameter_count(run)
    if training.precision == "float64":
        kernel = _HANDED_OVER.get(kernel, kernel)
    told = _norms(run, runs, kernel, device)
    if kernel in _FUSED_KERNELS:
        return moving + told + runs * symbols * _fused_update(run, *_FUSED_KERNELS[kernel])
    if device.type == "cuda" and kernel in _CUDNN:
        return moving + 2 * runs * parameter_count(run) + runs * symbols * _fused_update(run, *_CUDNN[kernel])
    if kernel == "stock":
        at_once = min(runs, runs_at_once(kernel, symbols * hidden * _NUMBER, device) or runs)
        # Each run's activations, which oneDNN keeps in a layout of its own, and one backward pass at a time.
        return moving + symbols * (hidden * (17 * at_once + 6) + at_once * _readout(run, 2, 4))
    if kernel == "stock_gru":
        at_once = min(runs, runs_at_once(kernel, symbols * hidden * _NUMBER, device) or runs)
        return moving + max(told, symbols * (hidden * (9 * at_once + 3) + at_once * _readout(run, 2, 4)))
    if kernel == "packed":
        # States, gradients of them and a product; the inputs run-major. Omega: directions and products.
        tape = 6.5 if training.omega else 3
        return moving + told + runs * symbols * (tape * hidden + task.input_size + _readout(run, 1, 3))
    if kernel == "packed_lstm":  # gates, states and gradients of them, and slopes of a few steps, on a GPU of all
        tape = 16 if device.type == "cuda" else 12
        return moving + told + runs * symbols * (tape * hidden + task.input_size + _readout(run, 1, 3))
    if kernel == "attentive":
        # States, queries, attention weights and the two copies of the states that are handed on; back run by run.
        kept = 5 * hidden + task.sequence_length / 2 + _readout(run, 2, 3)
        return moving + max(told, symbols * (runs * kept + 8 * hidden))
    return moving + max(told, runs * symbols * (saved_numbers(run) + _readout(run, 2, 3)))


def _norms(run: RunSpec, runs: int, kernel: str, device: torch.device) -> float:
    """Numbers that the norms of every update take: beside the update by kernels that tell them, after it by others.

    A few float64 of every sample's step; and the gradients of the states, of a few steps at a time or with the tape of
    a way back of their own.
    """
    if not run.training.gradient_norms:
        return 0.0
    task, hidden, variables = run.task, run.cell.hidden_size, len(run.cell.measured)
    symbols = task.sequence_length * run.training.batch_size
    if kernel in WITH_NORMS:
        return runs * symbols * variables * (hidden * min(1, STEPS / task.sequence_length) + 8)
    if run_by_run(kernel):
        runs = min(runs, runs_at_once(kernel, symbols * hidden * _NUMBER, device) or runs)
    tape = 5.2 + 2.2 * variables  # states, what multiplies gradients on their way back, gradients of every step
    if isinstance(run.cell, Attentive):  # what goes back to all past states, of some steps at a time
        tape = 15 + task.sequence_length / (2 * hidden)
    return runs * symbols * (hidden * tape + 60 * variables)


def _fused_update(run: RunSpec, gates: int, kept: int, delta: int) -> float:
    """Numbers a symbol, at the largest: on the way forward, or on the way back."""
    hidden, inputs = run.cell.hidden_size, run.task.input_size
    held: float = inputs + hidden * (kept + (gates if gates > 1 else 0))  # an RNN's way back needs no pre-activations
    forward = inputs + hidden * (kept + gates)
    if run.training.omega:  # gradients of all states, directions and products
        held += 3.5 * hidden
    return max(forward, held + hidden * delta + _readout(run, 2, 3))


def _evaluation(run: RunSpec, runs: int, samples: int, device: torch.device) -> float:
    kernel, task, hidden = evaluation_kernel(run, device, runs), run.task, run.cell.hidden_size
    runs = min(runs, evaluated_at_once(task, run.cell, samples, _NUMBER, device))
    symbols = task.sequence_length * samples
    own = task.input_size + _targets(run)
    if kernel in _FUSED_KERNELS:  # the inputs run-major; states after every step, whichever of them are asked for
        gates, kept, _ = _FUSED_KERNELS[kernel]
        return runs * symbols * (own + task.input_size + max(hidden * (gates + kept), _readout(run, 1, 3) + hidden))
    if device.type == "cuda" and kernel in _CUDNN:  # outputs of all runs; what goes through the kernel of one
        gates, kept, _ = _CUDNN[kernel]
        through = task.input_size + hidden * (gates + kept)
        return symbols * (through + runs * (own + hidden + _readout(run, 1, 3)))
    if run_by_run(kernel):  # the outputs of all runs, and oneDNN's workspace of one
        return symbols * (hidden * (4.3 + runs) + runs * (own + _readout(run, 0.5, 3)))
    if kernel == "packed":
        return runs * symbols * (hidden + own + task.input_size + _readout(run, 0, 2))
    if kernel == "attentive":  # states and their two copies; queries and weights of one run
        one = 3 * hidden + task.sequence_length / 2
        return symbols * (runs * (3 * hidden + own + _readout(run, 0.5, 2)) + one)
    return runs * symbols * (sum(run.cell.state_sizes()) + own + _readout(run, 1.5, 2))


def _look(run: RunSpec, probe: Probe, runs: int, device: torch.device) -> float:
    task, hidden = run.task, run.cell.hidden_size
    symbols = task.sequence_length * probe.samples
    runs = min(runs, runs_per_group(symbols, run.cell, device))
    # States, what multiplies gradients on their way back, gradients of every step and the copies their norms need.
    tape = {RNN: 7.5, LSTM: 18.2}.get(type(run.cell.stepped), 5.2 + 2.2 * len(run.cell.measured))
    if isinstance(run.cell, Attentive):  # what goes back to all past states, of some steps at a time
        tape = 28 + task.sequence_length / (2 * hidden)
    width = 1 if getattr(probe, "precision", "float64") == "float32" else 2
    return width * runs * symbols * (hidden * tape + task.input_size + _targets(run) + _readout(run, 1.5, 2))


@lru_cache(maxsize=256)
def saved_numbers(run: RunSpec) -> float:
    """Numbers that autograd keeps of one sample's step for the backward pass of the loop kernel."""
    few, more = (_kept_bytes(run, steps) for steps in (2, 4))  # their difference: without what is kept but once
    return (more - few) / (2 * _SAMPLES * _NUMBER)


_SAMPLES = 16  # enough for copies of parameters not to count


def _kept_bytes(run: RunSpec, steps: int) -> int:
    params = {name: p[None].requires_grad_() for name, p in initial_parameters(run).items()}
    states = loop.unroll(
        run.cell.stepped, prepared(run.cell, params), torch.zeros(steps, 1, _SAMPLES, run.task.input_size)
    )
    kept = {p.untyped_storage().data_ptr(): 0 for p in params.values()}
    seen: set[object] = set()
    waiting = [state.grad_fn for state in states[-1]]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [follower for follower, _ in node.next_functions]
        for name in dir(node):
            value = getattr(node, name) if name.startswith("_saved_") else None
            if isinstance(value, torch.Tensor):
                storage = value.untyped_storage()
                kept.setdefault(storage.data_ptr(), storage.nbytes())
    return sum(kept.values())
