"""The charts of a study's wandb dashboard, in sections, each chart of keys that the study's mirrors hold.

This module also decides which axes are logarithmic. ``lrd.records.workspace`` makes wandb's panels of the charts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lrd.records.mirror_keys import MirrorKeys


@dataclass(frozen=True)
class Chart:
    """One panel of a dashboard.

    ``kind`` is ``curves`` (keys against the update), ``runs`` (a point a run: one key of the summary against the gap),
    ``bars`` (one key of the summary by cell, medians over runs) or ``pictures`` (images by update).
    """

    kind: Literal["curves", "runs", "bars", "pictures"]
    title: str
    keys: tuple[str, ...]
    log_x: bool = False
    log_y: bool = False

    @property
    def line(self) -> str:
        """The chart in words."""
        axes = ", ".join(f"log {axis}" for axis, on in (("x", self.log_x), ("y", self.log_y)) if on)
        against = {"curves": "against update", "runs": "against gap", "bars": "by cell", "pictures": "pictures"}
        return f"{self.title}: {', '.join(self.keys)} {against[self.kind]}{f' ({axes})' if axes else ''}"


def sections(keys: MirrorKeys) -> dict[str, list[Chart]]:
    """Return the charts of each section, in order. Every key of the history is in one chart; no section is empty.

    Probes measure at log-spaced updates, so the update is on a log axis in their charts. Update 0 has no place on that
    axis: what probes measured before training is ``*_start`` in the summary.
    """
    history, summary = keys.history, keys.summary

    def starting(*prefixes: str) -> tuple[str, ...]:
        return tuple(key for key in history if key.startswith(prefixes))

    def seen(title: str, *prefixes: str, log_y: bool = False) -> Chart:
        return Chart("curves", title, starting(*prefixes), log_x=True, log_y=log_y)

    def ended(title: str, key: str, log_y: bool = False) -> Chart:
        return Chart("runs", title, (key,) if key in summary else (), log_x=True, log_y=log_y)

    def pictured(title: str, prefix: str) -> Chart:
        return Chart("pictures", title, tuple(key for key in keys.media if key.startswith(prefix)))

    flow = [
        seen("slope of log10 norm of dL/ds_t over t, above 0: vanishes going back", "slope_"),
        seen("horizon: steps back to 1/e", "horizon_", log_y=True),
        pictured("log10 norm of dL/ds_t, L of one answer, a row a measurement", "gradient_flow/"),
        pictured("log10 norm of dL/ds_t, L of training, a row sums up the updates since the last", "gradient_norms/"),
        Chart("curves", "norm of the gradient over all parameters", starting("grad_norm"), log_y=True),
        seen("leading Lyapunov exponent, nats a step", "lyapunov_"),
        seen("log10 of the largest singular value of d state_T/d state_t, a step", "sigma_rate"),
        *(ended(f"slope {when} training", f"slope_h_{end}") for when, end in (("before", "start"), ("after", "end"))),
    ]
    inside = [
        seen("mean gate", "gate_"),
        seen("log10 of what forget gates keep from store to answer", "log10_kept_"),
        seen("readable at the answer, 0: chance, 1: all", "readable_"),
    ]
    taken = {key for chart in (*flow, *inside) for key in chart.keys}
    losses = tuple(key for key in ("train_loss", "eval_loss") if key in history)
    taken.update(losses)
    learning = [Chart("curves", "loss", losses, log_y=True)]
    learning += [Chart("curves", key, (key,), log_y=_positive(key)) for key in history if key not in taken]
    learning += [ended("updates to solve", "solved_at", log_y=True), ended("test loss", "test_loss", log_y=True)]
    cost = [
        ended("seconds an update", "seconds_per_update", log_y=True),
        Chart("bars", "seconds an update", tuple(key for key in ("seconds_per_update",) if key in summary)),
        ended("seconds a run", "seconds", log_y=True),
    ]
    found = {"learning": learning, "gradient flow": flow, "gates and retention": inside, "cost": cost}
    kept = {name: [chart for chart in charts if chart.keys] for name, charts in found.items()}
    return {name: charts for name, charts in kept.items() if charts}


def _positive(key: str) -> bool:
    """Return whether a metric is a positive number over orders of magnitude, rather than a share or a score."""
    positive = ("loss", "_error", "omega", "norm_stabilizer")
    return key.endswith(positive) or ("_error_" in key and not key.endswith("share"))
