"""Where wandb would find a key, without asking its server: as wandb itself finds it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lrd.records.wandb_login import key_source, server

KEY = "a" * 40


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who is logged in nowhere."""
    for name in [name for name in os.environ if name.startswith("WANDB_")] + ["NETRC"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_nobody_is_logged_in(home: Path) -> None:
    assert server() == "https://api.wandb.ai"
    assert key_source() is None
    (home / ".netrc").write_text("machine example.org login user password secret\n")
    assert key_source() is None


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_a_key_that_wandb_login_wrote(name: str, home: Path) -> None:
    (home / name).write_text(f"machine api.wandb.ai\n  login user\n  password {KEY}\n")
    assert key_source() == f"~/{name}"


def test_a_file_of_another_place(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "keys").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    monkeypatch.setenv("NETRC", str(home / "keys"))
    assert key_source() == str(home / "keys")


@pytest.mark.parametrize("variable", ["WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"])
def test_a_key_of_the_environment(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, KEY)
    assert key_source() == variable


def test_a_key_of_another_server_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080")
    assert server() == "https://wandb.example.org:8080"
    assert key_source() is None
    (home / ".netrc").write_text(f"machine wandb.example.org:8080 login user password {KEY}\n")
    assert key_source() == "~/.netrc"


def test_no_password_of_an_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "https://anna:secret@wandb.example.org/path@x")
    assert server() == "https://wandb.example.org/path@x"


def test_the_server_of_wandbs_own_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (home / ".config" / "wandb", home / "other"):
        folder.mkdir(parents=True)
        (folder / "settings").write_text(f"[default]\nbase_url = https://{folder.name}.example.org\n")
    assert server() == "https://wandb.example.org"
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(home / "other"))
    assert server() == "https://other.example.org"


@pytest.mark.parametrize("text", ["machine", "\x00\xff", "machine api.wandb.ai login user\n"])
def test_damaged_files_hold_no_key(text: str, home: Path) -> None:
    (home / ".netrc").write_text(text, encoding="latin-1")
    (home / ".config" / "wandb").mkdir(parents=True)
    (home / ".config" / "wandb" / "settings").write_text(text, encoding="latin-1")
    assert key_source() is None
    assert server() == "https://api.wandb.ai"
