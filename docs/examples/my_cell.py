from dataclasses import dataclass
import torch
from lrd.cells import Cell
from lrd.options import option


@dataclass(frozen=True)
class MGU(Cell):
    """Minimal gated unit (Zhou et al. 2016): h_t = (1 - f) h_{t-1} + f tanh(U x_t + W (f h_{t-1}))."""

    name, state_names, keeps = "mgu", ("h",), {"h": "keep"}
    gain: float = option(1.0, "factor on the initial W", ge=0, per_run=True)

    def parameters(self, input_size, generator):
        n = self.hidden_size
        shapes = {"U": (n, input_size), "W": (n, n), "U_f": (n, input_size), "W_f": (n, n)}
        p = {k: torch.randn(*shape, generator=generator) / shape[1] ** 0.5 for k, shape in shapes.items()}
        return p | {"W": self.gain * p["W"]}

    def gates(self, p, x, state):
        f = torch.sigmoid(p["U_f"] @ x + p["W_f"] @ state[0])
        return {"forget": f, "keep": 1 - f}

    def step(self, p, x, state):
        (h,), f = state, self.gates(p, x, state)["forget"]
        return ((1 - f) * h + f * torch.tanh(p["U"] @ x + p["W"] @ (f * h)),)
