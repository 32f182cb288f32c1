"""Environment variables for a while."""

from __future__ import annotations

import os

import pytest

from lrd.environment_variables import environment_variables


def test_variables_are_set_inside_and_as_before_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRD_A", "1")
    monkeypatch.setenv("LRD_B", "1")
    monkeypatch.delenv("LRD_C", raising=False)
    before = dict(os.environ)

    def fails() -> None:
        with environment_variables({"LRD_A": "2", "LRD_B": None, "LRD_C": "3"}):
            assert (os.environ["LRD_A"], os.environ.get("LRD_B"), os.environ["LRD_C"]) == ("2", None, "3")
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert dict(os.environ) == before
