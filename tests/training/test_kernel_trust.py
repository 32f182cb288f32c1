"""Trust in kernels: what is checked when, what becomes of one that is wrong, and what is kept of checks."""

from __future__ import annotations

import dataclasses
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import run_spec
from wrong_kernels import WAYS, off_backward, off_forward, raising, untrusted

from lrd.cells import LSTM, RNN, Orthogonal
from lrd.kernels import KERNELS
from lrd.kernels.check import Check, Error
from lrd.records.tracker import NullTracker
from lrd.spec import Place, RunSpec
from lrd.tasks import Adding
from lrd.training import Pack, kept_checks, kernel_trust, train
from lrd.training.tricks import evaluation_kernel, update_kernel

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of checks of a user who has none yet, in a process that knows of none; no kernel is compiled."""
    for name, kernel in KERNELS.items():
        if kernel.checked and "cpu" in kernel.devices:
            monkeypatch.setitem(KERNELS, name, dataclasses.replace(kernel, devices=()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    forget(monkeypatch)
    return tmp_path / "cache" / "lrd" / "checks"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in another process."""
    monkeypatch.setattr(kernel_trust, "_found", {})


def rnn(seed: int = 0, **options: Any) -> RunSpec:
    cell = RNN(hidden_size=3, activation=options.pop("activation", "tanh"))
    sizes = {"batch_size": 2, "max_updates": 2, "eval_samples": 2, "test_samples": 2, "samples": 2}
    return run_spec(Adding(gap=4), cell, seed, **sizes | options)


def kernel_of(spec: RunSpec) -> str:
    return Pack([spec], CPU).net.kernel


# -- what is checked, and when -----------------------------------------------------------------------------------------


def test_what_is_right_runs_and_is_checked_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = untrusted(monkeypatch)
    assert kernel_of(rnn()) == "packed"
    assert len(calls) > 3
    assert len(list(cache.iterdir())) == 1
    calls.clear()
    assert kernel_of(rnn(1)) == kernel_of(rnn(gradient_norms=True)) == "packed"
    assert calls == []
    forget(monkeypatch)
    assert kernel_of(rnn()) == "packed"
    assert calls == []
    # Other programs run another activation, and other numbers float64.
    assert kernel_of(rnn(activation="relu")) == kernel_of(rnn(precision="float64")) == "packed"
    assert len(list(cache.iterdir())) == 3


def test_kernels_that_no_machine_compiles_are_not_checked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_trust, "check_kernel", lambda *_: pytest.fail("checked"))
    assert kernel_of(rnn()) == "packed"
    assert not cache.exists()


def test_a_plan_checks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = untrusted(monkeypatch, off_forward)
    assert update_kernel(rnn()) == evaluation_kernel(rnn()) == "packed"
    meta = torch.device("meta")  # where plans of memory may go, and nothing is computed
    kernel_trust.settle(lambda: [update_kernel(rnn(), meta)], RNN(), meta, "float32")
    assert calls == []


def test_what_hands_over_in_float64_is_not_checked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_trust, "check_kernel", lambda *_: pytest.fail("checked"))
    kernel_trust.settle(lambda: ["triton_rnn"], RNN(), torch.device("cuda"), "float64")


