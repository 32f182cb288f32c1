"""What a sweep says before its kernels are compiled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from jobs import job

from lrd.kernels import KERNELS
from lrd.sweeps.execute import _say_what_is_compiled
from lrd.sweeps.plan import plan


@pytest.mark.parametrize("is_compiled", [True, False])
def test_it_says_what_it_waits_for(
    is_compiled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("traced", "loop"):
        monkeypatch.setitem(KERNELS, name, replace(KERNELS[name], is_compiled=lambda: is_compiled))
    made = plan([job(tmp_path, cell="lstm_peephole"), job(tmp_path, cell="clockwork")], 1)
    _say_what_is_compiled(made)
    said = "" if is_compiled else "compiling traced for this machine, once: some ten seconds for the first one\n"
    assert capsys.readouterr().err == said
