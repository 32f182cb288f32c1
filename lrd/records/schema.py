"""The names and types of what a record holds, in one place; ``lrd.records.reader`` says what each of them means."""

from __future__ import annotations

from collections.abc import Mapping

from lrd.gradients import schema as gradients

#: An SQL type, or those of the keys of an object.
Declared = str | Mapping[str, "Declared"]

#: Raised by one whenever a reader of the old files would misread the new ones. Kept in run.json and checkpoint.pt.
SCHEMA_VERSION = 1

RUN = "run.json"
ENVIRONMENT = "environment.json"
STATUS = "status.json"
SUMMARY = "summary.json"
CHECKPOINT = "checkpoint.pt"
LOOKS = "looks.json"
METRICS = "metrics.parquet"
GRADIENT_FLOW = "gradient_flow.parquet"
GRADIENT_FIT = "gradient_fit.parquet"

STATES = ("running", "interrupted", "failed", "finished")
OUTCOMES = ("solved", "unsolved", "diverged")

#: What status.json says of how a run was trained; kept when the run is finished.
HOW = ("kernel", "hardware", "pack_size", "resumed")

#: Folders inside a study that are no runs.
NOT_RUNS = frozenset({"wandb", "figures", "report", "logs", "slurm"})

BOOLEAN, INTEGER, REAL, TEXT = "BOOLEAN", "BIGINT", "DOUBLE", "VARCHAR"
COUNT, AMOUNT, ANY = "COUNT", "AMOUNT", "ANY"  # of JSON alone: an integer, a finite number from 0 on; whatever there is

#: The JSON files of a record: the type of each key, or those of its own keys; ``*`` is every other key. Whatever has
#: a type may be null. ``lrd.records.typed`` holds files against this.
DOCUMENTS: dict[str, Declared] = {
    RUN: {
        "run_id": TEXT,
        "study": TEXT,
        "spec": {"seed": INTEGER, "*": ANY},
        "task": {
            **dict.fromkeys(("sequence_length", "smallest_lag", "largest_lag"), COUNT),
            "criterion": TEXT,
            "chance": {"*": REAL},
            "landmarks": {"*": REAL},
            "*": ANY,
        },
        "parameters": COUNT,
        "sources": {"*": TEXT},
        "tracker": {"*": TEXT},
        "*": ANY,
    },
    STATUS: {
        **dict.fromkeys(("state", "message", "kernel", "hardware", "host", "machine", "job"), TEXT),
        **dict.fromkeys(("update", "max_updates", "resumed", "pid", "started"), COUNT),
        **dict.fromkeys(("time", "seconds", "pack_size"), AMOUNT),
        "crc32": {"*": INTEGER},
        "*": ANY,
    },
    SUMMARY: {
        "outcome": TEXT,
        **dict.fromkeys(("update", "solved_at", "diverged_at"), COUNT),
        "seconds": AMOUNT,
        "*": REAL,
    },
    ENVIRONMENT: {"threads": COUNT, "dirty": BOOLEAN, "earlier": ANY, "*": TEXT},
}

QUANTILES = tuple(gradients.QUANTILES)

#: Columns with their SQL types. metrics.parquet has further columns, all REAL.
METRICS_COLUMNS = {"update": INTEGER}
GRADIENT_FLOW_COLUMNS = {"update": INTEGER, **gradients.GRADIENT_FLOW}
GRADIENT_FIT_COLUMNS = {"update": INTEGER, **gradients.GRADIENT_FIT}
GRADIENT_NORMS_COLUMNS = gradients.GRADIENT_NORMS  # beside ``update``

#: The tables whose columns are known without asking a probe: the type of each, and that of any other (None: of any).
TABLES: dict[str, tuple[dict[str, str], str | None]] = {
    "metrics": (METRICS_COLUMNS, REAL),
    "gradient_flow": (GRADIENT_FLOW_COLUMNS, None),
    "gradient_fit": (GRADIENT_FIT_COLUMNS, None),
    "gradient_norms": ({"update": INTEGER, **GRADIENT_NORMS_COLUMNS}, None),
}
