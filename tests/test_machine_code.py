"""Machine code: where numba is and where it is not, where its results can be kept and where they cannot."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrd.machine_code import machine_code

ROOT = Path(__file__).resolve().parents[1]


def doubled(x):  # type: ignore[no-untyped-def]
    return 2 * x


make: Callable[..., Any] = machine_code.__wrapped__


def test_a_function_does_what_it_did() -> None:
    pytest.importorskip("numba")
    made = machine_code(doubled, "int64(int64)", "float64(float64)")
    assert made is not None
    assert (made(21), made(0.25)) == (42, 0.5)
    assert len(made.signatures) == 2
    assert machine_code(doubled, "int64(int64)", "float64(float64)") is made


def test_none_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert make(doubled, "int64(int64)") is None


def test_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    numba = pytest.importorskip("numba")
    njit = numba.njit

    def refuses(*args: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*args, **options)

    monkeypatch.setattr(numba, "njit", refuses)
    assert make(doubled, "int64(int64)")(4) == 8


def test_workers_are_forked_from_a_process_that_has_all_of_it() -> None:
    from lrd.sweeps.nursery import _IMPORTS

    assert "lrd.training.programs" in _IMPORTS
    names = [path.stem for path in (ROOT / "lrd").rglob("*.py") if "machine_code(_" in path.read_text(encoding="utf-8")]
    used = (ROOT / "lrd" / "training" / "programs.py").read_text(encoding="utf-8")
    assert names
    assert all(name in used for name in names)
