"""Names, types and meanings of all that a record holds: the one definition for writers, readers and the docs.

A study is a folder, a run a folder in it: ``runs/<study>/<run id>/``. Each file is replaced as a whole, so that a
reader never sees half of one. ``hypotheses.yaml`` beside the runs has the study's hypotheses (``lrd.findings``). The
folders ``wandb``, ``slurm``, ``figures``, ``report``, ``logs`` and those whose name begins with a dot are no runs.

* ``documents``: the JSON files of a run, key by key;
* ``tables``: the tables that every study has, column by column;
* ``generalisation``: the tables of tests beyond the trained gap;
* ``probe_tables``: the tables of further probes.
"""

from __future__ import annotations

from lrd.gradients import schema as gradients
from lrd.records.schema.column_kinds import (
    AMOUNT,
    ANY,
    BOOLEAN,
    COUNT,
    INTEGER,
    REAL,
    TEXT,
    Column,
    Columns,
    Declared,
    declared_by,
    types_of,
)
from lrd.records.schema.documents import JSON_FILES, OTHER_FILES
from lrd.records.schema.generalisation import GENERALISATION_TABLES
from lrd.records.schema.names import (
    CHECKPOINT,
    ENVIRONMENT,
    GRADIENT_FIT,
    GRADIENT_FLOW,
    HOW,
    MEASUREMENTS,
    METRICS,
    NOT_RUNS,
    OUTCOMES,
    RUN,
    SCHEMA_VERSION,
    STATES,
    STATUS,
    SUMMARY,
)
from lrd.records.schema.probe_tables import PROBE_TABLES
from lrd.records.schema.tables import QUANTILES, RUNS, STUDY_TABLES

#: The types of the keys of each JSON file.
DOCUMENTS: dict[str, Declared] = {
    name: declared_by(keys) for name, (_, keys) in JSON_FILES.items() if name != MEASUREMENTS
}

#: Columns that ``runs`` always has, with the types that they have when they are empty.
RUNS_COLUMNS = types_of(RUNS)
#: metrics.parquet has further columns, all REAL.
METRICS_COLUMNS = {"update": INTEGER}
GRADIENT_FLOW_COLUMNS = types_of(STUDY_TABLES["gradient_flow"][1])
GRADIENT_FIT_COLUMNS = types_of(STUDY_TABLES["gradient_fit"][1])
GRADIENT_NORMS_COLUMNS = {**gradients.PART_COLUMNS, **gradients.GRADIENT_NORMS}  # beside ``update``

GENERALISATION_COLUMNS = {name: types_of(columns) for name, (_, columns) in GENERALISATION_TABLES.items()}

#: The tables whose columns are known without asking a probe: the type of each, and that of any other (None: of any).
TABLES: dict[str, tuple[dict[str, str], str | None]] = {
    "metrics": (METRICS_COLUMNS, REAL),
    "gradient_flow": (GRADIENT_FLOW_COLUMNS, None),
    "gradient_fit": (GRADIENT_FIT_COLUMNS, None),
    "gradient_norms": ({"update": INTEGER, **GRADIENT_NORMS_COLUMNS}, None),
    **{name: (columns, None) for name, columns in GENERALISATION_COLUMNS.items()},
}

Described = tuple[str, str, list[tuple[str, str, str]]]


def schema_tables() -> list[Described]:
    """Return every table of a study for the docs: its name, what a row is, and (column, type, meaning) of each column.

    Every table but ``runs`` also has the column ``run_id``: ``join runs using (run_id)``.
    """
    return [_described(name, *entry) for name, entry in (STUDY_TABLES | GENERALISATION_TABLES | PROBE_TABLES).items()]


def schema_files() -> list[Described]:
    """Return every JSON file of a run for the docs: its name, what it is, and (key, type, meaning) of each key."""
    return [_described(name, *entry) for name, entry in JSON_FILES.items()]


def _described(name: str, description: str, columns: Columns) -> Described:
    return name, description, [(column, *entry) for column, entry in columns.items()]


__all__ = [
    "AMOUNT",
    "ANY",
    "BOOLEAN",
    "CHECKPOINT",
    "COUNT",
    "DOCUMENTS",
    "ENVIRONMENT",
    "GENERALISATION_COLUMNS",
    "GENERALISATION_TABLES",
    "GRADIENT_FIT",
    "GRADIENT_FIT_COLUMNS",
    "GRADIENT_FLOW",
    "GRADIENT_FLOW_COLUMNS",
    "GRADIENT_NORMS_COLUMNS",
    "HOW",
    "INTEGER",
    "JSON_FILES",
    "MEASUREMENTS",
    "METRICS",
    "METRICS_COLUMNS",
    "NOT_RUNS",
    "OTHER_FILES",
    "OUTCOMES",
    "PROBE_TABLES",
    "QUANTILES",
    "REAL",
    "RUN",
    "RUNS_COLUMNS",
    "SCHEMA_VERSION",
    "STATES",
    "STATUS",
    "SUMMARY",
    "TABLES",
    "TEXT",
    "Column",
    "Columns",
    "Declared",
    "declared_by",
    "schema_files",
    "schema_tables",
    "types_of",
]
