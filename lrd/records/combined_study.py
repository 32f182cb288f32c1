"""Several studies as one, for comparing them in one query.

    both = combine_studies([open_study("runs/demo"), open_study("runs/demo2")])
    both.sql("select study, cell, avg(solved) from runs group by all")

The column ``study`` of ``runs`` is then the name of a study's folder, and every ``run_id`` begins with it
(``demo2/<run id>``): runs of equal id in two studies are two runs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lrd.records.files import RecordError, plain_text
from lrd.records.study import Study
from lrd.records.tables import literal
from lrd.records.untrusted_sql import confined


def combine_studies(studies: Sequence[Study]) -> Study:
    """Combine the runs of several studies; a single study is returned as it is.

    Raises:
        RecordError: a folder is given twice.
    """
    if len(studies) == 1:
        return studies[0]
    places = [os.path.realpath(study.path) for study in studies]
    for at, study in enumerate(studies):
        if places[at] in places[:at]:
            raise RecordError(f"{study.path} is given twice: a study is compared with others")
    return CombinedStudy(studies)


class CombinedStudy(Study):
    """Several studies, of whose tables each is the union of theirs.

    A column that a study lacks is NULL in its rows.
    """

    def __init__(self, studies: Sequence[Study]) -> None:
        self.path = studies[0].path
        self.names = names_of([study.path for study in studies])
        self.problems = [problem for study in studies for problem in study.problems]
        conditions = {study.condition for study in studies}
        self.condition = conditions.pop() if len(conditions) == 1 else None
        self._connection = confined([study.path for study in studies])
        self._studies: dict[str, Study] = {}
        self._among = [row for study in studies for row in study._among]
        for at, (name, study) in enumerate(zip(self.names, studies, strict=True)):
            # Each study has a schema of its own, where its tables have their usual names.
            cursor = self._connection.cursor()
            cursor.execute(f"create schema study_{at}")
            cursor.execute(f"set schema = 'study_{at}'")
            self._studies[name] = study.within(cursor, self.problems, self._among)
        self._files = {name: file for study in self._studies.values() for name, file in study._files.items()}
        self._ready: set[str] = set()
        self._unite("runs")

    def filtered(self, condition: str) -> Study:
        """Return the runs that meet an SQL condition; studies without any are left out."""
        chosen = set(self.where(condition))
        if not chosen:
            raise RecordError(f"no run of {' and '.join(self.names)} meets the condition {condition!r}")
        kept: list[Study] = []
        for name, study in self._studies.items():
            rows = [row for row in study._rows if f"{name}/{row['run_id']}" in chosen]
            if rows:
                kept.append(Study(study.path, rows, [] if kept else self.problems, among=self._among))
                kept[-1].condition = condition
        return combine_studies(kept)

    @property
    def folders(self) -> dict[str, Path]:
        """The folder of each study by its name."""
        return {name: study.path for name, study in self._studies.items()}

    def folder(self, run_id: str) -> Path:
        """Return the folder of a run, whose id begins with the name of its study."""
        name, _, rest = run_id.rpartition("/")
        return self._studies[name].folder(rest)

    def _make_view(self, name: str) -> None:
        for study in self._studies.values():
            if name in study.tables:
                study._prepare([name])
        self._unite(name)

    def _unite(self, name: str) -> None:
        parts = []
        for at, (study_name, study) in enumerate(self._studies.items()):
            if name == "runs" or name in study.tables:
                prefix = literal(f"{study_name}/")
                named = f", {literal(study_name)} as study" if name == "runs" else ""
                parts.append(f"select * replace ({prefix} || run_id as run_id{named}) from study_{at}.{name}")
        self._connection.execute(f"create or replace view {name} as {' union all by name '.join(parts)}")

    def _repair(self) -> bool:
        found = [study._repair() for study in self._studies.values()]
        for name in self._ready:
            self._unite(name)
        return any(found)


def names_of(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return names of different folders: the ends of their paths, as long as it takes for all to differ."""
    parts = [Path(plain_text(os.path.abspath(path))).parts for path in paths]
    longest = max(map(len, parts))
    for count in range(1, longest + 1):
        names = tuple("/".join(part.strip("/") for part in one[-count:]) for one in parts)
        if len(set(names)) == len(names):
            break
    return names
