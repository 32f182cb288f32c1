"""Names of the files of a record, and the words that stand in them."""

from __future__ import annotations

#: Raised by one whenever a reader of the old files would misread the new ones. Kept in run.json and checkpoint.pt.
SCHEMA_VERSION = 1

RUN = "run.json"
ENVIRONMENT = "environment.json"
STATUS = "status.json"
SUMMARY = "summary.json"
CHECKPOINT = "checkpoint.pt"
MEASUREMENTS = "looks.json"
METRICS = "metrics.parquet"
GRADIENT_FLOW = "gradient_flow.parquet"
GRADIENT_FIT = "gradient_fit.parquet"

STATES = ("running", "interrupted", "failed", "finished")
OUTCOMES = ("solved", "unsolved", "diverged")

#: What status.json says of how a run was trained; kept when the run is finished.
HOW = ("kernel", "hardware", "pack_size", "resumed")

#: Folders inside a study that are no runs.
NOT_RUNS = frozenset({"wandb", "figures", "report", "logs", "slurm"})