def test_tf32_on_a_cpu_is_float32(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = untrusted(monkeypatch)
    kernel_trust.settle(lambda: ["packed"], RNN(), CPU, "tf32")
    assert calls
    calls.clear()
    kernel_trust.settle(lambda: ["packed"], RNN(), CPU, "float32")
    assert calls == []
    (kept,) = cache.iterdir()
    assert json.loads(kept.read_text())["facts"]["precision"] == "float32"


# -- what is wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", WAYS, ids=lambda change: change.__name__)
def test_a_wrong_kernel_is_not_used_and_the_record_says_which_is(
    change: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expected = tmp_path / "expected"
    train([rnn()], Place(runs_dir=str(expected), study="s"), NullTracker(), CPU)
    calls = untrusted(monkeypatch, change)
    with caplog.at_level(logging.WARNING):
        for seed in (0, 1):
            train([rnn(seed)], Place(runs_dir=str(tmp_path), study="s"), NullTracker(), CPU)
            calls_of_check = len(calls)
    # It was called by its check alone, and another one trained.
    assert len(calls) == calls_of_check
    status = json.loads((tmp_path / "s" / rnn().run_id / "status.json").read_text())
    assert status["kernel"] == "traced"
    assert json.loads((expected / "s" / rnn().run_id / "status.json").read_text())["kernel"] == "packed"
    (said,) = (each.getMessage() for each in caplog.records)
    assert said.startswith(f"the kernel packed is not used on cpu in float32: {WAYS[change]}")
    assert said.endswith("; the next one in the table runs. `lrd doctor` says more")
    # All places agree from now on, and other cells are other programs.
    assert update_kernel(rnn()) == evaluation_kernel(rnn()) == "traced"
    assert update_kernel(rnn(activation="relu")) == "packed"


def test_what_is_wrong_stays_so_for_later_processes_and_each_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    calls = untrusted(monkeypatch, off_backward)
    for _ in range(2):
        forget(monkeypatch)
        assert kernel_of(rnn()) == "traced"
    assert len({each.getMessage() for each in caplog.records}) == 1
    assert len(caplog.records) == 2
    assert 0 < len(calls) < 20


def test_a_kernel_that_could_not_be_run_is_tried_again_by_the_next_process(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = untrusted(monkeypatch, raising)
    assert kernel_of(rnn()) == kernel_of(rnn(1)) == "traced"
    assert len(calls) == 1
    assert not cache.exists()
    forget(monkeypatch)
    assert kernel_of(rnn()) == "traced"
    assert len(calls) == 2


def test_what_was_right_is_not_used_once_its_compiler_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As after an upgrade of another package: a check that was kept says nothing of what can be imported today."""
    calls = untrusted(monkeypatch)
    assert kernel_of(rnn()) == "packed"
    calls.clear()

    def load() -> None:
        raise ImportError("numba needs an older NumPy")

    monkeypatch.setitem(KERNELS, "packed", dataclasses.replace(KERNELS["packed"], load=load))
    forget(monkeypatch)
    assert kernel_of(rnn()) == "traced"
    assert "it raises ImportError: numba needs an older NumPy" in caplog.text
    assert calls == []


def test_want_of_memory_is_the_packs_affair(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(scan: Any, *given: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    untrusted(monkeypatch, full)
    with pytest.raises(torch.OutOfMemoryError):
        kernel_of(rnn())


def test_the_next_one_is_checked_too(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    untrusted(monkeypatch, off_forward)
    untrusted(monkeypatch, off_backward, "traced")
    assert kernel_of(rnn()) == "loop"
    assert len(caplog.records) == 2


def test_a_cell_that_is_stepped_by_another_one_has_its_check(monkeypatch: pytest.MonkeyPatch) -> None:
    untrusted(monkeypatch, off_forward)
    cell = Orthogonal(hidden_size=3, activation="tanh")
    for layers in (1, 2):
        network = cell if layers == 1 else Orthogonal(hidden_size=3, activation="tanh", layers=2)
        assert kernel_of(run_spec(Adding(gap=4), network, batch_size=2)) == "traced"
    assert list(kernel_trust._found) == [("rnn activation=tanh", "cpu", "float32")]


def test_where_no_other_can_cut_the_run_fails_and_the_warning_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    untrusted(monkeypatch, off_backward, "packed_lstm")
    spec = run_spec(Adding(gap=4), LSTM(hidden_size=3), batch_size=2, h_detach=0.5)
    with pytest.raises(ValueError, match="no kernel can cut the backward pass of the cell lstm"):
        Pack([spec], CPU)
    assert "packed_lstm is not used" in caplog.text


# -- checks that are kept ----------------------------------------------------------------------------------------------


GOOD = Check(Error(1e-7, 1e-5, "h (a)"), Error(2e-7, 1e-5, "d W (b)"), Error(3e-7, 1e-5, "the norm of dL/dh (c)"))
FACTS = {"kernel": "packed", "cell": "rnn activation=tanh", "precision": "float32", "device": "a CPU", "torch": "1"}


@pytest.mark.parametrize(
    "check", [GOOD, Check(GOOD.forward, Error(float("inf"), 1e-5, "d W (b)"))], ids=["fine", "bad"]
)
def test_a_check_comes_back_where_all_is_the_same(check: Check) -> None:
    kept_checks.keep_check(FACTS, check)
    assert kept_checks.read_check(FACTS) == check
    for name in FACTS:
        assert kept_checks.read_check(FACTS | {name: "other"}) is None
    assert kept_checks.read_check(FACTS | {"numba": "1"}) is None


def test_facts_are_all_that_a_check_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = kept_checks.facts("packed", "rnn activation=tanh", CPU, "float32")
    names = ["kernel", "cell", "precision", "device", "torch", "numpy", "triton", "numba", "llvmlite", "source"]
    assert list(facts) == names
    assert facts["torch"] == torch.__version__.split("+")[0] or facts["torch"] == torch.__version__
    assert len(facts["source"]) == 32
    assert facts["device"].count(", instructions ") == 1


def test_another_version_or_source_is_checked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = untrusted(monkeypatch)
    versions = kept_checks._versions()
    for change in (
        lambda: monkeypatch.setattr(kept_checks, "_versions", lambda: versions | {"triton": "99"}),
        lambda: monkeypatch.setattr(kept_checks, "_source", lambda: "other"),
        lambda: monkeypatch.setattr(kept_checks, "_device", lambda device: "other"),
    ):
        kernel_of(rnn())
        calls.clear()
        forget(monkeypatch)
        kernel_of(rnn())
        assert calls == []
        forget(monkeypatch)
        change()
        kernel_of(rnn())
        assert calls


def test_the_source_of_every_kernel_and_cell_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lrd"
    for name in ("kernels/fused/a.py", "cells/b.py", "scaled.py", "training/c.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text("1")
    monkeypatch.setattr(kept_checks.lrd, "__file__", str(package / "__init__.py"))
    of = kept_checks._source.__wrapped__
    before = of()
    (package / "training/c.py").write_text("2")
    assert of() == before
    for name in ("kernels/fused/a.py", "cells/b.py", "scaled.py"):
        (package / name).write_text("2")
        assert of() != before
        before = of()


DAMAGED = ["", "{", "[]", "3", "null", "{}", '{"facts": {}, "check": {}}', "\x00\xff", '{"facts": FACTS}']
DAMAGED += ['{"facts": FACTS, "check": null}', '{"facts": FACTS, "check": {"forward": 1, "backward": 2, "norms": 3}}']
DAMAGED += ['{"facts": FACTS, "check": {"forward": null, "backward": null, "norms": null}}']
DAMAGED += [
    '{"facts": FACTS, "check": {"forward": E, "backward": E, "norms": E}}'.replace("E", one)
    for one in ('{"size": "0", "allowed": 1.0, "where": ""}', '{"size": 0.0}')
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_check_is_found_out_again(text: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = untrusted(monkeypatch, off_forward)
    assert kernel_of(rnn()) == "traced"
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    facts = json.dumps(json.loads(whole)["facts"])
    kept.write_text(text.replace("FACTS", facts), encoding="latin-1")
    calls.clear()
    forget(monkeypatch)
    assert kernel_of(rnn()) == "traced"
    assert calls
    assert kept.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    calls = untrusted(monkeypatch, off_forward)
    for place in (tmp_path / "file", Path("/proc/nothing")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(place))
        calls.clear()
        forget(monkeypatch)
        assert kernel_of(rnn()) == kernel_of(rnn(1)) == "traced"
        assert calls


def test_without_a_folder_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_checks, "cache_folder", lambda: None)
    kept_checks.keep_check(FACTS, GOOD)
    assert kept_checks.read_check(FACTS) is None


TOGETHER = """
import sys, torch
from pathlib import Path
torch.set_num_threads(1)
from lrd.kernels.check import Check, Error
from lrd.training import kept_checks
facts = {"kernel": "packed", "cell": "rnn"}
mine = Check(*(Error(float(sys.argv[1]), 1.0, "x" * 3000) for _ in range(3)))
print("ready", flush=True)
sys.stdin.readline()
seen = set()
for _ in range(20):
    kept_checks.keep_check(facts, mine)
    found = kept_checks.read_check(facts)
    assert found is not None and len({error.size for error in found.parts().values()}) == 1
    seen.add(found.forward.size)
print(sorted(seen))
"""


def test_processes_that_write_at_once_never_read_a_half(cache: Path) -> None:
    command = [sys.executable, "-c", TOGETHER]
    both = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in (1, 2)
    ]
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=100)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert {"1.0" in said[0], "2.0" in said[1]} == {True}
    assert len(list(cache.iterdir())) == 1  # and no temporary file
    assert kept_checks.read_check({"kernel": "packed", "cell": "rnn"}).forward.size in (1.0, 2.0)
