"""Which of wandb's environment variables hold for a mirror: the one table of them.

A mirror has its run's id and name, its study as group, and its record as the source of all it shows. What is about the
server and the way to it, and what people write onto a run, is taken over. Four variables stand for options of
``tracker``. All others are taken away before wandb is imported, so that none of a later wandb can change a mirror's id.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from lrd.records.files import RecordError

#: Taken over by wandb itself.
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
#: Taken away, and said so: who sets them expects something of them.
TOLD = frozenset(
    f"WANDB_{name}"
    for name in (
        *("RUN_ID", "RESUME", "RESUME_FROM", "FORK_FROM", "REINIT", "SWEEP_ID", "SWEEP_PARAM_PATH", "LAUNCH"),
        *("LAUNCH_CONFIG_PATH", "CONFIG_PATHS", "NAME", "RUN_GROUP", "DIR"),
    )
)
#: Of the variables that are taken away: what they said, for the next command of this process.
_said: dict[str, str] = {}
_MODES = {"online": "online", "run": "online", "offline": "offline", "dryrun": "offline", "disabled": "disabled"}


def tracker_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tracker's options with what is not given (null) from the variables that stand for it.

    Raises:
        RecordError: a variable says what no mirror can do.
    """
    if options.get("name") != "wandb":
        return dict(options)
    said = {"mode": None, "project": os.environ.get("WANDB_PROJECT"), "entity": os.environ.get("WANDB_ENTITY")}
    if options.get("mode") is None:
        said["mode"] = _mode()
    return dict(options) | {key: value for key, value in said.items() if value and options.get(key) is None}


def _mode() -> str | None:
    if _value("WANDB_DISABLED").lower() in ("true", "1", "yes", "on"):
        return "disabled"
    mode = _value("WANDB_MODE") or None
    if mode is not None and mode not in _MODES:
        allowed = "must be one of online, offline, disabled"
        raise RecordError(f"WANDB_MODE: {allowed}, got {mode!r}; unset it, or set tracker.mode=offline")
    return mode and _MODES[mode]


def _value(name: str) -> str:
    return os.environ.get(name, _said.get(name, ""))


def take_away() -> list[str]:
    """Take all variables of wandb's that no mirror may see from this process; return those to tell of."""
    taken = [name for name in os.environ if name.startswith("WANDB_") and name not in HONOURED]
    _said.update({name: os.environ[name] for name in ("WANDB_DISABLED", "WANDB_MODE") if name in os.environ})
    for name in taken:
        if name != "WANDB_SERVICE" or "wandb" not in sys.modules:  # another program's; later it is our own
            del os.environ[name]
    return sorted(TOLD.intersection(taken))


def left_out() -> str:
    """Take them away, and return the line that says of which it matters; nothing where there are none."""
    names = ", ".join(take_away())
    return (
        names and f"{names}: left out of the wandb mirrors, which have their run's id and name and their study's folder"
    )
