"""What a researcher without lrd would write: one Hydra job trains one net with plain torch. Used by sweep.py.

python benchmarks/plain_train.py -m cell=rnn,lstm 'seed=range(32)'
"""

from __future__ import annotations

from dataclasses import dataclass

import hydra
import torch
from hydra.core.config_store import ConfigStore


@dataclass
class Config:
    """Options of one job."""

    cell: str = "lstm"
    hidden_size: int = 32
    gap: int = 100
    batch_size: int = 32
    updates: int = 500
    eval_every: int = 100
    eval_samples: int = 512
    lr: float = 1e-3
    seed: int = 0


ConfigStore.instance().store(name="config", node=Config)


def adding(gap: int, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Sequences [time, batch, 2] of the adding task and their sums."""
    x = torch.zeros(gap, batch, 2)
    x[..., 0] = torch.rand(gap, batch)
    rows = torch.arange(batch)
    first, second = torch.randint(gap // 2, (batch,)), torch.randint(gap // 2, gap, (batch,))
    x[first, rows, 1] = x[second, rows, 1] = 1.0
    return x, x[first, rows, 0] + x[second, rows, 0]


@hydra.main(config_name="config", version_base="1.3")
def main(config: Config) -> float:
    """Train one net; returns its last evaluation loss."""
    torch.manual_seed(config.seed)
    body = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}[config.cell](2, config.hidden_size)
    head = torch.nn.Linear(config.hidden_size, 1)
    weights = [*body.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=config.lr)
    held_out = adding(config.gap, config.eval_samples)
    evaluated = float("nan")
    for update in range(config.updates):
        x, target = adding(config.gap, config.batch_size)
        loss = (head(body(x)[0][-1])[:, 0] - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        if (update + 1) % config.eval_every == 0:
            with torch.no_grad():
                evaluated = float((head(body(held_out[0])[0][-1])[:, 0] - held_out[1]).square().mean())
    return evaluated


if __name__ == "__main__":
    main()
