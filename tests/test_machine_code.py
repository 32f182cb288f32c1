"""Machine code: where numba is and where it is not, where its results can be kept and where they cannot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lrd import machine_code as module
from lrd.machine_code import compiled, folder, is_kept, machine_code

ROOT = Path(__file__).resolve().parents[1]


def doubled(x):  # type: ignore[no-untyped-def]
    return 2 * x


def wrong(x):  # type: ignore[no-untyped-def]
    return x.no_such_thing


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of this test's own, and nothing of what other tests asked for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made: Callable[..., Any] = module._made.__wrapped__
    monkeypatch.setattr(module, "_made", made)
    return tmp_path / "cache"


def test_a_function_does_what_it_did_and_is_kept(cache: Path) -> None:
    numba = pytest.importorskip("numba")
    before = numba.config.CACHE_DIR
    assert not is_kept(doubled, [Path(__file__)])
    made = machine_code(doubled, "int64(int64)", "float64(float64)")
    assert made is not None
    assert is_kept(doubled, [Path(__file__)])
    assert (made(21), made(0.25)) == (42, 0.5)
    assert len(made.signatures) == 2
    assert {path.suffix for path in cache.rglob("*.nb*")} == {".nbi", ".nbc"}
    assert before == numba.config.CACHE_DIR
    again = machine_code(doubled, "int64(int64)", "float64(float64)")
    assert again is not None
    assert len(again.stats.cache_hits) == 2


def test_none_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    assert machine_code(doubled, "int64(int64)") is None


@pytest.mark.parametrize("error", [ImportError, OSError, AttributeError, SystemError])
def test_none_with_a_broken_numba(error: type[Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where llvmlite's library cannot be loaded, or NumPy is of a version that it does not know."""
    (tmp_path / "numba.py").write_text(f"raise {error.__name__}('it is of another version')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    assert machine_code(doubled, "int64(int64)") is None


def test_none_where_numba_cannot_compile() -> None:
    pytest.importorskip("numba")
    assert machine_code(doubled, "no signature") is None


def test_other_sources_have_another_folder(tmp_path: Path) -> None:
    """Not the function's file alone: a change of what it calls must count."""
    pytest.importorskip("numba")
    one, other = tmp_path / "one.py", tmp_path / "other.py"
    one.write_text("1")
    other.write_text("2")
    before = folder([one, other])
    assert folder([other, one]) == before
    other.write_text("3")
    assert folder([one, other]) != before


def test_other_processors_and_options_have_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home may be that of a whole cluster; and the options of numba stand in the module itself."""
    pytest.importorskip("numba")
    source, found = tmp_path / "one.py", set()
    source.write_text("1")
    for compiler in (("0.60", "znver4", "+fma"), ("0.60", "znver4", "-fma"), ("0.61", "znver4", "+fma")):
        monkeypatch.setattr(module, "_compiler", lambda compiler=compiler: compiler)
        found.add(folder([source]))
    changed = tmp_path / "machine_code.py"
    changed.write_bytes(Path(module.__file__).read_bytes() + b"#")
    monkeypatch.setattr(module, "__file__", str(changed))
    found.add(folder([source]))
    assert len(found) == 4


def test_a_damaged_file_is_compiled_anew_and_forgotten(cache: Path) -> None:
    pytest.importorskip("numba")
    machine_code(doubled, "int64(int64)")
    for path in cache.rglob("*.nb*"):
        path.write_bytes(b"")  # as after a loss of power
    made = machine_code(doubled, "int64(int64)")
    assert made is not None
    assert made(4) == 8
    machine_code(doubled, "int64(int64)")
    again = machine_code(doubled, "int64(int64)")
    assert again is not None
    assert len(again.stats.cache_hits) == 1


def test_where_there_is_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(module, "cache_folder", lambda: None)
    made = machine_code(doubled, "int64(int64)")
    assert made is not None
    assert made(4) == 8


def test_an_error_of_the_function_itself_is_raised_where_machine_code_is_a_must() -> None:
    numba = pytest.importorskip("numba")
    with pytest.raises(numba.TypingError):
        compiled(wrong, "int64(int64)", sources=[Path(__file__)])
    assert machine_code(wrong, "int64(int64)") is None


def test_an_error_of_the_function_itself_leaves_what_others_have_kept(cache: Path) -> None:
    pytest.importorskip("numba")
    machine_code(doubled, "int64(int64)")
    kept = sorted(cache.rglob("*.nb*"))
    assert kept
    assert machine_code(wrong, "int64(int64)") is None
    assert sorted(cache.rglob("*.nb*")) == kept


def test_where_no_folder_can_be_made(cache: Path) -> None:
    pytest.importorskip("numba")
    cache.write_text("a file")
    made = machine_code(doubled, "int64(int64)")
    assert made is not None
    assert made(4) == 8


def test_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    numba = pytest.importorskip("numba")
    njit = numba.njit

    def refuses(*args: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise OSError("no space left on device")
        return njit(*args, **options)

    monkeypatch.setattr(numba, "njit", refuses)
    made = machine_code(doubled, "int64(int64)")
    assert made is not None
    assert made(4) == 8


@pytest.mark.slow
def test_the_next_process_finds_the_kernels(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    code = "from lrd.kernels.cpu import rnn_programs; print(sum(rnn_programs.forward.stats.cache_hits.values()))"

    def run() -> tuple[str, str]:
        variables = {"XDG_CACHE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)
        return done.stdout, done.stderr

    assert run() == ("0\n", "kernels are compiled for this machine, once, which may take a minute\n")
    assert run() == ("1\n", "")


def test_workers_are_forked_from_a_process_that_has_all_of_it() -> None:
    from lrd.sweeps.nursery import _IMPORTS

    assert "lrd.training.programs" in _IMPORTS
    names = [path.stem for path in (ROOT / "lrd").rglob("*.py") if "machine_code(_" in path.read_text(encoding="utf-8")]
    used = (ROOT / "lrd" / "training" / "programs.py").read_text(encoding="utf-8")
    assert names
    assert all(name in used for name in names)
