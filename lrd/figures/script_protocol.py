"""What a figure script is: a file whose ``draw(study, out)``, decorated with ``FigureScript``, returns files.

A script of one's own needs no more than this::

    from lrd.figures import FigureScript, layout, runs_of, save_figure

    @FigureScript
    def draw(study, out):
        runs = runs_of(study)
        figure, grid = layout.grid(1, 1, 2.0)
        grid[0][0].plot(runs["gap"], runs["seed"], "o")
        return save_figure(figure, out, "my_figure", [{"gap": gap} for gap in runs["gap"]])

``lrd figures STUDY --script my_figure.py`` draws it (``docs/examples/my_figure.py`` is a whole one).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any

from lrd.figures import page_processes
from lrd.figures.drawing import drawing
from lrd.figures.figure_options import FigureOptions
from lrd.figures.matplotlib_defaults import over_defaults
from lrd.paths import ANALYSIS


class FigureScript:
    """The ``draw`` of a figure script: a function of a study and a folder that returns the files it wrote there.

    Every figure that it draws has the style and width that the call is given, and a manifest. The settings of
    matplotlib outside are left alone.
    """

    def __init__(self, function: Callable[..., list[Path]]) -> None:
        self.function = function
        self.path = Path(function.__code__.co_filename)
        update_wrapper(self, function)

    @property
    def name(self) -> str:
        """Name of the script: that of its file."""
        return self.path.stem

    @property
    def own(self) -> bool:
        """Whether the script is a user's own, and not one of those that come with lrd."""
        return self.path.resolve().parent != ANALYSIS.resolve()

    def __call__(self, study: Any, *args: Any, options: FigureOptions | None = None, **own: Any) -> list[Path]:
        """Draw the figures of a study.

        The pages of a figure are saved at the same time; their files are there on return, or at the end of a
        ``page_processes.together`` around the call.

        Args:
            study: An open study, or several as one (``lrd.records``).
            args: Further arguments of the function: first of all the folder for the files.
            options: The style and width of the figures; None for those of a paper.
            own: Values of the options that this script alone has.

        Returns:
            The files written.

        Raises:
            NothingToDrawError: The records hold nothing for this figure.
        """
        style = (options or FigureOptions()).style
        script = self.path if self.own else None
        with drawing(options, study, script) as queried, over_defaults(style.settings), page_processes.together():
            return self.function(queried, *args, **own)
