"""Print the loss of benchmarks/jax_pack.py on one batch, and that of torch's module with the same weights.

python tests/benchmarks/jax_beside_torch.py CELL
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import jax_pack

cell = sys.argv[1]
kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
theta = {name: value[0] for name, value in jax_pack._initial(cell, 5, 1).items()}
body = kind(2, 5)
given = {"weight_ih_l0": theta["U"].T, "weight_hh_l0": theta["W"].T, "bias_ih_l0": theta["b"]}
hidden_bias = np.zeros_like(theta["b"])
if cell == "gru":
    hidden_bias[-5:] = theta["n"]
body.load_state_dict({name: torch.tensor(value) for name, value in {**given, "bias_hh_l0": hidden_bias}.items()})
x, target = jax_pack._draw(jax.random.key(0), 10, 4)
answer = body(torch.tensor(np.array(x)))[0][-1] @ torch.tensor(theta["V"]) + torch.tensor(theta["c"])
expected = (answer - torch.tensor(np.array(target))).square().mean()
print(float(jax_pack._loss(theta, x, target, cell)), float(expected))
