"""The same runs in JAX: a compiled ``lax.scan`` under ``vmap``, on the adding task. Optional, for pack.py.

XLA's products of a batch of matrices are slow on a CPU, and so are its threads for a program this small. The runs are
therefore also tried spread over devices, one a core and one a run, as far as ``XLA_FLAGS`` made some, and the fastest
way is taken.
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


def updates(cell: str, gap: int, batch: int, hidden: int, runs: int, cores: int) -> Callable[[int], None]:
    """A function that does so many updates of all runs and waits for them."""
    ways = {devices for devices in (1, cores, runs) if runs % devices == 0 and devices <= len(jax.devices())}
    return min((_updates(cell, gap, batch, hidden, runs, devices) for devices in sorted(ways)), key=_seconds)


def _updates(cell: str, gap: int, batch: int, hidden: int, runs: int, devices: int) -> Callable[[int], None]:
    by_run = NamedSharding(Mesh(np.array(jax.devices()[:devices]), ("runs",)), PartitionSpec("runs"))
    keys = jax.device_put(jax.random.split(jax.random.key(0), runs), by_run)
    theta = jax.jit(jax.vmap(partial(_initial, cell, hidden)), out_shardings=by_run)(keys)
    step = jax.jit(jax.vmap(partial(_update, cell, gap, batch), in_axes=(0, 0, None)), donate_argnums=0)
    state, number = (theta, *(jax.tree.map(jnp.zeros_like, theta) for _ in range(2))), 0

    def go(count: int) -> None:
        nonlocal state, number
        for _ in range(count):
            state = step(state, keys, number)
            number += 1
        jax.block_until_ready(state)

    return go


def _seconds(go: Callable[[int], None]) -> float:
    """Of an update, the best of a few, once compiled."""
    go(1)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        go(1)
        times.append(time.perf_counter() - start)
    return min(times)


def _initial(cell: str, hidden: int, key: Any) -> Tree:
    rows = {"rnn": hidden, "lstm": 4 * hidden}[cell]
    bound, shapes = hidden**-0.5, {"U": (2, rows), "W": (hidden, rows), "b": (rows,), "V": (hidden,), "c": ()}
    return {
        name: jax.random.uniform(jax.random.fold_in(key, place), shape, minval=-bound, maxval=bound)
        for place, (name, shape) in enumerate(shapes.items())
    }


def _draw(key: Any, gap: int, batch: int) -> tuple[Any, Any]:
    values, first, second = jax.random.split(key, 3)
    x = jax.random.uniform(values, (gap, batch))
    i = jax.random.randint(first, (batch,), 0, gap // 2)
    j = jax.random.randint(second, (batch,), gap // 2, gap)
    rows = jnp.arange(batch)
    marks = jnp.zeros((gap, batch)).at[i, rows].set(1).at[j, rows].set(1)
    return jnp.stack([x, marks], -1), x[i, rows] + x[j, rows]


def _loss(theta: Tree, x: Any, target: Any, cell: str) -> Any:
    hidden = theta["V"].shape[0]
    h = jnp.zeros((x.shape[1], hidden))

    def rnn(h: Any, a: Any) -> tuple[Any, None]:
        return jnp.tanh(a + h @ theta["W"]), None

    def lstm(state: Any, a: Any) -> tuple[Any, None]:
        h, c = state
        i, f, g, o = jnp.split(a + h @ theta["W"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    inputs = x @ theta["U"] + theta["b"]
    last = jax.lax.scan(rnn, h, inputs)[0] if cell == "rnn" else jax.lax.scan(lstm, (h, h), inputs)[0][0]
    return jnp.mean((last @ theta["V"] + theta["c"] - target) ** 2)


def _update(cell: str, gap: int, batch: int, state: tuple[Tree, Tree, Tree], key: Any, number: Any) -> Any:
    """One run: draw, loss, gradient, clipping by norm, Adam."""
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
