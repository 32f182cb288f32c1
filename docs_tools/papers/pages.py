"""The three pages of published results: what came out, what the gradient did, and what could not be repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from lrd.findings import AGREES, DISAGREES, PARTLY, UNDECIDED
from lrd.sweeps.units import duration
from papers.blocks import table, text, with_block
from papers.numbers import as_published, shown
from papers.publications import NOT_RUN, Publication, shared_title

VERDICTS = (AGREES, PARTLY, DISAGREES, UNDECIDED)


def results_block(found: Sequence[Publication], images: Path) -> str:
    """Return how many results agree, and for each source a table with a row a result.

    Args:
        found: all published results, those of one source side by side.
        images: folder of small pictures, ``NAME.png`` each.
    """
    lines = [counted(found)]
    for source, mine in _by_source(found):
        head = ["Published", "Hypotheses, and what came out", "Verdict", "Size and time", ""]
        title = shared_title(mine)
        rows = [_row(each, each.where.removeprefix(f"{title}, "), images) for each in mine]
        lines += ["", f"## {text(source)}", *(["", f"*{text(title)}*"] if title else []), *table(head, rows)]
    return "\n".join(lines)


def counted(found: Sequence[Publication]) -> str:
    """Return in a sentence how many results were re-run, and how many of them agree."""
    if not found:
        return "None was re-run yet."
    tally = Counter(each.verdict for each in found)
    run = len(found) - tally[NOT_RUN]
    parts = [f"{verdict}: {tally[verdict]}" for verdict in VERDICTS if tally[verdict]]
    return f"Published results: {len(found)}. Re-run: {run}" + "".join(f"; {part}" for part in parts) + "."


def _row(publication: Publication, where: str, images: Path) -> list[str]:
    paper, result = publication.paper, publication.result
    published = f"**{text(where)}**<br>" if where else ""
    published += f"{text(paper.result)}<br>`{publication.file}`"
    verdict = f"**{publication.verdict}**"
    if result is None:
        return [published, _stated(publication), publication.verdict, text(paper.size), ""]
    if publication.verdict != AGREES:
        verdict = f"[{verdict}](disagreements.md)"
    runs = f"{result['seeds']} seeds, {result['runs']:,} runs, {duration(result['training_seconds'])}"
    picture = ""
    if (images / f"{publication.name}.png").is_file():
        alt = f"{paper.figure} of {publication.name}".replace("_", " ")
        source = f"images/{publication.name}.png"
        picture = f'<a href="{source}"><img src="{source}" width="240" alt="{alt}"></a>'
    came_out = "<br>".join(_came_out(each) for each in result["hypotheses"].values())
    return [published, came_out, verdict, f"{text(paper.size)}<br>{runs}", picture]


def _stated(publication: Publication) -> str:
    return "<br>".join(text(hypothesis.says) for hypothesis in publication.hypotheses)


def _came_out(hypothesis: dict[str, Any]) -> str:
    """Return a line: what is stated, the number with its interval, the published one, and the verdict."""
    return f"{text(hypothesis['says'])} {numbers(hypothesis)}: {hypothesis['verdict']}"


def numbers(hypothesis: dict[str, Any]) -> str:
    """Return estimate, interval and published number: ``**28,900** (24,100 to 33,000), published 31,390``."""
    estimate, low, high = (hypothesis[key] for key in ("estimate", "low", "high"))
    said = f"**{shown(estimate)}**" + (f" ({shown(low)} to {shown(high)})" if low == low else " (no interval)")
    published = hypothesis["published"]
    return said if published is None else f"{said}, published {as_published(published)}"


def flow_block(found: Sequence[Publication]) -> str:
    """Return for each source a table of what the gradient did, with a row for each cell, gap and state variable."""
    lines = []
    head = ["Study", "Cell", "Gap", "Lag", "", "Factor per step back", "Regime", "Horizon"]
    for source, mine in _by_source([each for each in found if each.result and each.result["gradient_flow"]]):
        rows = [row for each in mine for row in _flow_rows(each)]
        lines += ["", f"## {text(source)}", *table(head, rows)]
    return "\n".join(lines) or "No study that was re-run has the probe yet."


def _flow_rows(publication: Publication) -> Iterator[list[str]]:
    flow = (publication.result or {})["gradient_flow"]
    several = len({row["task"] for row in flow}) > 1
    for number, row in enumerate(flow):
        cell = ", ".join(filter(None, [row["cell"], row["options"], row["task"] if several else ""]))
        gap = "" if row["gap"] is None else f"{row['gap']:,}"
        yield [
            "" if number else f"`{publication.name}`",
            text(cell),
            gap,
            shown(row["lag"]),
            f"dL/d{row['variable']}",
            _change(row, lambda moment: shown(moment["factor"], 4)),
            _change(row, lambda moment: regime(moment["regimes"])),
            _change(row, lambda moment: shown(moment["horizon"])),
        ]


def _change(row: dict[str, Any], said: Callable[[dict[str, Any]], str]) -> str:
    """Return what is said of the gradient before and after training."""
    return " → ".join("–" if row[moment] is None else said(row[moment]) for moment in ("before", "after"))


def regime(counts: dict[str, int]) -> str:
    """Return the regime of most runs, with their number where others differ; all regimes where none has most."""
    total, (name, most) = sum(counts.values()), max(counts.items(), key=lambda item: item[1])
    if most == total:
        return name
    if 2 * most > total:
        return f"{name} ({most} of {total})"
    return ", ".join(f"{count} {each}" for each, count in counts.items())


def disagreements_block(found: Sequence[Publication]) -> str:
    """Return a list of the results that were not repeated as published, with what was checked since."""
    lines: list[str] = []
    for each in found:
        if each.result is None or each.verdict == AGREES:
            continue
        lines += [f"* **{each.verdict}** `{each.name}`, {text(each.authors_and_year)}: {text(each.paper.result)}"]
        missed = [one for one in each.result["hypotheses"].values() if one["verdict"] != "holds"]
        lines += [f"    * {_came_out(one)}; stated: {text(one['stated'])}" for one in missed]
        lines += [f"    * Checked since: {text(check)}" for check in each.paper.further]
    return "\n".join(lines) or "Every result that was re-run agrees."


def _by_source(found: Sequence[Publication]) -> Iterator[tuple[str, list[Publication]]]:
    for source, mine in groupby(found, lambda each: each.authors_and_year):
        yield source, list(mine)


def pages(found: Sequence[Publication], folder: Path) -> dict[Path, str]:
    """Return the text of each page, with its generated part made anew.

    Args:
        found: all published results, those of one source side by side.
        folder: of the pages, ``docs/papers``.

    Raises:
        ValueError: a page has no place for it.
    """
    made = {
        "index.md": results_block(found, folder / "images"),
        "gradient_flow.md": flow_block(found),
        "disagreements.md": disagreements_block(found),
    }
    return {folder / name: with_block((folder / name).read_text("utf-8"), block) for name, block in made.items()}
