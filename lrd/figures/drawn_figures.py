"""All figures of a study: drawn one script after another, of which none stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lrd.figures import page_processes
from lrd.figures.errors import NothingToDrawError, NotMeasuredError
from lrd.figures.figure_options import FigureOptions
from lrd.figures.script_protocol import FigureScript
from lrd.figures.scripts import FIGURES, in_a_line, load_script
from lrd.records import RecordError

LONGEST_REASON = 300  # letters of why a figure failed


@dataclass
class DrawnFigures:
    """What became of the figures of a study: files, and why others are not there.

    Attributes:
        paths: The files written.
        missing: Why the records hold nothing for a figure, or not yet, by the name of its script.
        failed: What went wrong when a figure was drawn, by the name of its script, or of its page.
        scripts: Names of all scripts that were run.
    """

    paths: list[Path] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    scripts: tuple[str, ...] = FIGURES

    @property
    def figures(self) -> list[str]:
        """Names of the figures, of which several may be pages of one."""
        return [path.stem for path in self.paths if path.suffix == ".png"]


def draw_all(
    study: Any, out: Path, options: FigureOptions | None = None, own: Sequence[FigureScript] = ()
) -> DrawnFigures:
    """Draw every figure that comes with lrd, or a user's own. One that fails stops no other.

    Args:
        study: An open study, or several as one (``lrd.records``).
        out: Folder for the files; made where it is not there.
        options: The style and width of the figures; None for those of a paper.
        own: Scripts of the user's to draw instead of those that come with lrd.

    Returns:
        The files, and why others are not there. A figure for which nothing was measured (``NotMeasuredError``) is
        passed over in silence, unless it is one of ``own``.

    Raises:
        OSError: The system refuses to write: it would refuse all figures.
        RecordError: The records cannot be read.
    """
    drawn = DrawnFigures(scripts=tuple(script.name for script in own) or FIGURES)
    failed: dict[str, Exception] = {}
    places = {script.name: script.path for script in own}
    with page_processes.together(failed):  # while the pages of one figure are saved, the records of the next are read
        for name, draw in _own(own, options) if own else _all(options):
            try:
                drawn.paths += draw(study, out)
            except NotMeasuredError as error:
                if own:
                    drawn.missing[name] = str(error)
            except NothingToDrawError as error:
                drawn.missing[name] = str(error)
            except (OSError, RecordError):
                raise
            except Exception as error:  # whatever a stranger's records lead to
                failed[name] = error
    for reason in failed.values():
        if isinstance(reason, OSError) and not isinstance(reason, ChildProcessError):
            raise reason
    for path in drawn.paths:
        if path.stem in failed:  # its numbers and manifest; a picture of an earlier drawing is not theirs
            for suffix in (".pdf", ".png", path.suffix):
                path.with_suffix(suffix).unlink(missing_ok=True)
    drawn.paths = [path for path in drawn.paths if path.stem not in failed]
    drawn.failed = {
        name: in_a_line(reason, places.get(name))[:LONGEST_REASON] for name, reason in sorted(failed.items())
    }
    return drawn


Draw = Callable[[Any, Path], list[Path]]


def _all(options: FigureOptions | None) -> Iterator[tuple[str, Draw]]:
    for name in sorted(FIGURES):
        yield name, partial(_draw_one, name, options)


def _draw_one(name: str, options: FigureOptions | None, study: Any, out: Path) -> list[Path]:
    paths: list[Path] = load_script(name).draw(study, out, options=options)
    return paths


def _own(scripts: Sequence[FigureScript], options: FigureOptions | None) -> Iterator[tuple[str, Draw]]:
    for script in scripts:
        yield script.name, partial(_draw_own, script, options or FigureOptions())


def _draw_own(script: FigureScript, options: FigureOptions, study: Any, out: Path) -> list[Path]:
    if options.command:
        options = replace(options, command=(*options.command, "--script", script.path.name))
    try:
        found: object = script(study, out, options=options)
    except SystemExit as error:
        raise RuntimeError(f"its draw ends the program, sys.exit({error.code!r})").with_traceback(
            error.__traceback__
        ) from error
    if isinstance(found, list) and found and all(isinstance(path, Path) for path in found):
        return found
    raise TypeError("its draw must return the list of files that save_figure returns")
