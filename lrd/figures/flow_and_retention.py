"""One cell at one task and gap: the gradient that arrives of its answer, beside what its state retains.

Both are read from the records of the probes gradient_flow and retention, at the start and at the end of each run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lrd.figures.errors import NothingToDrawError
from lrd.figures.facet import Place
from lrd.figures.flow_profiles import at_start_and_end, flow_fits, flow_profiles
from lrd.figures.manifest import drawn_from
from lrd.figures.retention_scores import retention_scores
from lrd.figures.start_and_end import Profile, along_t, need_probe, not_measured
from lrd.figures.tables import Array, Table, groups, join_runs, plain
from lrd.gradients.rates import LOG10_E
from lrd.stats import median

#: Names of what a gradient does, in the order of the story.
REGIMES = ("vanishes", "explodes", "arrives", "has no slope")
RETAINED, LOST = 0.9, 0.1  # of the way from chance to 1
PLACE = ("panel", "gap", "label")

Key = tuple[str, str]  # variable, moment


@dataclass(frozen=True)
class FlowAndRetention:
    """One cell at one task and gap, each quantity by state variable and moment (init or end).

    Attributes:
        place: The task and the gap.
        label: The cell.
        answer: The step of the answer.
        flow: log10 of the gradient's norm by step, a band over runs.
        slopes: Median over runs of the slope, in powers of ten for each step towards the answer.
        scores: What can be read of what was shown by step, a band over runs.
        chances: What a readout of nothing scores there.
    """

    place: Place
    label: str
    answer: int
    flow: dict[Key, Profile]
    slopes: dict[Key, float]
    scores: dict[Key, Profile]
    chances: dict[Key, Profile]

    @property
    def memory(self) -> str:
        """The state variable that keeps: c where the cell has it, else the first by name."""
        variables = {variable for variable, _ in self.flow}
        return "c" if "c" in variables else min(variables)

    @property
    def regime(self) -> str:
        """Whether the gradient vanishes, explodes or arrives, after training."""
        slope = self.slopes.get((self.memory, "end"), np.nan)
        if np.isnan(slope):
            return "has no slope"
        border = LOG10_E / max(self.answer, 1)
        return "vanishes" if slope > border else "explodes" if slope < -border else "arrives"

    @property
    def at_answer(self) -> tuple[float, float]:
        """What is readable at the answer after training, of the variable that holds most, and its chance; NaN: none."""
        found = [
            (float(self.scores[key][1].median[-1]), float(self.chances[key][1].median[-1]))
            for key in self.scores
            if key[1] == "end" and np.isfinite(self.scores[key][1].median[-1])
        ]
        return max(found, default=(np.nan, np.nan))

    @property
    def kept(self) -> float:
        """What is retained at the answer: 0 is chance, 1 all of it."""
        score, chance = self.at_answer
        return (score - chance) / (1 - chance) if chance < 1 else np.nan

    @property
    def fate(self) -> str:
        """Whether what was shown is retained at the answer."""
        if np.isnan(self.kept):
            return "not readable"
        return "retained" if self.kept >= RETAINED else "lost" if self.kept <= LOST else "fading"


def flow_and_retention(study: Any, runs: Table) -> tuple[list[FlowAndRetention], Array]:
    """Return the cells of every task and gap that both probes measured, and the ids of their runs.

    Args:
        study: The study.
        runs: The table of its runs (``runs_of``).

    Raises:
        NotMeasuredError: One of the probes measured no run.
        NothingToDrawError: They measured no finished run together.
    """
    need_probe(study, "retention")
    flow = flow_profiles(study)
    if not len(flow.measurements["run_id"]):
        raise not_measured(study, "gradient_flow")
    tables = retention_scores(study), at_start_and_end(flow.measurements), at_start_and_end(flow_fits(study))
    scored, followed = (table["run_id"].astype(str) for table in tables[:2])
    both = np.intersect1d(scored, followed)
    if not both.size:
        raise NothingToDrawError("no finished run was measured by both gradient_flow and retention at its start or end")
    chosen = (np.isin(table["run_id"].astype(str), both) for table in tables)
    scores, measurements, fits = (
        join_runs({name: column[rows] for name, column in table.items()}, runs)
        for table, rows in zip(tables, chosen, strict=True)
    )
    drawn_from(runs, scores)
    return [
        FlowAndRetention(
            (place[0], int(place[1])),
            place[2],
            int(np.max(_at(scores, place)["answer"])),
            {key: along_t(rows, "log10_gmean") for key, rows in flow.groups(here, "variable", "moment")},
            {key: float(median(plain(rows["slope"]))) for key, rows in groups(_at(fits, place), "variable", "moment")},
            *(
                {key: along_t(rows, name) for key, rows in groups(_at(scores, place), "variable", "moment")}
                for name in ("score", "chance")
            ),
        )
        for place, here in groups(measurements, *PLACE)
    ], both


def _at(rows: Table, place: tuple[Any, ...]) -> Table:
    """Return the rows of one task, gap and label."""
    here = np.logical_and.reduce([rows[name] == value for name, value in zip(PLACE, place, strict=True)])
    return {name: column[here] for name, column in rows.items()}
