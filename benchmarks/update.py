"""Time per update: torch's own kernel without norms, lrd with its default measurements, a loop of cells with norms.

    python benchmarks/update.py [--rounds N] [--markdown FILE] [--quick]

Adding task, Adam, clipping by norm, float32, one CPU thread (lrd fills cores with single-threaded workers).

(a) stock: ``nn.RNN`` or ``nn.LSTM`` with ``nn.Linear``, ``torch.optim.Adam`` and ``clip_grad_norm_``; no norms.
(b) lrd: a pack of one at lrd's defaults, with gradient flow at its default schedule for a run of its default length:
    time of an update + measurements * time of a measurement / updates. Evaluation, which (a) does not do, is left out.
(c) loop: ``nn.RNNCell`` or ``nn.LSTMCell`` step by step, with ``retain_grad`` and the norm of dL/dh_t at every step.

All three are timed in turn, round after round; printed are medians, and medians of the ratios of a round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from machine import machine
from table import Table, add_markdown_option, medians_of, write_markdown

from lrd.probes import GradientFlow, Subject, log_spaced
from lrd.spec import job_from_config
from lrd.tasks import Adding
from lrd.training import Pack

SHAPES = ((100, 32, 64), (320, 10, 128), (500, 64, 128))
COLUMNS = (
    *("cell", "T", "batch", "hidden", "kernel", "a stock", "b lrd", "c loop", "b/a", "c/a"),
    *("one measurement, in updates", "its share of training"),
)


def stock(cell: str, task: Adding, batch: int, hidden: int) -> Callable[[], None]:
    """(a) One update as a plain script would write it."""
    body = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](2, hidden)
    head = torch.nn.Linear(hidden, 1)
    weights = [*body.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights)
    half = task.gap // 2

    def update() -> None:
        x = torch.zeros(task.gap, batch, 2)
        x[..., 0] = torch.rand(task.gap, batch)
        rows = torch.arange(batch)
        first, second = torch.randint(half, (batch,)), torch.randint(half, task.gap, (batch,))
        x[first, rows, 1] = x[second, rows, 1] = 1.0
        target = x[first, rows, 0] + x[second, rows, 0]
        states, _ = body(x)
        loss = (head(states[-1])[:, 0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()

    return update


def loop_of_cells(cell: str, task: Adding, batch: int, hidden: int) -> Callable[[], None]:
    """(c) One update by a Python loop that can say what every h_t received."""
    body = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell}[cell](2, hidden)
    head = torch.nn.Linear(hidden, 1)
    weights = [*body.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights)
    seeds = torch.zeros(1, dtype=torch.int64)
    step = 0

    def update() -> None:
        nonlocal step
        data = task.batch(seeds, "train", step, batch)
        step += 1
        state, hs = None, []
        for x in data.inputs[:, 0]:
            state = body(x, state)
            h = state if cell == "rnn" else state[0]
            h.retain_grad()
            hs.append(h)
        loss = (head(hs[-1]) - data.targets[0, 0]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.stack([h.grad.norm() for h in hs])
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()

    return update


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Mean wall time of a call."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds of a, b, c")
    parser.add_argument("--quick", action="store_true", help="one small shape, two rounds: does it run at all")
    add_markdown_option(parser)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rounds, shapes = (2, ((20, 4, 8),)) if given.quick else (given.rounds, SHAPES)
    about = [
        f"{machine('torch', 'numba')}.",
        f"One thread, times in ms an update, {medians_of(rounds)}.",
    ]
    table = Table(about, COLUMNS)
    for cell in ("rnn", "lstm"):
        for gap, batch, hidden in shapes:
            config = {
                "task": {"name": "adding", "gap": gap},
                "cell": {"name": cell, "hidden_size": hidden},
                "optimizer": {"name": "adam"},
                "training": {"batch_size": batch},
            }
            spec = job_from_config(config).run
            assert isinstance(spec.task, Adding)
            pack = Pack([spec], torch.device("cpu"))
            probe = GradientFlow()
            subject = Subject.of(pack.task, pack.cell, pack.parameters(), pack.seeds)
            rate = len(log_spaced(spec.training.max_updates, probe.per_decade)) / spec.training.max_updates

            def measure(probe: GradientFlow = probe, subject: Subject = subject) -> None:
                probe.tables_of(subject)

            calls = [
                stock(cell, spec.task, batch, hidden),
                pack.step,
                loop_of_cells(cell, spec.task, batch, hidden),
                measure,
            ]
            for call in calls:
                call()
            repeats = [max(1, min(50, int(0.15 / seconds(call, 1)))) for call in calls]
            times = [[seconds(call, n) for call, n in zip(calls, repeats, strict=True)] for _ in range(rounds)]
            a, b, c, price, share = zip(
                *((a, s + rate * p, c, p / s, rate * p / (s + rate * p)) for a, s, c, p in times), strict=True
            )
            ba = statistics.median(y / x for x, y in zip(a, b, strict=True))
            ca = statistics.median(y / x for x, y in zip(a, c, strict=True))
            ms = [1e3 * statistics.median(column) for column in (a, b, c)]
            of_measuring = f"{statistics.median(price):.1f}", f"{statistics.median(share):.1%}"
            table.add(cell, gap, batch, hidden, pack.net.kernel, *ms, ba, ca, *of_measuring)
    write_markdown(given.markdown, table)


if __name__ == "__main__":
    main()
