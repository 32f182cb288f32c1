"""What training costs in seconds: a formula over shapes, with one table of prices for each kernel.

An action on R runs, sequences of T steps, a batch of B, H units and g gates (4 in a gated cell, else 1) takes

    start + run R + step T + sample (R T B) + unit (R T B H g) + product (R T B H^2 g)   seconds,

where ``start``, ``run`` and ``step`` are calls of operations, ``sample`` is the drawing of sequences, ``unit``
element-wise arithmetic and ``product`` matrix products. Torch's own kernels take run by run: their steps count R times.

The prices are non-negative least squares of relative errors over 155 shapes (T 10 to 300, B 8 and 32, H 16 to 128, R 1
to 16; adding task; torch 2.13, one core of an Intel Xeon with AVX-512), which they meet within a factor of 2, mostly
within 1.2. Rougher: those of ``stock_gru`` and ``traced`` are fits to 8 and 22 shapes on a busy machine, scaled down by
hand, their looks guesses; those of the attentive kernel, whose work grows with T^2, are of 24 shapes (T 10 to 120) and
met within a factor of 5; those of ``packed_lstm`` and Omega are good to a factor of about 2. On another
machine all are off by much the same factor, which ``lrd.sweeps.calibrate`` measures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from lrd.cells import GRU, Cell, CoupledLSTM
from lrd.kernels import WITH_NORMS, run_by_run
from lrd.probes import log_spaced
from lrd.spec import RunSpec
from lrd.training.tricks import evaluation_kernel, update_kernel

EVAL_CHUNK = 256  # sequences of one evaluation that are taken at once (Pack.evaluate)
#: Seconds beside the arithmetic: a pack's start and end, a run's record from beginning to end, and each look at a run
#: written to it. Measured with the wandb mirror, which is half of it, on runs of 1 and 100 updates of 4 units.
PACK_SECONDS, RECORD_SECONDS, LOOK_SECONDS = 0.015, 0.045, 0.008
ACTIONS = ("update", "evaluate", "look")


@dataclass(frozen=True)
class Price:
    """Seconds of each term of the formula."""

    start: float
    run: float
    step: float
    sample: float
    unit: float
    product: float


PRICES: dict[str, dict[str, Price]] = {
    "packed": {
        "update": Price(6.2e-4, 4.8e-5, 6.2e-6, 7.3e-8, 4.2e-9, 6.2e-11),
        "evaluate": Price(3.9e-4, 3.3e-6, 0, 2.5e-8, 1.2e-9, 1.7e-11),
        "look": Price(9.3e-4, 0, 3.6e-5, 2.1e-7, 1.4e-8, 4.6e-11),
    },
    "stock": {
        "update": Price(7.0e-4, 2.9e-4, 1.5e-6, 4.2e-8, 2.7e-9, 5.9e-11),
        "evaluate": Price(4.6e-4, 6.6e-5, 0, 3.2e-8, 8.0e-10, 1.3e-11),
        "look": Price(7.4e-4, 0, 1.1e-4, 2.4e-7, 1.6e-8, 4.1e-11),
    },
    "attentive": {
        "update": Price(0, 0, 2.6e-4, 6.3e-6, 0, 5.2e-10),
        "evaluate": Price(0, 0, 8.8e-5, 0, 0, 1.0e-10),
        "look": Price(0, 0, 2.0e-3, 1.9e-5, 5.7e-7, 0),
    },
    "stock_gru": {
        "update": Price(4.5e-4, 2.8e-4, 1.1e-4, 6.0e-7, 5.7e-9, 8.5e-11),
        "evaluate": Price(3.1e-4, 1.0e-4, 1.0e-5, 3.0e-7, 4.0e-10, 2.5e-11),
        "look": Price(1.5e-3, 0, 2.5e-4, 2.1e-7, 3.0e-8, 4.6e-11),
    },
    "traced": {
        "update": Price(1.0e-3, 2.0e-4, 1.6e-4, 4.2e-8, 1.0e-8, 8.0e-11),
        "evaluate": Price(9.0e-4, 0, 5.5e-5, 3.2e-8, 3.5e-9, 1.5e-11),
        "look": Price(1.5e-3, 0, 2.5e-4, 2.1e-7, 3.0e-8, 4.6e-11),
    },
    "loop": {
        "update": Price(9.6e-4, 0, 3.0e-4, 4.2e-8, 2.2e-8, 6.0e-11),
        "evaluate": Price(9.7e-4, 2.9e-5, 2.0e-4, 3.2e-8, 4.2e-9, 1.5e-11),
        "look": Price(2.1e-3, 0, 6.6e-4, 2.1e-7, 4.1e-8, 4.6e-11),
    },
}
PRICES["packed_lstm"] = PRICES["stock"] | {"update": Price(1.1e-3, 5.0e-5, 5.0e-5, 4.2e-8, 6.5e-9, 5.0e-11)}
#: What the regulariser Omega adds to an update.
OMEGA = Price(2.0e-4, 0, 5.5e-5, 0, 1.8e-8, 4.0e-11)
#: What telling gradient norms adds to an update of a kernel that has them at hand; others go there and back once more,
#: for about a look. By hand from two shapes (T 100, 4 runs, on a busy machine), to a factor of about 2.
NORMS = Price(3.0e-4, 0, 4.0e-6, 6.0e-8, 2.0e-9, 0)


def action_seconds(action: str, run: RunSpec, runs: int, samples: int) -> float:
    """Seconds of one action on ``runs`` runs with ``samples`` sequences each: an update, an evaluation or a look.

    A look is one of the probe ``gradient_flow``, which is what other probes' ``price`` is counted in.
    """
    kernel = update_kernel(run) if action == "update" else evaluation_kernel(run)
    price = PRICES[kernel if kernel in PRICES else "loop"][action]
    calls = runs if run_by_run(kernel) and action != "look" else 1
    steps, hidden, chunks = run.task.sequence_length, run.cell.hidden_size, 1
    if action == "evaluate":
        chunks = math.ceil(samples / EVAL_CHUNK)
    symbols = runs * steps * samples
    prices = [price, OMEGA] if action == "update" and run.training.omega else [price]
    units = symbols * hidden * gates(run.cell)
    again = 0.0
    if action == "update" and run.training.gradient_norms:
        if kernel in WITH_NORMS:
            prices.append(NORMS)
        else:
            again = action_seconds("look", run, runs, samples)
    return again + sum(
        chunks * (price.start + price.run * runs + price.step * steps * calls)
        + price.sample * symbols
        + (price.unit + price.product * hidden) * units
        for price in prices
    )


def gates(cell: Cell) -> int:
    """Pre-activations of a unit: 4 in a cell with more than one state variable, as in the LSTM; 1 in a vanilla one."""
    if isinstance(cell, GRU | CoupledLSTM):
        return 3
    return 4 if len(cell.measured) > 1 else 1


@dataclass(frozen=True)
class Work:
    """How often each action is done from an update on to the last one, at most; looks of all probes together."""

    updates: int
    looks: int
    evaluations: int


@lru_cache(maxsize=4096)
def moments_from(last: int, per_decade: int, start: int) -> int:
    """How often a probe looks at a run of ``last`` updates from ``start`` on; update 0 is looked at too."""
    return sum(moment > start for moment in log_spaced(last, per_decade)) + (start == 0)


def work_of(run: RunSpec, start: int = 0) -> Work:
    """The work of a run from update ``start`` on."""
    last, every = run.training.max_updates, run.training.eval_every
    looks = sum(moments_from(last, probe.per_decade, start) for probe in run.probes)
    return Work(last - start, looks, math.ceil(last / every) - start // every + (start == 0))


def pack_seconds(run: RunSpec, runs: int, start: int = 0, speed: Mapping[str, float] | None = None) -> float:
    """Seconds that a pack of ``runs`` like ``run`` takes from update ``start`` to its last one.

    ``speed``: for each action, by what factor this machine is slower than that of ``PRICES`` (default: 1).
    """
    done, training = work_of(run, start), run.training
    factor = dict.fromkeys(ACTIONS, 1.0) | dict(speed or {})
    evaluation = action_seconds("evaluate", run, runs, training.eval_samples) * done.evaluations
    evaluation += action_seconds("evaluate", run, runs, training.test_samples)
    looking = sum(
        probe.price
        * moments_from(training.max_updates, probe.per_decade, start)
        * action_seconds("look", run, runs, probe.samples)
        for probe in run.probes
    )
    return (
        factor["update"] * done.updates * action_seconds("update", run, runs, training.batch_size)
        + factor["evaluate"] * evaluation
        + factor["look"] * looking
        + PACK_SECONDS
        + runs * (RECORD_SECONDS + LOOK_SECONDS * done.looks)
    )
