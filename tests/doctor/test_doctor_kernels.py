"""The kernels as ``lrd doctor`` sees them: which run here, how far they are off, and a wrong one by its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from wrong_kernels import WAYS, off_forward, raising, untrusted

from lrd.cells import RNN, Cell
from lrd.doctor import kernels
from lrd.doctor.finding import Finding
from lrd.doctor.kernel_speed import speeds
from lrd.kernels import KERNELS, Kernel, fused
from lrd.kernels.check import Check, Error
from lrd.training import kept_checks, kernel_trust

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _a_machine_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU, compilers, or checks."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kernel_trust, "_found", {})
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    for name, kernel in KERNELS.items():
        if kernel.checked and "cpu" in kernel.devices:
            monkeypatch.setitem(KERNELS, name, dataclasses.replace(kernel, devices=("cuda",)))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those kernels that run an RNN, to be quick."""
    for name in [name for name, kernel in KERNELS.items() if kernel.cell not in (None, RNN)]:
        monkeypatch.setitem(KERNELS, name, dataclasses.replace(KERNELS[name], devices=("cuda",)))


def by_name() -> dict[str, Finding]:
    found = list(kernels.findings(Path("runs")))
    assert len({each.name for each in found}) == len(found)
    return {each.name: each for each in found}


def test_every_kernel_of_the_table_has_its_finding() -> None:
    found = by_name()
    for name, kernel in KERNELS.items():
        if "cpu" in kernel.devices:
            mine = found[f"{name} on cpu"]
            assert mine.state == "ok", mine
            assert mine.facts["runs"]
            assert set(mine.facts["errors"]) == {"forward", "backward"} | ({"norms"} if kernel.norms else set())
            assert all(0 < error["size"] < error["allowed"] < 1e-3 for error in mine.facts["errors"].values())
            assert f"forward {mine.facts['errors']['forward']['size']:.0e}" in mine.value
        else:
            assert (found[name].state, found[name].value) == ("note", "not here: for CUDA GPUs alone")
    assert {name: found[f"{name} on cpu"].facts["kernel"] for name in ("rnn", "lstm", "gru")} == {
        "rnn": "packed",
        "lstm": "stock",
        "gru": "stock_gru",
    }


