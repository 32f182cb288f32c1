"""Whether wandb would find a key on this machine. Nothing is asked of its server, and wandb is not imported."""

from __future__ import annotations

import configparser
import netrc
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

_CLOUD = "https://api.wandb.ai"


def server() -> str:
    """Return the address of the server that wandb is set up for, less any name and password in it.

    It is WANDB_BASE_URL, or what wandb's own settings file says.
    """
    return re.sub(r"//[^/@]*@", "//", _address())


def _address() -> str:
    if given := os.environ.get("WANDB_BASE_URL"):
        return given
    folder = os.environ.get("WANDB_CONFIG_DIR") or os.path.expanduser("~/.config/wandb")
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read(Path(folder) / "settings", encoding="utf-8")
        return settings.get("default", "base_url", fallback=_CLOUD)
    except (configparser.Error, OSError, UnicodeDecodeError):
        return _CLOUD


def key_source() -> str | None:
    """Return where wandb would find a key for its server, never the key; None where it would find none."""
    for variable in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        if os.environ.get(variable):
            return variable
    given = os.environ.get("NETRC")
    for path in [given] if given else ["~/.netrc", "~/_netrc"]:
        try:
            found = netrc.netrc(os.path.expanduser(path)).authenticators(urlsplit(server()).netloc)
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            continue
        if found and found[2]:
            return path
    return None
