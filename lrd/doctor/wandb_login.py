"""wandb: where mirrors of records go, and whether a key is there. Its server is not asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lrd.doctor.finding import Finding
from lrd.records import RecordError
from lrd.records.wandb_environment import tracker_options
from lrd.records.wandb_login import key_source, server


def findings(runs: Path) -> Iterator[Finding]:
    """Yield the mode of mirrors, and whether wandb would find a key."""
    try:
        mode = tracker_options({"name": "wandb"}).get("mode") or "offline"
    except RecordError as error:
        yield Finding("wandb", "mode", "failed", str(error), facts={"mode": None})
        mode = "offline"
    else:
        yield Finding("wandb", "mode", "ok", f"{mode}, unless a run says otherwise", facts={"mode": mode})
    source, address = key_source(), server()
    facts = {"key": source, "server": address}
    if source is not None:
        yield Finding("wandb", "login", "ok", f"a key for {address} is in {source}", facts=facts)
    elif mode == "online":
        value = f"no key for {address}, and mirrors are to be online"
        yield Finding("wandb", "login", "warning", value, "wandb login, or tracker.mode=offline", facts)
    else:
        value = f"no key for {address}; mirrors stay on this machine"
        yield Finding("wandb", "login", "note", value, "to send them later: wandb login, lrd sync STUDY", facts)
