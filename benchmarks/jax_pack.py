"""The same runs in JAX: a compiled ``lax.scan`` under ``vmap``, on the adding task. Optional, for pack.py.

XLA's products of a batch of matrices are slow on a CPU, and so are its threads for a program this small. The runs are
therefore also tried spread over devices, one a core and one a run, as far as ``XLA_FLAGS`` made some, and the fastest
way is taken. A scan with an unrolled loop was tried (2, 4 and 10 steps): it is no faster.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

Tree = dict[str, Any]
Go = Callable[[int], None]
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def fastest(cell: str, gap: int, batch: int, hidden: int, runs: int, cores: int) -> tuple[Go, str]:
    """Return what does so many updates of all runs and waits for them, compiled the fastest way, and that way."""
    spread = sorted({n for n in (1, cores, runs) if runs % n == 0 and n <= len(jax.devices())})
    best = min((_Way(_updates(cell, gap, batch, hidden, runs, n), n) for n in spread), key=lambda way: way.seconds)
    return best.go, f"devices: {best.devices}"


class _Way:
    """A compiled program, and the seconds of an update by it: the best of a few."""

    def __init__(self, go: Go, devices: int) -> None:
        self.go, self.devices = go, devices
        go(1)
        times: list[float] = []
        while len(times) < 3 or (len(times) < 20 and sum(times) < 0.3):
            start = time.perf_counter()
            go(1)
            times.append(time.perf_counter() - start)
        self.seconds = min(times)


def _updates(cell: str, gap: int, batch: int, hidden: int, runs: int, devices: int) -> Go:
    by_run = NamedSharding(Mesh(np.array(jax.devices()[:devices]), ("runs",)), PartitionSpec("runs"))
    keys = jax.device_put(jax.random.split(jax.random.key(0), runs), by_run)
    theta, mean, square = (_initial(cell, hidden, runs) for _ in range(3))
    for zero in (*mean.values(), *square.values()):
        zero[...] = 0
    step = jax.jit(jax.vmap(partial(_update, cell, gap, batch), in_axes=(0, 0, None)), donate_argnums=0)
    state, number = jax.device_put((theta, mean, square), by_run), 0

    def go(count: int) -> None:
        nonlocal state, number
        for _ in range(count):
            state = step(state, keys, number)
            number += 1
        jax.block_until_ready(state)

    return go


def _initial(cell: str, hidden: int, runs: int) -> Tree:
    rows = GATES[cell] * hidden
    bound, shapes = hidden**-0.5, {"U": (2, rows), "W": (hidden, rows), "b": (rows,), "V": (hidden,), "c": ()}
    if cell == "gru":
        shapes["n"] = (hidden,)  # the bias of its candidate that the reset gate is multiplied with
    draw = np.random.default_rng(0).uniform
    return {name: draw(-bound, bound, (runs, *shape)).astype(np.float32) for name, shape in shapes.items()}


def _draw(key: Any, gap: int, batch: int) -> tuple[Any, Any]:
    values, first, second = jax.random.split(key, 3)
    x = jax.random.uniform(values, (gap, batch))
    i = jax.random.randint(first, (batch,), 0, gap // 2)
    j = jax.random.randint(second, (batch,), gap // 2, gap)
    rows = jnp.arange(batch)
    marks = jnp.zeros((gap, batch)).at[i, rows].set(1).at[j, rows].set(1)
    return jnp.stack([x, marks], -1), x[i, rows] + x[j, rows]


def _loss(theta: Tree, x: Any, target: Any, cell: str) -> Any:
    start = jnp.zeros((x.shape[1], theta["V"].shape[0]))

    def rnn(h: Any, a: Any) -> tuple[Any, None]:
        return jnp.tanh(a + h @ theta["W"]), None

    def lstm(state: Any, a: Any) -> tuple[Any, None]:
        h, c = state
        i, f, g, o = jnp.split(a + h @ theta["W"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    def gru(h: Any, a: Any) -> tuple[Any, None]:
        (ar, az, an), (hr, hz, hn) = jnp.split(a, 3, axis=-1), jnp.split(h @ theta["W"], 3, axis=-1)
        z = jax.nn.sigmoid(az + hz)
        n = jnp.tanh(an + jax.nn.sigmoid(ar + hr) * (hn + theta["n"]))
        return (1 - z) * n + z * h, None

    inputs = x @ theta["U"] + theta["b"]
    step = {"rnn": rnn, "lstm": lstm, "gru": gru}[cell]
    state, _ = jax.lax.scan(step, (start, start) if cell == "lstm" else start, inputs)
    last = state[0] if cell == "lstm" else state
    return jnp.mean((last @ theta["V"] + theta["c"] - target) ** 2)


def _update(cell: str, gap: int, batch: int, state: tuple[Tree, Tree, Tree], key: Any, number: Any) -> Any:
    """Update one run: draw, loss, gradient, clipping by norm, Adam."""
    theta, mean, square = state
    grad = jax.grad(_loss)(theta, *_draw(jax.random.fold_in(key, number), gap, batch), cell)
    norm = jnp.sqrt(sum(jnp.sum(g * g) for g in jax.tree.leaves(grad)))
    grad = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (norm + 1e-6)), grad)
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, grad)
    square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g * g, square, grad)
    t = number + 1.0
    theta = jax.tree.map(
        lambda p, m, s: p - 1e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(s / (1 - 0.999**t)) + 1e-8), theta, mean, square
    )
    return theta, mean, square
