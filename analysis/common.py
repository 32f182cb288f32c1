"""What the figure scripts share: the command line, the runs of a study in panels, groups of rows.

A figure script is a file with ``draw(study, out) -> list[Path]`` that imports these siblings by their plain names
(``import style``), as Python resolves them when it runs ``python analysis/gap_wall.py`` from any folder. To draw from
inside another program, put this folder on ``sys.path`` and call ``common.draw_all(study, out)``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import unwrap
from pathlib import Path
from typing import Any

import asked
import drawable
import numpy as np
import saving
from drawing import Asked, current
from labels import by_study, in_order, natural
from manifest import drawn_from
from numpy.typing import NDArray
from pages import COLUMNS, ROWS, Page, in_files, pages
from swept import pooled

from lrd.printing import print_anything
from lrd.records import RecordError
from lrd.stats import Band

__all__ = ["COLUMNS", "ROWS", "Page", "drawn_from", "in_files", "pages"]  # from here, for the scripts

HERE = Path(__file__).resolve().parent
LONGEST_REASON = 300  # letters of why a figure failed
Array = NDArray[Any]
Table = dict[str, Array]


class NothingToDrawError(Exception):
    """The records hold nothing for this figure; the message says what is missing, in one line."""


class NotLookedAtError(NothingToDrawError):
    """Nobody asked for what this figure shows: no probe looked, or nothing was swept. A study may well be without."""


@dataclass
class Drawn:
    """What became of the figures of a study: files, and a line ``name: reason`` for each that is not there.

    ``missing``: the records hold nothing for it, or not yet; ``failed``: drawing it went wrong.
    """

    paths: list[Path] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def figures(self) -> list[str]:
        """Names of the figures, of which several may be pages of one."""
        return [path.stem for path in self.paths if path.suffix == ".png"]


def draw_all(study: Any, out: Path, asked: Asked | None = None) -> Drawn:
    """Draw every figure of this folder. One that fails stops no other.

    ``asked`` is the style and width they have (``asked.read``); those of a paper by default.

    Figures that the study was not made for (``NotLookedAtError``) are passed over in silence.

    Raises:
        OSError, RecordError: the system refuses to write, or to read the records: it would refuse all of them.
    """
    drawn = Drawn()
    failed: dict[str, Exception] = {}
    with saving.together(failed):  # while the pages of one figure are saved, the records of the next are read
        for name in figure_scripts():
            try:
                drawn.paths += importlib.import_module(name).draw(study, out, asked=asked)
            except NotLookedAtError:
                continue
            except NothingToDrawError as error:
                drawn.missing.append(f"{name}: {error}")
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
    drawn.failed = [f"{name}: {_in_a_line(reason)}" for name, reason in sorted(failed.items())]
    return drawn


def _in_a_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]


def figure_scripts() -> list[str]:
    """Names of the scripts of this folder: the files that define ``draw`` at their top."""
    return sorted(path.stem for path in HERE.glob("*.py") if "\ndef draw(" in path.read_text(encoding="utf-8"))


def main(
    draw: Callable[..., list[Path]],
    description: str | None,
    arguments: Sequence[str] | None = None,
    **options: dict[str, Any],
) -> int:
    """The command line of a figure script: ``STUDY``, the options of all (``asked``) and its own.

    The latter are handed to ``draw`` by name.
    """
    print_anything()
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="folder of a study, such as runs/demo")
    asked.add_options(parser)
    for name, option in options.items():
        parser.add_argument(f"--{name}", **option)
    given = parser.parse_args(arguments)
    own = {name: getattr(given, name) for name in options}
    program = ("python", f"analysis/{Path(unwrap(draw).__code__.co_filename).name}")
    try:
        changed = {name: value for name, value in own.items() if value != options[name].get("default")}
        study, how = asked.read(given, program, **changed)
        for path in draw(study, given.out or given.study / "figures", asked=how, **own):
            print(path)
        for problem in study.problems:
            print(f"left out: {problem}", file=sys.stderr)
    except asked.AskedError as error:
        print(error, file=sys.stderr)
        return 2
    except (NothingToDrawError, RecordError, OSError) as error:
        print(f"{given.study}: {error}", file=sys.stderr)
        return 1
    return 0


def runs_of(study: Any) -> Table:
    """The runs of a study in a fixed order, as columns [runs].

    These are run_id, panel, label, gap, seed, state, outcome (None while unfinished) and ``pooled``: in which options
    runs differ that agree in panel, gap and label, in words. ``panel`` is the task, with its convention where the study
    has the task in more than one. Where several studies are drawn, a label of more than one has its study's name.
    All texts are as figures can show them (``drawable``); CSV files have what the records say.
    """
    known = study.columns("select * from runs limit 0")
    label = "coalesce(cast(cell_label as varchar), cell)" if "cell_label" in known else "cell"
    rows: Table = study.columns(
        f"""
        select *, {label} as label,
            case when count(distinct convention) over (partition by task) > 1
                then task || ' (' || convention || ')' else task end as panel
        from runs order by panel, label, gap, seed, run_id
        """
    )
    if not len(rows["run_id"]):
        raise NothingToDrawError("the study holds no runs")
    runs = {name: rows[name] for name in ("run_id", "panel", "label", "gap", "seed", "state")}
    said = dict(runs)
    runs |= {name: _drawn(runs[name]) for name in ("panel", "label")}
    if len(study.names) > 1:
        shown = drawable.named(study.names)
        said["label"] = np.array(by_study(list(said["label"]), list(rows["study"]), study.names), dtype=object)
        studies, names = ([shown[name] for name in of] for of in (rows["study"], study.names))
        runs["label"] = np.array(by_study(list(runs["label"]), studies, names), dtype=object)
    for name in ("panel", "label"):
        current().says(zip(runs[name], said[name], strict=True))
    runs["outcome"] = np.array([value if isinstance(value, str) else None for value in rows["outcome"]], dtype=object)
    runs["pooled"] = pooled(rows, list(zip(runs["panel"], runs["gap"], runs["label"], strict=True)))
    drawn_from(runs)
    return runs


def _drawn(names: Array) -> Array:
    drawn = drawable.named(name for name in names if isinstance(name, str))
    return np.array([drawn.get(name, name) for name in names], dtype=object)


def pooling(runs: Table) -> str:
    """Over which options a figure pools its runs, as a sentence with a space before it; empty where seeds alone."""
    options = in_order(text for text in runs["pooled"] if text)
    return f" Pooled over {'; '.join(options)}." if options else ""


def drawn_over(runs: Table) -> str:
    """What a median is taken over: ``seeds``, or ``runs`` that differ in more."""
    return "runs" if pooling(runs) else "seeds"


def lines_are(runs: Table, counts: Sequence[int], bands: Iterable[Band]) -> str:
    """What the lines and bands of a figure are, as a sentence."""
    return f"Lines: median over {drawn_over(runs)} ({span(counts)}); {in_words(band.kind for band in bands)}."


def join_runs(rows: Table, runs: Table, *further: str) -> Table:
    """Rows of another table with panel, label, gap, seed, state and outcome of their run added, and ``further``.

    And ``run``, the place of their run in ``runs``.
    """
    order = np.argsort(runs["run_id"].astype(str))
    found = order[np.searchsorted(runs["run_id"].astype(str)[order], rows["run_id"].astype(str))]
    names = ("panel", "label", "gap", "seed", "state", "outcome", *further)
    return rows | {name: runs[name][found] for name in names} | {"run": found}


def groups(table: Table, *keys: str) -> Iterator[tuple[tuple[Any, ...], Table]]:
    """Rows with equal keys together, in the natural order of the keys, each group in the order of the table."""
    codes = np.stack([_ranks(table[key]) for key in keys])
    order = np.lexsort(codes[::-1])
    if not order.size:
        return
    starts = np.flatnonzero((np.diff(codes[:, order]) != 0).any(axis=0)) + 1
    for rows in np.split(order, starts):
        yield tuple(table[key][rows[0]] for key in keys), {name: column[rows] for name, column in table.items()}


def _ranks(column: Array) -> Array:
    """The rank of each value among the distinct ones; texts in natural order."""
    values, codes = np.unique(column, return_inverse=True)
    if not all(isinstance(value, str) for value in values):
        return np.asarray(codes)
    names = values.tolist()  # not texts of numpy, which know no study
    order = sorted(range(len(names)), key=lambda place: natural(names[place]))
    return np.argsort(order)[codes] if order else np.asarray(codes)


def plain(column: Array) -> NDArray[np.float64]:
    """A column of numbers with NULL as NaN."""
    return np.ma.filled(np.ma.asarray(column).astype(np.float64), np.nan)


def shortfall(runs: Table) -> str:
    """What did not come to an end, in words: ``1 failed, 2 unfinished``; empty where every run did."""
    tally = Counter("unfinished" if s in ("running", "interrupted") else s for s in runs["state"] if s != "finished")
    tally["diverged"] = int((runs["outcome"] == "diverged").sum())
    return ", ".join(f"{tally[name]} {name}" for name in ("diverged", "failed", "unfinished") if tally[name])


def in_words(kinds: Iterable[str]) -> str:
    """What the bands of a figure are (``lrd.stats.Band.kind``), for the line under it."""
    words = {"none": "no band for one seed", "min-max": "band: least to greatest"}
    return " or ".join(words.get(kind, f"band: {kind} quantiles") for kind in sorted(set(kinds)))


def span(counts: Sequence[int]) -> str:
    """``n = 5``, or ``n = 3-5`` where panels or points differ."""
    low, high = min(counts), max(counts)
    return f"n = {low}" if low == high else f"n = {low}–{high}"
