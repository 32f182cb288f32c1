"""What the Triton kernels' doors do where the programs cannot run, and what they import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from packs import case

from lrd.cells import GRU, LSTM, RNN, Cell
from lrd.kernels import KERNELS, choose_kernel, fused
from lrd.kernels.fused import GradientNorms, launch

ROOT = Path(__file__).resolve().parents[2]
CELLS = [(RNN(), "triton_rnn", "packed"), (LSTM(), "triton_lstm", "packed_lstm"), (GRU(), "triton_gru", "traced")]


@pytest.mark.parametrize(("cell", "kernel", "general"), CELLS, ids=[kernel for _, kernel, _ in CELLS])
def test_other_precisions_go_to_the_general_kernels(cell: Cell, kernel: str, general: str) -> None:
    made = case(cell, (3, 2, 3, 2, 4), torch.float64)
    expected = made.results(general)
    for what, value in made.results(kernel).items():
        assert torch.equal(value, expected[what]), what


@pytest.mark.parametrize(("cell", "kernel", "general"), CELLS[:2], ids=[kernel for _, kernel, _ in CELLS[:2]])
def test_norms_too(cell: Cell, kernel: str, general: str) -> None:
    made = case(cell, (3, 2, 3, 2, 4), torch.float64)
    found = []
    for name in (kernel, general):
        params = {key: p.requires_grad_() for key, p in made.params.items()}
        norms = GradientNorms()
        KERNELS[name].scan(made.cell, params, made.inputs, None, 0, norms=norms)[0].sum().backward()
        found.append(norms.log10())
    assert all(torch.equal(value, found[1][variable]) for variable, value in found[0].items())
    assert found[0].keys() == set(cell.state_names)


def test_norms_of_a_gru_are_refused_where_no_program_writes_them() -> None:
    made = case(GRU(), (3, 2, 3, 2, 4), torch.float64)
    with pytest.raises(ValueError, match="need triton and float32 on a CUDA device"):
        KERNELS["triton_gru"].scan(made.cell, made.params, made.inputs, None, 0, norms=GradientNorms())


def test_without_triton_the_general_kernels_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "importable", lambda: False)
    made = case(RNN(), (3, 2, 3, 2, 4), torch.float32)
    expected = made.results("packed")
    for what, value in made.results("triton_rnn").items():
        assert torch.equal(value, expected[what]), what


@pytest.mark.parametrize("missing", ["compiler", "headers", "triton", ""])
def test_programs_are_launched_where_triton_has_what_it_wants(
    missing: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Else packs get the general kernels, and one line says why: not a traceback from the first program."""
    (tmp_path / "Python.h").touch()
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("shutil.which", lambda name: None if missing == "compiler" else f"/bin/{name}")
    include = tmp_path / "none" if missing == "headers" else tmp_path
    monkeypatch.setattr("sysconfig.get_paths", lambda scheme: {"include": str(include)})
    monkeypatch.setattr(fused, "importable", lambda: missing != "triton")
    fused.launchable.cache_clear()
    try:
        chosen = {choose_kernel(RNN(), torch.device("cuda"), runs=4) for _ in range(3)}
    finally:
        fused.launchable.cache_clear()
    assert chosen == {"packed" if missing else "triton_rnn"}
    said = [record.getMessage() for record in caplog.records]
    wants = {"compiler": "a C compiler (gcc or clang, or CC)", "headers": "Python's headers (Python.h)"}
    assert said == [f"packs run without their Triton kernels, which want {wants[m]}" for m in wants if m == missing]


@pytest.mark.slow
def test_triton_is_not_imported_before_a_program_runs() -> None:
    code = "import sys, lrd.kernels, lrd.kernels.fused; print('triton' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["False"], done.stderr


@pytest.mark.parametrize(
    ("gates", "hidden", "precision", "padded", "resident"),
    [
        (1, 1, "float32", 16, True),
        (1, 17, "float32", 32, True),
        (1, 64, "float32", 64, True),
        (1, 128, "float32", 128, False),
        (1, 128, "tf32", 128, True),
        (4, 64, "float32", 64, True),
        (4, 65, "float32", 128, False),
        (1, 256, "tf32", 256, False),
        (3, 100, "bfloat16", 128, False),
    ],
)
def test_tiles_hold_all_units_and_w_where_it_fits(
    gates: int, hidden: int, precision: str, padded: int, resident: bool
) -> None:
    for batch in (1, 32):
        cut = launch.tiles(gates, batch, hidden, precision)
        assert (padded, resident) == (cut.PADDED, cut.RESIDENT)
        assert cut.PADDED % cut.UNITS == cut.PADDED % cut.INNER == 0
        assert min(cut.ROWS, cut.PADDED, cut.UNITS, cut.INNER) >= 16  # the least that tensor cores multiply
        assert cut.UNITS == cut.PADDED or not cut.RESIDENT


def test_precision_is_torchs_own_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    was = torch.backends.cuda.matmul.fp32_precision
    try:
        for switch, expected in (("ieee", "ieee"), ("tf32", "tf32")):
            torch.backends.cuda.matmul.fp32_precision = switch
            assert expected == launch.tiles(1, 1, 16, None).PRECISION
    finally:
        torch.backends.cuda.matmul.fp32_precision = was