@pytest.mark.parametrize("change", WAYS, ids=lambda change: change.__name__)
@pytest.mark.usefixtures("few")
def test_a_wrong_kernel_is_named_and_training_goes_by_another(
    change: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    untrusted(monkeypatch, change)
    found = by_name()
    wrong = found["packed on cpu"]
    assert wrong.state == "failed"
    assert wrong.value.startswith(f"wrong for rnn activation=tanh: {WAYS[change]}")
    anew = "install anew what compiles it, or " if change is raising else ""
    assert wrong.way_out.startswith(f"training leaves it out; {anew}please report it")
    assert set(wrong.facts["wrong"]) == {f"rnn activation={name}" for name in ("tanh", "relu", "sigmoid", "identity")}
    assert [name for name, each in found.items() if each.state != "ok" and "cpu" in name] == ["packed on cpu"]
    assert found["rnn on cpu"].facts["kernel"] == "traced"


@pytest.mark.usefixtures("few")
def test_a_wrong_kernel_that_is_not_checked_before_training_is_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    untrusted(monkeypatch, off_forward)
    monkeypatch.setitem(KERNELS, "packed", dataclasses.replace(KERNELS["packed"], checked=False))
    found = by_name()
    assert found["packed on cpu"].state == "failed"
    assert "training may use it all the same, and cannot be trusted here" in found["packed on cpu"].way_out
    assert found["rnn on cpu"].facts["kernel"] == "packed"


@pytest.mark.usefixtures("few")
def test_a_kernel_that_is_wrong_for_one_activation_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def off_for_relu(scan: Any, cell: Any, *given: Any, **options: Any) -> Any:
        return (off_forward if cell.activation == "relu" else lambda scan, *g, **o: scan(*g, **o))(
            scan, cell, *given, **options
        )

    untrusted(monkeypatch, off_for_relu)
    found = by_name()
    assert found["packed on cpu"].value.startswith("wrong for rnn activation=relu: forward: ")
    assert found["rnn on cpu"].facts["kernel"] == "packed"  # whose tanh is right


@pytest.mark.usefixtures("few")
def test_its_checks_are_those_of_later_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that was wrong, and is right now, is used again."""
    right = KERNELS["packed"]
    untrusted(monkeypatch, off_forward)
    facts = kept_checks.facts("packed", "rnn activation=tanh", CPU, "float32")
    by_name()
    assert kept_checks.read_check(facts).wrong
    monkeypatch.setitem(KERNELS, "packed", dataclasses.replace(right, checked=True))
    by_name()
    assert kept_checks.read_check(facts).wrong == ""


@pytest.mark.usefixtures("few")
def test_what_a_kernel_lacks_is_said_and_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def available(device: torch.device) -> bool:
        fused.logger.warning("packs run without it: it wants a compiler")
        return False

    kernel = dataclasses.replace(KERNELS["packed"], available=available)
    assert kernels.lacking(kernel, CPU) == "packs run without it: it wants a compiler"
    assert caplog.records == []
    assert kernels.lacking(dataclasses.replace(kernel, why_not=lambda device: "no compiler"), CPU) == "no compiler"
    silent = dataclasses.replace(kernel, available=lambda device: False)
    assert kernels.lacking(silent, CPU) == "something that it needs is missing"
    assert kernels.lacking(KERNELS["packed"], CPU) == ""
    monkeypatch.setitem(KERNELS, "packed", kernel)
    found = by_name()
    assert found["packed on cpu"].state == "note"
    assert found["packed on cpu"].value.startswith("not here: packs run without it")


def test_triton_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "importable", lambda: False)
    assert KERNELS["triton_rnn"].why_not(torch.device("cuda")) == "triton is not installed"
    monkeypatch.setattr(fused, "importable", lambda: True)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert KERNELS["triton_rnn"].why_not(torch.device("cuda")).startswith("triton wants a C compiler")


@pytest.mark.usefixtures("few")
def test_want_of_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(scan: Any, *given: Any, **options: Any) -> Any:
        raise torch.OutOfMemoryError("out of memory")

    untrusted(monkeypatch, full)
    assert by_name()["packed on cpu"].state == "warning"


@pytest.mark.parametrize("capability", [(8, 0), (7, 5)])
@pytest.mark.parametrize("triton", [True, False])
def test_on_a_gpu_each_precision_that_it_has_is_checked(
    capability: tuple[int, int], triton: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is checked, where and how; no GPU computes anything."""
    checked: list[tuple[str, str, str, str]] = []

    def check_now(kernel: Kernel, cell: Cell, device: torch.device, precision: str) -> Check:
        checked.append((kernel.name, kernel_trust.variant(cell), device.type, precision))
        return Check(Error(1e-7, 1e-5, "h"), Error(1e-7, 1e-5, "d W"))

    monkeypatch.setattr(kernels, "check_now", check_now)
    monkeypatch.setattr(kernels, "speeds", lambda able, device: {kernel.name: 2.0 for kernel in able})
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: capability)
    monkeypatch.setattr(fused, "launchable", lambda: triton)
    monkeypatch.setattr(fused, "why_not", lambda: "" if triton else "triton is not installed")
    found = by_name()
    rounded = ("tf32", "bfloat16") if capability == (8, 0) else ()
    of_lstm = {(cell, place, precision) for name, cell, place, precision in checked if name == "triton_lstm"}
    assert of_lstm == ({("lstm", "cuda", precision) for precision in ("float32", *rounded)} if triton else set())
    of_rnn = {(cell, precision) for name, cell, _, precision in checked if name == "triton_rnn"}
    if triton:
        assert of_rnn == {(f"rnn activation={name}", "float32") for name in ("tanh", "relu", "sigmoid", "identity")} | {
            ("rnn activation=tanh", precision) for precision in rounded
        }
        assert [name in found for name in ("triton_lstm on cuda", "triton_lstm on cuda in bfloat16")] == [
            True,
            bool(rounded),
        ]
    else:
        assert found["triton_lstm on cuda"].value == "not here: triton is not installed"
    assert found["lstm on cuda"].facts["kernel"] == ("triton_lstm" if triton else "stock")
    assert found["lstm on cpu"].facts["kernel"] == "stock"
    assert ("stock_rnn", "rnn activation=sigmoid", "cuda", "float32") not in checked  # cuDNN has none


def test_speeds_are_ratios_to_the_general_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call takes a made-up time."""
    clock = [0.0]
    monkeypatch.setattr("time.process_time", lambda: clock[0])

    def taking(name: str, seconds: float) -> None:
        kernel = KERNELS[name]

        def scan(*given: Any, **options: Any) -> Any:
            clock[0] += seconds
            return kernel.scan(*given, **options)

        monkeypatch.setitem(KERNELS, name, dataclasses.replace(kernel, scan=scan))

    taking("loop", 6.0)
    taking("packed", 2.0)
    taking("stock", 12.0)
    found = speeds([KERNELS[name] for name in ("packed", "stock", "loop")], CPU)
    assert found == pytest.approx({"packed": 3.0, "stock": 0.5, "loop": 1.0})


def test_a_kernel_that_raises_has_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(scan: Any, *given: Any, **options: Any) -> Any:
        raise RuntimeError("no compiler")

    untrusted(monkeypatch, failing)
    assert set(speeds([KERNELS["packed"], KERNELS["loop"]], CPU)) == {"loop"}
