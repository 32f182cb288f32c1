"""The JSON files in the folder of a run: the type and the meaning of each key.

Any value may be null. JSON has no nan and no infinity: they stand as the texts "nan", "inf" and "-inf"
(``lrd.records.files``). A dotted name is a key of an object inside the file, ``*`` stands for every other key.
``lrd.records.type_checks`` holds files against these types.
"""

from __future__ import annotations

from lrd.records.schema.column_kinds import AMOUNT, ANY, BOOLEAN, COUNT, INTEGER, REAL, TEXT, Column, Columns
from lrd.records.schema.names import ENVIRONMENT, MEASUREMENTS, RUN, STATUS, SUMMARY

RUN_KEYS: Columns = {
    "schema": Column(ANY, "version of this layout; this lrd reads version 1"),
    "run_id": Column(TEXT, "name of the run's folder"),
    "study": Column(TEXT, "name of the study's folder when the run was trained"),
    "spec.seed": Column(INTEGER, "seed of the run's data and initial weights"),
    "spec.*": Column(ANY, "every option of the run, resolved, nested by group: task, cell, optimizer, training, probe"),
    "task.sequence_length": Column(COUNT, "steps of the task's longest sequence"),
    "task.smallest_lag": Column(COUNT, "smallest number of steps from what must be remembered to its answer"),
    "task.largest_lag": Column(COUNT, "largest number of steps from what must be remembered to an answer"),
    "task.log10_sequences": Column(
        ANY,
        "log10 of the number of different sequences that the task can show; inf for real numbers; null where it is "
        "not known (real data, custom tasks) and in records older than this key",
    ),
    "task.criterion": Column(TEXT, "what counts as solved, in words"),
    "task.chance.*": Column(REAL, "closed-form level of each metric for an answer that remembers nothing"),
    "task.landmarks.*": Column(REAL, "further levels of the loss by name, such as that of a memory of two symbols"),
    "task.*": Column(ANY, "further facts of the task"),
    "parameters": Column(COUNT, "number of trained parameters"),
    "sources.*": Column(TEXT, "text of the file of a custom class, by task, cell or probe.NAME; only where there are"),
    "seal": Column(ANY, "shows its owner that they trained code of ``sources`` themselves (``lrd.records.code_seal``)"),
    "tracker.*": Column(TEXT, "name, mode, project and entity of the run's mirror; absent in old records: project lrd"),
    "*": Column(ANY, "whatever else a later lrd keeps"),
}

STATUS_KEYS: Columns = {
    "state": Column(TEXT, "running, interrupted, failed or finished"),
    "message": Column(TEXT, "why the run failed; empty otherwise"),
    "update": Column(COUNT, "updates done"),
    "max_updates": Column(COUNT, "updates at which training ends"),
    "time": Column(AMOUNT, "when this file was written [s since 1970]"),
    "seconds": Column(AMOUNT, "wall time of training so far [s], as in summary.json"),
    "kernel": Column(
        TEXT,
        "kernel of the updates as ``lrd.kernels`` names it; those of several attempts are joined by +, with "
        '"not recorded" for an attempt older than this key',
    ),
    "hardware": Column(TEXT, "what the updates ran on, in words; joined as ``kernel`` is"),
    "pack_size": Column(AMOUNT, "runs in the run's pack, mean over its updates: they share the time; null before any"),
    "resumed": Column(COUNT, "how often the run went on from a checkpoint"),
    "crc32.*": Column(INTEGER, "checksums of a finished run's tables, by file name (``lrd.records.checksums``)"),
    "host": Column(TEXT, "machine of the process that trains the run"),
    "machine": Column(TEXT, "boot and process namespace of that machine, which tell process numbers apart"),
    "pid": Column(COUNT, "number of the process"),
    "started": Column(COUNT, "when the process started [ticks since the boot]"),
    "job": Column(TEXT, "SLURM job of the process; absent outside SLURM"),
    "*": Column(ANY, "whatever else a later lrd keeps"),
}

SUMMARY_KEYS: Columns = {
    "outcome": Column(TEXT, "solved, unsolved or diverged"),
    "update": Column(COUNT, "updates done"),
    "solved_at": Column(COUNT, "first update of the evaluations that met the criterion; null where none did"),
    "diverged_at": Column(COUNT, "update at which loss or parameters stopped being finite; null where they never did"),
    "seconds": Column(AMOUNT, "wall time of training [s], the pack's time shared equally among its runs"),
    "seen_share": Column(
        REAL,
        "expected share of test sequences that are among the training sequences (updates x batch), in closed form; "
        "1: no test sequence is new. Evaluation and probe sequences have the same share (about, for real data)",
    ),
    "seen_counted": Column(
        REAL,
        "null; for a custom task of which nothing is known, the number of first training sequences among which "
        "seen_share was counted on 256 test sequences: a lower bound for all",
    ),
    "eval_*": Column(REAL, "each metric of the task at the last evaluation"),
    "test_*": Column(REAL, "each metric of the task on test sequences, after training"),
    "*_start": Column(REAL, "each scalar of a probe (``lrd.scalars``) at its first measurement"),
    "*_end": Column(REAL, "each scalar of a probe at its last measurement"),
    "*": Column(REAL, "further numbers"),
}

ENVIRONMENT_KEYS: Columns = {
    "lrd": Column(TEXT, "version of lrd"),
    "commit": Column(TEXT, "git commit of the checkout that lrd ran from; null for an installed package"),
    "dirty": Column(BOOLEAN, "whether tracked files differed from that commit"),
    "commit_unknown": Column(TEXT, "why git gave no commit of the checkout; only where it gave none"),
    "python": Column(TEXT, "version of Python"),
    "torch": Column(TEXT, "version of torch"),
    "cuda": Column(TEXT, "version of CUDA that torch was built for; null without"),
    "numpy": Column(TEXT, "version of numpy"),
    "platform": Column(TEXT, "operating system"),
    "device": Column(TEXT, "torch device: cpu, cuda, cuda:1, ..."),
    "device_name": Column(TEXT, "model of the processor or GPU"),
    "host": Column(TEXT, "name of the machine"),
    "user": Column(TEXT, "name of the user"),
    "executable": Column(TEXT, "path of the Python interpreter"),
    "package": Column(TEXT, "folder of the lrd that trained"),
    "threads": Column(COUNT, "threads of torch on a processor"),
    "earlier": Column(ANY, "environments of earlier attempts that differ from this one, as a list of such objects"),
    "*": Column(TEXT, "whatever else a later lrd keeps"),
}

#: What each JSON file of a record is, and its keys.
JSON_FILES: dict[str, tuple[str, Columns]] = {
    RUN: ("What the run is; written first.", RUN_KEYS),
    ENVIRONMENT: ("Where the run was trained.", ENVIRONMENT_KEYS),
    STATUS: ("How the run stands; written again and again.", STATUS_KEYS),
    SUMMARY: ("How the run ended; written last: a run is finished if and only if this file is there.", SUMMARY_KEYS),
    MEASUREMENTS: (
        "Options of the probes that measured after training (``lrd probe``), by ``probe@update``.",
        {"*": Column(ANY, "options of one measurement")},
    ),
}

#: Every other file in the folder of a run.
OTHER_FILES = {
    "*.parquet": "The tables metrics, gradient_flow, gradient_fit, gradient_norms, of other gaps, of further probes.",
    "checkpoint.pt": "The last state of training: to go on from, never for figures.",
    "claim.json, claim.*.json": "The run lock: which process trains the run (``lrd.records.run_lock``).",
    "error.txt": "What attempts at this run failed with.",
}
