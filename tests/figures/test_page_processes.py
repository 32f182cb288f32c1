"""Pages saved beside each other: all there at the end, and what went wrong in one is said."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from lrd.figures import FigureScript, layout, page_processes, save_figure


def refuse(path: Path) -> None:
    raise PermissionError(f"cannot write {path}")


@FigureScript
def two_pages(study: object, out: Path) -> list[Path]:
    paths = []
    for page in range(2):
        figure, [[left, _]] = layout.grid(1, 2, 1.0)
        left.plot([0, page + 1])
        left.set_ylabel("loss")
        paths += save_figure(figure, out, f"page_{page}", [{"panel": page, "loss": 0.5}])
    return paths


@pytest.mark.parametrize("cores", [1, 2])
def test_all_is_done_at_the_end(cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_processes, "_cores", lambda: cores)
    paths = [tmp_path / str(number) for number in range(5)]
    with page_processes.together():
        for path in paths:
            here = str(os.getpid())  # of the process that is forked from, in any case
            page_processes.save(path.name, partial(path.write_text, here))
    assert {path.read_text(encoding="utf-8") for path in paths} == {str(os.getpid())}
    page_processes.save("0", partial(paths[0].write_text, "outside"))
    assert paths[0].read_text(encoding="utf-8") == "outside"


def test_files_are_the_same_from_one_core_and_from_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cores in (1, 2):
        monkeypatch.setattr(page_processes, "_cores", lambda cores=cores: cores)
        assert all(path.exists() for path in two_pages(None, tmp_path / str(cores)))
    files = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert len(files) == 6
    for name in files:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes(), name


@pytest.mark.parametrize("cores", [1, 2])
def test_what_one_raised_is_raised(cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_processes, "_cores", lambda: cores)

    @FigureScript
    def one_of_two(study: object, out: Path) -> list[Path]:
        page_processes.save("first", partial((tmp_path / "first").write_text, "whole"))
        page_processes.save("second", partial(refuse, out))
        return []

    with pytest.raises(PermissionError, match="cannot write"):
        one_of_two(None, tmp_path)
    assert (tmp_path / "first").read_text(encoding="utf-8") == "whole"
    assert page_processes._pages is None


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="pages are saved in place where nothing is forked")
def test_one_that_is_killed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_processes, "_cores", lambda: 2)
    here = os.getpid()

    def die() -> None:
        assert os.getpid() != here
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ChildProcessError, match="was killed"), page_processes.together():
        page_processes.save("page", die)


class UnsendableError(Exception):
    def __init__(self, place: str, line: int) -> None:
        super().__init__(f"{place}, line {line}")


@pytest.mark.parametrize("cores", [1, 2])
def test_one_that_fails_stops_no_other(cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise UnsendableError("title", 3)

    monkeypatch.setattr(page_processes, "_cores", lambda: cores)
    failed: dict[str, Exception] = {}
    with page_processes.together(failed):
        for number in range(6):
            write = partial((tmp_path / str(number)).write_text, "whole")
            page_processes.save(f"page_{number}", fail if number == 1 else write)
    assert {name: str(error).endswith("title, line 3") for name, error in failed.items()} == {"page_1": True}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "2", "3", "4", "5"]
