"""Packs that train inside the tests' process leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from commands import process_as_before


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    with process_as_before():
        yield
