"""``docs/readings.md`` lists what tasks call our reading of a paper."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

from lrd.tasks import TASKS

PAGE = (Path(__file__).parents[2] / "docs" / "readings.md").read_text(encoding="utf-8")
READ = [
    name
    for name, kind in TASKS.items()
    if re.search("our readings?:", sys.modules[kind.__module__].__doc__ or "", re.I)
]


@pytest.mark.parametrize("name", READ)
def test_every_task_with_a_reading_of_ours_is_listed(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_other_reading_that_is_an_option_is_there() -> None:
    assert "variable_copy" in READ
    options = {option for kind in TASKS.values() for option in inspect.signature(kind).parameters}
    named = set(re.findall(r"task\.(\w+)=", PAGE))
    assert "least_blanks" in named
    assert named <= options
