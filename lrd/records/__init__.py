"""Records of runs: the folder that a run leaves on disk, its reader, and its mirror in wandb.

    study = open_study("runs/demo")
    study.sql("select cell, task, gap, avg(solved) from runs group by all")

``lrd.records.schema`` describes every file, key and column.
"""

from __future__ import annotations

from lrd.records.combined_study import combine_studies
from lrd.records.environment import environment, git_commit, hardware
from lrd.records.files import RecordError, read_json, write_atomic, write_json
from lrd.records.home_paths import without_home
from lrd.records.process import slurm_job
from lrd.records.reader import open_study
from lrd.records.record import RunRecord
from lrd.records.run_files import read_object, state_of
from lrd.records.run_lock import BEAT, LockWatch, RunLock, heartbeat_age, hold_run_locks, holder
from lrd.records.schema import SCHEMA_VERSION
from lrd.records.study import Study
from lrd.records.tables import read_table, write_table
from lrd.records.tracker import NullTracker, Tracker, make_tracker
from lrd.records.versions import training_versions
from lrd.records.writers import BackgroundWriter, ImmediateWriter, Writer

__all__ = [
    "BEAT",
    "SCHEMA_VERSION",
    "BackgroundWriter",
    "ImmediateWriter",
    "LockWatch",
    "NullTracker",
    "RecordError",
    "RunLock",
    "RunRecord",
    "Study",
    "Tracker",
    "Writer",
    "combine_studies",
    "environment",
    "git_commit",
    "hardware",
    "heartbeat_age",
    "hold_run_locks",
    "holder",
    "make_tracker",
    "open_study",
    "read_json",
    "read_object",
    "read_table",
    "slurm_job",
    "state_of",
    "training_versions",
    "without_home",
    "write_atomic",
    "write_json",
    "write_table",
]
