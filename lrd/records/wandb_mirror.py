"""The wandb mirror: every run of a pack is a wandb run of its own, and all are open at once.

An error of wandb is reported once and ends the mirror, never the training. wandb writes below ``<study folder>/wandb``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.one_line import one_line
from lrd.records.wandb_runs import WandbRuns, tear_down

if TYPE_CHECKING:
    import numpy as np

    from lrd.records.mirror_content import LoggedUpdate

logger = logging.getLogger(__name__)

_LONGEST = 300  # characters of an error of wandb
RETRY = 600.0  # seconds until a process tries a silent server again; packs in between are mirrored offline


class WandbTracker:
    """The tracker that mirrors runs to wandb; ``lrd.records.wandb_runs`` defines what mirrors hold.

    ``mode`` is "offline" (the default), "online" or "disabled". An online mirror without a key or an answering server
    becomes offline, with one warning, for this process and the next ten minutes.
    """

    _away_until = float("-inf")  # monotonic clock; one for all packs of the process, which must not wait again

    def __init__(
        self,
        mode: str = "offline",
        project: str = "lrd",
        entity: str | None = None,
        directory: str | Path = ".",
    ) -> None:
        self.mode = mode
        self.directory = Path(directory)
        self.settings: Mapping[str, Any] = {"name": "wandb", "mode": mode, "project": project, "entity": entity}
        self._quiet = mode == "disabled"
        self._runs = WandbRuns(project, entity, self.directory)

    def start(self, run_id: str, study: str, config: Mapping[str, Any], name: str) -> None:
        """Open the wandb run of a run; the same id resumes one that was cut off."""
        if self._quiet:
            return
        if self.mode == "online" and time.monotonic() < WandbTracker._away_until:
            self.mode = "offline"
        if self.mode == "online":
            try:
                self._runs.open(run_id, study, config, name, self.mode)
                return
            except Exception as error:  # no key, no network, no server, no such entity: wandb has a class for each
                self.mode = "offline"
                WandbTracker._away_until = time.monotonic() + RETRY
                logger.warning(
                    "wandb: no server (%s). The mirror is kept offline from here on; `lrd sync %s` sends it later.",
                    one_line(error, _LONGEST),
                    self.directory,
                )
                if len(self._runs):
                    # Its id stays taken in wandb's service until that is torn down, which would close the open runs.
                    logger.warning("wandb: run %s goes without a mirror.", run_id)
                    return
                self._guard("restart", tear_down)
        self._guard("start a run", lambda: self._runs.open(run_id, study, config, name, self.mode))

    def resume(self, run_id: str, moments: Sequence[LoggedUpdate]) -> None:
        """Log again all that was shown before.

        A kill loses what wandb had not written yet, and a folder of wandb's holds one attempt alone.
        """
        if run_id in self._runs:
            self._guard("go on with a run", lambda: self._runs.catch_up(run_id, moments))

    def log(self, run_id: str, update: int, values: Mapping[str, float]) -> None:
        """Log scalars of one update, with the update as wandb's step."""
        if run_id in self._runs:
            self._guard("log", lambda: self._runs.log(run_id, update, values))

    def profiles(self, run_id: str, update: int, log10_norms: Mapping[str, np.ndarray | Sequence[float]]) -> None:
        """Log the images of all profiles so far."""
        if run_id in self._runs:
            self._guard("log gradient norms", lambda: self._runs.profiles(run_id, update, log10_norms))

    def finish(self, run_id: str, summary: Mapping[str, Any]) -> None:
        """Close a run with its summary; nothing happens where the run was never opened."""
        if run_id in self._runs:
            self._guard("finish a run", lambda: self._runs.finish(run_id, summary))

    def close(self) -> None:
        """Close the runs that are still open; wandb shows them as failed until they are resumed."""
        for run_id in self._runs.names:
            self._guard("close", lambda run_id=run_id: self._runs.finish(run_id, {}, exit_code=1))  # type: ignore[misc]

    def _guard(self, what: str, call: Callable[[], None]) -> None:
        if self._quiet:
            return
        try:
            call()
        except Exception as error:  # of any kind: training goes on
            self._quiet = True
            self._runs.forget()
            WandbTracker._away_until = time.monotonic() + RETRY
            logger.warning(
                "wandb: could not %s (%s). Training and its records go on without the wandb mirror; "
                "`lrd sync %s` makes up for it.",
                what,
                one_line(error, _LONGEST),
                self.directory,
            )
            tear_down()  # it would wait at exit for a server that does not answer, or trip over a service that is gone
