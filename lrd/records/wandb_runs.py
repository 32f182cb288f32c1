"""wandb runs, many of them open in one process. Their errors are raised.

wandb is imported when the first run opens, and elsewhere in lrd only in ``wandb_server`` and ``workspace``.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.records.heatmap import heatmap
from lrd.records.mirror_content import summary_values
from lrd.records.wandb_environment import take_away

if TYPE_CHECKING:
    import numpy as np

    from lrd.records.mirror_content import LoggedUpdate

    Profiles = Mapping[str, np.ndarray | Sequence[float]]

INIT_TIMEOUT = 15.0  # seconds for the server to answer when a run opens
FLUSH_INTERVAL = 1.0  # seconds of an offline run that a kill may cost; wandb's own 15 would lose whole short runs
FINISH_TIMEOUT = 15.0  # seconds for the last uploads when a run closes; `lrd sync` sends the rest

#: Settings that make many open runs cheap: no system metrics, console capture, git or package list, no printing.
SETTINGS: dict[str, Any] = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "finish_timeout": FINISH_TIMEOUT,
    "finish_timeout_raises": True,  # or many runs would wait one after another for a silent server
    "init_timeout": INIT_TIMEOUT,
    "quiet": True,
    "silent": True,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
    "x_transaction_log_flush_interval": FLUSH_INTERVAL,
}


def prepare(directory: Path) -> None:
    """Prepare the process for importing wandb, so that all that wandb writes is below ``directory``."""
    take_away()
    # wandb's service writes a log to the cache, and the home folder may be read-only or over quota. wandb's error
    # reports would print errors of their own where there is no network.
    os.environ.setdefault("WANDB_CACHE_DIR", str(directory.resolve() / "wandb" / ".cache"))
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    directory.mkdir(parents=True, exist_ok=True)


def log_in() -> None:
    """Find a key and log in to the server with it. Any error of wandb's may be raised, too.

    Raises:
        RuntimeError: there is no key.
    """
    import wandb

    wandb.setup(settings=wandb.Settings(silent=True, quiet=True))
    if not wandb.login(prompt=False, verify=True):  # never ask for a key, in the middle of a progress display
        raise RuntimeError("no API key; `wandb login` or WANDB_API_KEY gives one")


def tear_down(patience: float = 5.0) -> None:
    """End wandb's service; kill it if it runs after ``patience`` seconds still, as when it waits for a server."""
    process = _service()

    def end() -> None:
        with contextlib.suppress(Exception):
            import wandb

            wandb.teardown()

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    thread.join(patience)
    if thread.is_alive() and process is not None:
        process.kill()
        thread.join(patience)


def _service() -> subprocess.Popen[bytes] | None:
    """Return the process of wandb's service, for which wandb has no public name; None where there is none."""
    setup = sys.modules.get("wandb.sdk.wandb_setup")
    connection = getattr(getattr(setup, "_singleton", None), "_connection", None)
    found = getattr(getattr(connection, "_proc", None), "_process", None)
    return found if isinstance(found, subprocess.Popen) else None


class WandbRuns:
    """The open wandb runs of a process.

    A wandb run has the study as its group, the id of the run, the spec as config, scalars against ``update`` and
    gradient norms as images.
    """

    def __init__(self, project: str, entity: str | None, directory: Path) -> None:
        self.project = project
        self.entity = entity
        self.directory = directory
        self._logged_in = False
        self._runs: dict[str, Any] = {}
        self._flow: dict[str, dict[str, list[tuple[int, np.ndarray]]]] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def names(self) -> list[str]:
        """Ids of the open runs."""
        return list(self._runs)

    def open(self, run_id: str, study: str, config: Mapping[str, Any], name: str, mode: str) -> None:
        """Open the wandb run of a run; the same id resumes an earlier one.

        Args:
            run_id: id of the run.
            study: name of its study.
            config: the nested spec.
            name: what people read.
            mode: ``online`` or ``offline``.
        """
        prepare(self.directory)
        import wandb

        known = wandb.Settings.model_fields
        if mode == "online" and not self._logged_in:
            log_in()
            self._logged_in = True
        run = wandb.init(
            project=self.project,
            entity=self.entity,
            id=run_id,
            group=study,
            config=dict(config),
            name=name,
            dir=str(self.directory),
            mode="online" if mode == "online" else "offline",
            reinit="create_new",
            resume="allow",
            settings=wandb.Settings(**{key: value for key, value in SETTINGS.items() if key in known}),
        )
        run.define_metric("update")
        run.define_metric("*", step_metric="update")
        self._runs[run_id] = run
        self._flow[run_id] = {}

    def log(self, run_id: str, update: int, values: Mapping[str, float]) -> None:
        """Log scalars of one update, with the update as wandb's step. wandb ignores steps that the server has."""
        row = {"update": update, **{name: float(value) for name, value in values.items()}}
        self._runs[run_id].log(row, step=update)

    def profiles(self, run_id: str, update: int, log10_norms: Profiles) -> None:
        """Log the images of all profiles so far, by table and variable."""
        self.remember(run_id, update, log10_norms)
        self._log_images(run_id, update, list(log10_norms))

    def remember(self, run_id: str, update: int, log10_norms: Profiles) -> None:
        """Keep profiles for the images of later updates, without logging an image."""
        import numpy as np

        for name, values in log10_norms.items():
            rows = self._flow[run_id].setdefault(name, [])
            rows.append((update, np.array(values, dtype=np.float64)))

    def catch_up(self, run_id: str, moments: Sequence[LoggedUpdate]) -> None:
        """Log all that a resumed run had shown: every row of scalars, and one image of all measurements."""
        last = max((moment.update for moment in moments if moment.profiles), default=None)
        for moment in moments:
            if moment.values:
                self.log(run_id, moment.update, moment.values)
            self.remember(run_id, moment.update, moment.profiles)
            if moment.update == last:  # one image takes a hundred times as long as a row
                self._log_images(run_id, moment.update, list(self._flow[run_id]))

    def _log_images(self, run_id: str, update: int, names: Sequence[str]) -> None:
        import wandb

        images: dict[str, Any] = {"update": update}
        for name in names:
            rows, (_, *part, variable) = self._flow[run_id][name], name.split("/")
            pixels, low, high = heatmap([row for _, row in rows])
            what = f"log10 |dL/d{variable}_t|" + "".join(f" of {where}" for where in part)
            caption = (  # a terminal shows its first words
                f"{what}: {low:.1f} (dark) to {high:.1f} (bright), grey: zero; "
                f"down: updates {', '.join(str(logged) for logged, _ in rows)}; across: t = 0 to {len(rows[-1][1]) - 1}"
            )
            images[name] = wandb.Image(pixels, caption=caption)
        self._runs[run_id].log(images, step=update)

    def finish(self, run_id: str, summary: Mapping[str, Any], exit_code: int = 0) -> None:
        """Close a run.

        Args:
            run_id: id of the run.
            summary: what its mirror keeps as numbers of the whole run; may be empty.
            exit_code: other than 0, wandb shows the run as failed until it is resumed.
        """
        run = self._runs.pop(run_id)
        self._flow.pop(run_id, None)
        if summary:
            run.summary.update(summary_values(summary))
        run.finish(exit_code=exit_code)

    def forget(self) -> None:
        """Forget the open runs without closing them."""
        self._runs.clear()
        self._flow.clear()
