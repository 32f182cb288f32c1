"""wandb's environment variables: which of them hold for a mirror.

A mirror has its run's id and name, its study as group, and its record as the source of all that it shows. Variables
about the server, the way to it, and notes on a run are left to wandb. Four variables stand for options of ``tracker``.
All others are removed before wandb is imported, so that no variable of a later wandb can change a mirror's id.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from lrd.records.files import RecordError

#: Variables that wandb reads itself.
HONOURED = frozenset(
    f"WANDB_{name}"
    for name in (
        *("API_KEY", "IDENTITY_TOKEN_FILE", "CREDENTIALS_FILE", "BASE_URL", "APP_URL", "INSECURE_DISABLE_SSL"),
        *("HTTP_PROXY", "HTTPS_PROXY", "X_PROXIES", "_PROXIES", "X_EXTRA_HTTP_HEADERS", "_EXTRA_HTTP_HEADERS"),
        *("HTTP_TIMEOUT", "FILE_PUSHER_TIMEOUT", "ENTITY", "PROJECT", "ORGANIZATION", "USERNAME", "USER_EMAIL"),
        *("TAGS", "NOTES", "JOB_TYPE", "HOST", "CACHE_DIR", "CONFIG_DIR", "DATA_DIR", "ARTIFACT_DIR"),
        *("ERROR_REPORTING", "DEBUG", "CORE_DEBUG"),
    )
)
#: Variables that are removed with a message: whoever sets them expects something of them.
REPORTED = frozenset(
    f"WANDB_{name}"
    for name in (
        *("RUN_ID", "RESUME", "RESUME_FROM", "FORK_FROM", "REINIT", "SWEEP_ID", "SWEEP_PARAM_PATH", "LAUNCH"),
        *("LAUNCH_CONFIG_PATH", "CONFIG_PATHS", "NAME", "RUN_GROUP", "DIR"),
    )
)
#: Values of removed variables, for the next command of this process.
_removed: dict[str, str] = {}
_MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}


def tracker_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Fill options of a tracker that are not given (null) from the environment variables that stand for them.

    Args:
        options: name, mode, project and entity.

    Raises:
        RecordError: a variable has a value that no mirror can have.
    """
    if options.get("name") != "wandb":
        return dict(options)
    given = {"mode": None, "project": os.environ.get("WANDB_PROJECT"), "entity": os.environ.get("WANDB_ENTITY")}
    if options.get("mode") is None:
        given["mode"] = _mode()
    return dict(options) | {key: value for key, value in given.items() if value and options.get(key) is None}


def _mode() -> str | None:
    if _value("WANDB_DISABLED").lower() in ("true", "1", "yes", "on"):
        return "disabled"
    mode = _value("WANDB_MODE") or None
    if mode is not None and mode not in _MODES:
        allowed = "must be one of online, offline, disabled"
        raise RecordError(f"WANDB_MODE: {allowed}, got {mode!r}; unset it, or set tracker.mode=offline")
    return mode and _MODES[mode]


def _value(name: str) -> str:
    return os.environ.get(name, _removed.get(name, ""))


def take_away() -> list[str]:
    """Remove all variables that no mirror may see from this process; return those to report."""
    taken = [name for name in os.environ if name.startswith("WANDB_") and name not in HONOURED]
    _removed.update({name: os.environ[name] for name in ("WANDB_DISABLED", "WANDB_MODE") if name in os.environ})
    for name in taken:
        if (
            name != "WANDB_SERVICE" or "wandb" not in sys.modules
        ):  # of another program; once wandb is imported it is this process's own
            del os.environ[name]
    return sorted(REPORTED.intersection(taken))


def left_out() -> str:
    """Remove the variables that no mirror may see, and return a line that reports them; "" where none matters."""
    names = ", ".join(take_away())
    return (
        names and f"{names}: left out of the wandb mirrors, which have their run's id and name and their study's folder"
    )
