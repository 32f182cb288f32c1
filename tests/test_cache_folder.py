"""The folder of caches: the user's own, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrd.cache_folder import cache_folder


def test_the_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/lrd")
    for passed_over in ("relative", ""):
        monkeypatch.setenv("XDG_CACHE_HOME", passed_over)
        assert cache_folder() == tmp_path / ".cache" / "lrd"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "lrd"


def test_a_user_without_a_home_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert cache_folder() is None
