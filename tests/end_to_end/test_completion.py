"""Tab completion in a real bash."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from commands import environment

ASK = """
set -e
eval "$(lrd -sc install=bash)"
complete -p lrd | grep -q -- '-F hydra_bash_completion lrd'
COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
hydra_bash_completion
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize(("line", "completed"), [("lrd tr", ["train"]), ("lrd train task=cop", ["task=copy"])])
def test_bash_completes(line: str, completed: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", line], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True
    )
    assert done.stdout.split() == completed, done.stderr
    assert done.returncode == 0
