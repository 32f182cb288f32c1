"""The wandb server for ``lrd sync``: asking what it has of a study's runs, and sending the rest."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from lrd.one_line import one_line
from lrd.records.mirrored_run import MirroredRun, ServerState
from lrd.records.sync import ServerError
from lrd.records.wandb_runs import WandbRuns, log_in, prepare, tear_down

ASK_TIMEOUT = 30  # seconds for one answer of the server; wandb itself tries again for longer
PAGE = 200  # runs asked for at once
_KEY = re.compile(r"\b[0-9a-f]{40}\b|\bwandb_v\d+_\w+")
_WAYS_OUT = (
    "WANDB_API_KEY or `wandb login` gives the key, WANDB_BASE_URL the server; --entity and --project say where on it"
)
T = TypeVar("T")


def replay(runs: WandbRuns, shown: MirroredRun, after: int, mode: str) -> None:
    """Log a run from its record, in the way of the live mirror.

    Args:
        runs: where it is opened.
        shown: the run.
        after: the last update that is not logged again.
        mode: ``online`` or ``offline``.
    """
    runs.open(shown.run_id, shown.study, shown.config, shown.run_id, mode)
    for moment in shown.moments:
        if moment.update <= after:
            runs.remember(shown.run_id, moment.update, moment.profiles)
            continue
        if moment.values:
            runs.log(shown.run_id, moment.update, moment.values)
        if moment.profiles:
            runs.profiles(shown.run_id, moment.update, moment.profiles)
    runs.finish(shown.run_id, shown.summary or {}, exit_code=0 if shown.summary is not None else 1)


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return the result of a call, in a thread of its own: no timeout of wandb's ends its retries.

    Raises:
        ServerError: the call raised an error, or did not return within ``seconds``.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(call())
        except BaseException as error:  # raised in the caller's thread
            errors.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    if errors and not isinstance(errors[0], Exception):
        raise errors[0]
    detail = without_keys(str(errors[0]) or type(errors[0]).__name__) if errors else f"no answer in {seconds:.0f} s"
    raise ServerError(f"wandb: {detail.rstrip('.')}{'' if 'no API key' in detail else f' ({_WAYS_OUT})'}") from None


class WandbServer:
    """One project of the server that wandb is set up for. wandb writes its own files to ``directory``."""

    def __init__(self, project: str, entity: str | None, directory: Path) -> None:
        self.project = project
        self.entity = entity
        self.directory = directory
        self._runs = WandbRuns(project, entity, directory)
        self._logged_in = False

    def known(self, run_ids: Collection[str]) -> dict[str, ServerState]:
        """Return what the server has of these runs: nothing, where the project is not there yet."""
        return within(ASK_TIMEOUT, lambda: self._known(list(run_ids)))

    def send(self, shown: MirroredRun, after: int) -> None:
        """Send what is later than update ``after``, and the summary; return when the server has taken it."""
        try:
            within(2 * ASK_TIMEOUT, lambda: replay(self._runs, shown, after, "online"))
        except ServerError:
            self._runs.forget()
            raise

    def _known(self, run_ids: list[str]) -> dict[str, ServerState]:
        prepare(self.directory)
        if not self._logged_in:
            log_in()
            self._logged_in = True
        import wandb

        api = wandb.Api(timeout=ASK_TIMEOUT)
        path = f"{self.entity or api.default_entity}/{self.project}"
        found: dict[str, ServerState] = {}
        for start in range(0, len(run_ids), PAGE):
            filters = {"name": {"$in": run_ids[start : start + PAGE]}}
            try:
                runs = list(api.runs(path, filters=filters, per_page=PAGE, lazy=False))
            except ValueError as error:
                if "find project" not in str(error):
                    raise
                return {}
            found |= {run.id: _of(run) for run in runs}
        return found

    def close(self) -> None:
        """End wandb's service, within some seconds."""
        tear_down()


def _of(run: Any) -> ServerState:
    summary = dict(run.summary_metrics or {})
    steps = [summary.get("_step"), (getattr(run, "historyKeys", None) or {}).get("lastStep")]
    last = max((int(step) for step in steps if isinstance(step, int | float)), default=-1)
    return ServerState(last, "outcome" in summary)


def without_keys(text: str) -> str:
    """Return a message in one line, with ``***`` for the key in use and for all that looks like a key."""
    own = os.environ.get("WANDB_API_KEY")
    line = one_line(text.replace(own, "***") if own else text)
    return _KEY.sub("***", line)[:300]
