"""Before any test imports lrd: wherever tensors are, annotations are checked at run time, and so shapes are."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import jaxtyping
import pytest
from PIL import Image

# One cache for all, also for commands with a home of their own: kernels are compiled once, not by each of them.
os.environ["XDG_CACHE_HOME"] = str(Path(__file__).resolve().parents[1] / ".cache")
sys.path.insert(0, str(Path(__file__).parent))  # for ``helpers`` and ``typechecker``, whatever pytest's import mode
WITH_TENSORS = ("cells", "custom", "gradients", "kernels", "probes", "scaled", "spec", "tasks", "training")
jaxtyping.install_import_hook([f"lrd.{name}" for name in WITH_TENSORS], "typechecker.check")

import torch  # noqa: E402

hypothesis.settings.register_profile("lrd", deadline=None)  # timing never decides a test
hypothesis.settings.load_profile("lrd")
torch.set_num_threads(1)  # the tests count on no more than one core
# What a shell starts in the background ignores Ctrl-C, and so does all that it starts in its turn.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: Where the longest tests are, the longest first. They begin first, or the run would end with one core at work.
LONGEST = ("end_to_end/test_readme.py", "end_to_end/", "slurm/", "records/test_wandb_server.py")
#: Folders whose tests run whole commands.
SLOW = ("end_to_end", "slurm")


@pytest.hookimpl(tryfirst=True)  # before cases are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _mark_slow_cases(items)

    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((place for place, start in enumerate(LONGEST) if path.startswith(start)), len(LONGEST))

    items.sort(key=place)


def _mark_slow_cases(items: list[pytest.Item]) -> None:
    """Mark as slow what runs whole commands, and all cases but a few of the tests that ask for it by ``slow_but``."""
    cases: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        if item.path.parent.name in SLOW:
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("slow_but"):
            cases.setdefault((item.path, item.name.partition("[")[0]), []).append(item)
    for some in cases.values():
        marker = some[0].get_closest_marker("slow_but")
        assert marker is not None
        fast = min(marker.args[0], len(some))
        chosen = {number * len(some) // fast for number in range(fast)}
        for number, item in enumerate(some):
            if number not in chosen:
                item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)  # of xdist
def pytest_xdist_auto_num_workers() -> int:
    """A quarter of the time tests wait: for jobs, for servers that never answer, for what they interrupt."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + -(-cores // 4)


@pytest.fixture(autouse=True)
def _small_numbers() -> Iterator[None]:
    """Training sets the processor to take the smallest float32 numbers for 0; other tests must find it as it was."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture
def numbers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lay figures out and write their CSV, but no picture: it takes most of the time, and others look at it."""

    def saved(figure: object, file: object, **options: object) -> None:
        if options.get("format") == "tiff":  # from which the PNG is made
            Image.new("RGBA", (1, 1), "white").save(file, "TIFF", dpi=(72, 72))

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", saved)
    monkeypatch.setattr("lrd.figures.pictures.write_bytes", lambda *_: None)
