"""The seal of a record that holds code: it shows a user that they trained the run themselves.

``lrd probe`` runs the code of a custom cell, task or probe, and folders of runs are sent around. A record with such
code is sealed when it is written, with a key that this user alone has (``~/.local/state/lrd/key``). Nobody else's
record can then pass for one's own, whatever names it holds, nor can a text that was changed afterwards. A record
without a seal (an older one, or one written without a home to keep a key in) cannot be recognised.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrd.records import schema
from lrd.records.environment import host, user
from lrd.records.files import RecordError, read_json, to_json

_GROUPS = ("task", "cell")


def code_of(run: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return path and text of the code of custom classes, by group; classes of lrd itself are left out.

    Args:
        run: content of run.json.
    """
    spec, sources = (value if isinstance(value := run.get(key), Mapping) else {} for key in ("spec", "sources"))
    options = {group: spec.get(group) for group in _GROUPS}
    if isinstance(probes := spec.get("probe"), Mapping):
        options |= {f"probe.{name}": probes[name] for name in probes}
    places = {place: value if isinstance(value, Mapping) else {} for place, value in options.items()}
    return {
        place: [given.get("path"), sources.get(place)]
        for place, given in (places | {place: {} for place in sources if place not in places}).items()
        if place in sources or place == "probe.custom" or not {"path", "code"}.isdisjoint(given)
    }


def seal(run: Mapping[str, Any]) -> dict[str, str]:
    """Return the seal to add to a run.json that this user writes now; {} where it has no code or there is no key.

    Args:
        run: what else run.json will hold.
    """
    if (code := code_of(run)) and (key := _key(make=True)):
        return {"seal": _sealed(code, user(), host(), key)}
    return {}


def foreign_code(folder: Path) -> str:
    """Return one line about the code in the record of a run; "" where this user trained the run on this machine.

    Raises:
        RecordError: the record cannot be read.
    """
    try:
        run = read_json(folder / schema.RUN)
    except FileNotFoundError:
        raise RecordError(f"{folder} holds no run") from None
    if not isinstance(run, Mapping) or not (code := code_of(run)):
        return ""
    try:
        made = read_json(folder / schema.ENVIRONMENT)
    except (FileNotFoundError, RecordError):
        made = {}
    who, where = (made.get(name) if isinstance(made, Mapping) else None for name in ("user", "host"))
    key, kept = _key(), run.get("seal")
    if (who, where) == (user(), host()) and key and isinstance(kept, str):
        with contextlib.suppress(TypeError):  # the record holds what no seal can hold
            if hmac.compare_digest(kept.encode(errors="replace"), _sealed(code, who, where, key).encode()):
                return ""
    what = " and its ".join(code).replace(".", " ")
    return (
        f"{folder} brings code of its own for its {what}, trained by {who or 'a user not recorded'} "
        f"on {where or 'a machine not recorded'}, and nothing shows that this was you, here"
    )


def _sealed(code: Mapping[str, Any], who: str | None, where: str | None, key: bytes) -> str:
    return hmac.new(key, to_json([code, who, where]).encode(), hashlib.sha256).hexdigest()


def _key(make: bool = False) -> bytes | None:
    """Return this user's key; None where there is none, or none can be kept.

    Args:
        make: whether to make one where there is none.
    """
    try:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "lrd"
        path = folder / "key"
        if make and not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            mine = folder / f".key.{os.getpid()}-{secrets.token_hex(4)}"
            mine.touch(mode=0o600)
            try:
                mine.write_bytes(secrets.token_bytes(32))
                with contextlib.suppress(
                    FileExistsError
                ):  # of many workers that begin at once, the first one's key stays
                    os.link(mine, path)
            finally:
                mine.unlink()
        key = path.read_bytes()
        return key if len(key) >= 32 else None
    except (OSError, RuntimeError):
        return None
