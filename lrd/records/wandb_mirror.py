"""The wandb mirror: each run of a pack is its own wandb run, open side by side with the others.

wandb is imported when the first run starts, and nowhere else in lrd. Whatever goes wrong in it is said once and costs
the mirror, never the training. What it writes goes to ``<study folder>/wandb``.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.records.heatmap import heatmap

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)

INIT_TIMEOUT = 15.0  # seconds for the server to answer when a run opens
FLUSH_INTERVAL = 1.0  # seconds of an offline run that a kill may cost; wandb's own 15 would lose whole short runs
FINISH_TIMEOUT = 15.0  # seconds for the last uploads when a run closes; `wandb sync` sends the rest

#: What makes many open runs cheap: no system metrics, console capture, git or list of packages. Nothing is printed.
SETTINGS: dict[str, Any] = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "finish_timeout": FINISH_TIMEOUT,
    "init_timeout": INIT_TIMEOUT,
    "quiet": True,
    "silent": True,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
    "x_transaction_log_flush_interval": FLUSH_INTERVAL,
}


class WandbTracker:
    """Mirrors runs to wandb: study as group, run id as id, the spec as config, scalars against ``update``.

    ``mode`` is "offline" (the default), "online" or "disabled". Online without a key or an answering server becomes
    offline, with one warning. Gradient flow is an image for each variable: see ``lrd.records.heatmap``.
    """

    def __init__(
        self,
        mode: str = "offline",
        project: str = "lrd",
        entity: str | None = None,
        directory: str | Path = ".",
    ) -> None:
        self.mode = mode
        self.project = project
        self.entity = entity
        self.directory = Path(directory)
        self._quiet = mode == "disabled"
        self._logged_in = False
        self._runs: dict[str, Any] = {}
        self._flow: dict[str, dict[str, list[tuple[int, np.ndarray]]]] = {}

    def start(self, run_id: str, study: str, config: Mapping[str, Any], name: str) -> None:
        """Open the wandb run of a run; under the same id it goes on with the one that was cut off."""
        if self._quiet:
            return
        arguments = {"id": run_id, "group": study, "config": dict(config), "name": name}
        if self.mode == "online":
            try:
                self._open(run_id, arguments)
                return
            except Exception as error:  # no key, no network, no server, no such entity: wandb has a class for each
                self.mode = "offline"
                logger.warning(
                    "wandb: no server (%s). The mirror is kept offline from here on; `wandb sync %s` sends it later.",
                    _one_line(error),
                    self.directory / "wandb" / "offline-run-*",
                )
                if self._runs:
                    # Its id stays taken in wandb's service until that is torn down, which would close the open runs.
                    logger.warning("wandb: run %s goes without a mirror.", run_id)
                    return
                self._guard("restart", _tear_down)
        self._guard("start a run", lambda: self._open(run_id, arguments))

    def log(self, run_id: str, update: int, values: Mapping[str, float]) -> None:
        """Scalars of one update, with the update as wandb's step."""
        if run_id in self._runs:
            row = {"update": update, **{name: float(value) for name, value in values.items()}}
            self._guard("log", lambda: self._runs[run_id].log(row, step=update))

    def gradient_flow(self, run_id: str, update: int, log10_norms: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """The image of all profiles so far, for each variable."""
        if run_id in self._runs:
            self._guard("log gradient flow", lambda: self._log_images(run_id, update, log10_norms))

    def finish(self, run_id: str, summary: Mapping[str, Any]) -> None:
        """Close a run with its summary; a run that was never opened is nothing to close."""
        if run_id in self._runs:
            self._guard("finish a run", lambda: self._close(run_id, summary, exit_code=0))

    def close(self) -> None:
        """Close the runs that are still open; wandb shows them as failed until they are resumed."""
        for run_id in list(self._runs):
            self._guard("close", lambda run_id=run_id: self._close(run_id, {}, exit_code=1))  # type: ignore[misc]

    def _open(self, run_id: str, arguments: Mapping[str, Any]) -> None:
        # Both before wandb is imported. Its service writes a log to the cache, and the home folder may be read-only or
        # over quota. Its own error reports would print errors of their own when there is no network.
        os.environ.setdefault("WANDB_CACHE_DIR", str(self.directory.resolve() / "wandb" / ".cache"))
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
        self.directory.mkdir(parents=True, exist_ok=True)
        import wandb

        known = wandb.Settings.model_fields
        settings = {name: value for name, value in SETTINGS.items() if name in known}
        if self.mode == "online" and not self._logged_in:
            wandb.setup(settings=wandb.Settings(silent=True, quiet=True))
            if not wandb.login(prompt=False, verify=True):
                # never ask for a key: init would, in the middle of a progress display
                raise RuntimeError("no API key; `wandb login` or WANDB_API_KEY gives one")
            self._logged_in = True
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            dir=str(self.directory),
            mode="online" if self.mode == "online" else "offline",
            reinit="create_new",
            resume="allow",
            settings=wandb.Settings(**settings),
            **arguments,
        )
        run.define_metric("update")
        run.define_metric("*", step_metric="update")
        self._runs[run_id] = run
        self._flow[run_id] = {}

    def _log_images(self, run_id: str, update: int, log10_norms: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        import numpy as np
        import wandb

        images: dict[str, Any] = {"update": update}
        for variable, values in log10_norms.items():
            rows = self._flow[run_id].setdefault(variable, [])
            rows.append((update, np.array(values, dtype=np.float64)))
            pixels, low, high = heatmap([row for _, row in rows])
            caption = (
                f"log10 norm of dL/d{variable}_t from {low:.1f} (dark) to {high:.1f} (bright), grey: zero; "
                f"down: updates {', '.join(str(logged) for logged, _ in rows)}; across: t = 0 to {len(rows[-1][1]) - 1}"
            )
            images[f"gradient_flow/{variable}"] = wandb.Image(pixels, caption=caption)
        self._runs[run_id].log(images, step=update)

    def _close(self, run_id: str, summary: Mapping[str, Any], exit_code: int) -> None:
        run = self._runs.pop(run_id)
        self._flow.pop(run_id, None)
        if summary:
            run.summary.update(dict(summary))
        run.finish(exit_code=exit_code)

    def _guard(self, what: str, call: Callable[[], None]) -> None:
        if self._quiet:
            return
        try:
            call()
        except Exception as error:  # whatever it is, it is the mirror's trouble
            self._quiet = True
            self._runs.clear()
            self._flow.clear()
            logger.warning(
                "wandb: could not %s (%s). Training and its records go on without the wandb mirror.",
                what,
                _one_line(error),
            )
            if isinstance(error, ConnectionError):  # its service is gone, over which it would trip again at exit
                with contextlib.suppress(Exception):
                    _tear_down()


def _tear_down() -> None:
    import wandb

    wandb.teardown()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
