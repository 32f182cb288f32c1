"""The findings as text of 100 columns, and as one document for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from lrd.doctor.finding import Finding

#: Of the document; a key that changes its meaning makes another version.
SCHEMA = 1
_WIDTH, _NAMES = 100, 22
#: What stands behind the name of a section.
_MEANS = {
    "kernels": "largest errors beside float64, and the speed of a small pack beside the kernel loop",
    "graphs": "updates that a GPU replays, beside plain ones",
}


def as_text(section: str, findings: Sequence[Finding]) -> str:
    """Return a section as lines of state, name and value; below them, after an arrow, the way out.

    Args:
        section: The name of the section.
        findings: What was found.
    """
    lines = ["", f"{section}: {_MEANS[section]}" if section in _MEANS else section]
    for each in findings:
        margin = " " * (11 + _NAMES)
        start = f"  {each.state:8} {each.name:{_NAMES}}"
        if len(each.name) >= _NAMES:
            lines.append(start.rstrip())
            start = margin
        lines += _wrapped(each.value, start, margin)
        if each.way_out:
            lines += _wrapped(each.way_out, f"{margin}-> ", f"{margin}   ")
    return "\n".join(lines)


def _wrapped(text: str, start: str, margin: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=margin) or [start.rstrip()]


def summary(found: Mapping[str, Sequence[Finding]]) -> tuple[str, int]:
    """Return the last line, and the exit status: 0 where nothing that this machine needs has failed, else 1."""
    states = [each.state for findings in found.values() for each in findings]
    failed = [
        f"{each.section} {each.name}" for findings in found.values() for each in findings if each.state == "failed"
    ]
    if failed:
        text = f"{len(failed)} failed: {', '.join(failed)}"
        return "\n".join(_wrapped(text, "", "  ")), 1
    warnings = states.count("warning")
    but = f", with {warnings} warning{'s' * (warnings != 1)}" if warnings else ""
    return f"all that this machine needs works{but}", 0


def as_document(found: Mapping[str, Sequence[Finding]]) -> dict[str, Any]:
    """Return all findings as one document."""
    findings = [{**vars(each), "facts": dict(each.facts)} for section in found.values() for each in section]
    return {"schema": SCHEMA, "works": summary(found)[1] == 0, "findings": findings}
