"""The figure scripts that come with lrd, by name, and how a script is loaded from its file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import sys
import types
from pathlib import Path
from typing import Any

from lrd.figures.errors import FigureScriptError
from lrd.figures.script_protocol import FigureScript
from lrd.one_line import one_line
from lrd.paths import ANALYSIS
from lrd.user_files import import_beside, line_in, path_of, read_user_text, run_as_module

#: The figure to see first: the mission of lrd in one picture.
LEAD = "vanish_explode_retain"
#: The scripts of ``analysis/``, in the order of a report: what the gradient does, what was learned, what the state
#: keeps. A file that lies beside them and is not named here is not run.
FIGURES = (
    LEAD,
    *("gradient_flow", "gradient_heatmap", "regimes", "slopes", "lag_profiles", "gradient_norms"),
    *("phase_diagram", "lyapunov_slope"),
    *("gap_wall", "walls", "generalisation", "cell_pairs", "survival", "learning_curves", "outcomes"),
    *("gates_along_gap", "retention_along_gap", "closing_distance", "neurons_on_text", "cost"),
)


def load_script(name: str) -> Any:
    """Return the module of a script that comes with lrd; loaded once, whatever the current folder holds."""
    return sys.modules.get(f"lrd_figure_{name}") or _load(ANALYSIS / f"{name}.py", f"lrd_figure_{name}")


def load_own_script(text: str | Path) -> FigureScript:
    """Return the ``draw`` of a user's own script. It may import modules that lie beside its file.

    Args:
        text: The path as the user wrote it, with ``~`` as in a shell.

    Raises:
        FigureScriptError: There is no such file, it cannot be run, or it has no ``draw`` that is a ``FigureScript``.
    """
    path = path_of(text).absolute()
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    import_beside(path)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            module = _load(path, f"lrd_own_figure_{digest}")
    except OSError as error:
        raise FigureScriptError(f"cannot read the script {text}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise FigureScriptError(f"cannot read the script {text}: it is no text in UTF-8") from error
    except SyntaxError as error:
        raise FigureScriptError(f"{path.name}, line {error.lineno}: {error.msg}") from error
    except SystemExit as error:  # after a usage of another command, which `said` keeps from the user
        guard = 'put its last line under `if __name__ == "__main__":`'
        raise FigureScriptError(f"{path.name} ends the program when it is loaded: {guard}") from error
    except Exception as error:  # whatever a stranger's file dies of
        raise FigureScriptError(in_a_line(error, path)) from error
    print(said.getvalue(), end="", file=sys.stderr)
    found = getattr(module, "draw", None)
    if not isinstance(found, FigureScript):
        lacks = "its draw is not decorated with @FigureScript" if callable(found) else "it defines no draw(study, out)"
        raise FigureScriptError(f"{path.name} is no figure script: {lacks} (see lrd.figures.script_protocol)")
    return found


def in_a_line(error: BaseException, script: Path | None = None) -> str:
    """Return an error as one line.

    Args:
        error: What was raised.
        script: A file to name with the line at which it failed, if the error passed through it.
    """
    said = one_line(f"{type(error).__name__}: {error}")
    line = None if script is None else line_in(error, script)
    return said if script is None or line is None else f"{script.name}, line {line}: {said}"


def _load(path: Path, name: str) -> types.ModuleType:
    return run_as_module(path, read_user_text(path), name)
