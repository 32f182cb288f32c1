"""The columns of the tables that every study has: their SQL types and what they mean.

NULL is "not measured", nan is "not a number". A name with a ``*`` stands for many columns.
"""

from __future__ import annotations

from lrd.gradients import schema as gradients
from lrd.records.schema.column_kinds import INTEGER, REAL, TEXT, Column, Columns, explained
from lrd.records.schema.documents import SUMMARY_KEYS

UPDATE = Column(INTEGER, "updates done when it was measured; 0 is before training")

_QUANTILES = {
    name: f"{100 * q:.0f} % quantile over samples of the log10 norm, nearest rank"
    for name, q in gradients.QUANTILES.items()
}
#: Quantiles over samples, of which every probe that gives quantiles has these five.
QUANTILES = {name: Column(REAL, meaning) for name, meaning in _QUANTILES.items()}

_LATER = "NULL in records older than this column"

RUNS: Columns = {
    "run_id": Column(TEXT, "name of the run's folder; of several studies at once, study/run_id"),
    "study": Column(TEXT, "name of the study when the run was trained; of several studies at once, their folders"),
    "state": Column(TEXT, "running, interrupted, failed or finished"),
    "outcome": Column(TEXT, "solved, unsolved or diverged; NULL until finished"),
    "solved": Column(INTEGER, "1 if solved, else 0; NULL until finished"),
    "update": Column(INTEGER, "updates done"),
    "max_updates": Column(INTEGER, "updates at which training ends"),
    "solved_at": Column(INTEGER, SUMMARY_KEYS["solved_at"].meaning.replace("null", "NULL")),
    "diverged_at": Column(INTEGER, SUMMARY_KEYS["diverged_at"].meaning.replace("null", "NULL")),
    "seconds": Column(REAL, SUMMARY_KEYS["seconds"].meaning),
    "kernel": Column(TEXT, f"kernel of the updates as lrd.kernels names it; {_LATER}"),
    "hardware": Column(TEXT, f"what the updates ran on, in words; {_LATER}"),
    "pack_size": Column(REAL, f"runs in the run's pack, mean over its updates; {_LATER}"),
    "resumed": Column(INTEGER, f"how often the run went on from a checkpoint; {_LATER}"),
    "message": Column(TEXT, "why the run failed"),
    "task": Column(TEXT, "task, with an ending such as (my_task.py) where one name stands for several"),
    "cell": Column(TEXT, "cell, with an ending such as (my_cell.py) where one name stands for several"),
    "gap": Column(INTEGER, "the task's gap T, in the convention of ``convention``"),
    "cell_label": Column(TEXT, "what figures call the cell, where the option cell.label says so; else NULL"),
    "convention": Column(TEXT, "which publication's definition of the task; NULL where there is one alone"),
    "seed": Column(INTEGER, "seed of the run's data and initial weights"),
    "hidden_size": Column(INTEGER, "units of the cell"),
    "sequence_length": Column(INTEGER, "steps of the task's longest sequence"),
    "smallest_lag": Column(INTEGER, "smallest number of steps from what must be remembered to its answer"),
    "largest_lag": Column(INTEGER, "largest number of steps from what must be remembered to an answer"),
    "chance_loss": Column(REAL, "closed-form loss of an answer that remembers nothing [nats or squared error]"),
    "criterion": Column(TEXT, "what counts as solved, in words"),
    "parameters": Column(INTEGER, "number of trained parameters"),
    "log10_sequences": Column(
        REAL, "log10 of the number of different sequences of the task; inf for real numbers; NULL where unknown"
    ),
    "seen_share": Column(REAL, f"expected share of test sequences that are among the training sequences; {_LATER}"),
    "seen_counted": Column(
        INTEGER, "number of training sequences among which seen_share was counted; NULL where it is a closed form"
    ),
    "chance": Column(TEXT, "closed-form level of each metric without memory, as JSON"),
    "landmarks": Column(TEXT, "further levels of the loss by name, as JSON"),
}

#: Further columns of ``runs``, which depend on the options and metrics of its runs.
RUNS_FURTHER: Columns = {
    "<group>_<option>": Column(
        "any", "every option of the run: task_gap, cell_hidden_size, optimizer_lr, ...; lists as JSON; text if mixed"
    ),
    "eval_*, test_*": Column(REAL, "each metric of the task at the last evaluation and on test sequences"),
    "*_start, *_end": Column(REAL, "each scalar of a probe (slope_h, ...) at its first and last measurement"),
    "summary_*": Column(REAL, "a number of the summary whose name is also an option"),
}

METRICS: Columns = {
    "update": UPDATE,
    "train_loss": Column(REAL, "training loss, mean over the updates since the row before [nats or squared error]"),
    "grad_norm": Column(REAL, "2-norm of the training gradient over all parameters, mean over the same updates"),
    "grad_norm_clipped": Column(REAL, "the same norm after clipping"),
    "omega": Column(REAL, "the regulariser Omega without its weight, where it is on"),
    "norm_stabilizer": Column(REAL, "the penalty on changes of the norm of h, without its weight, where it is on"),
    "train_gap": Column(REAL, "gap of a curriculum, mean over the same updates"),
    "lr": Column(REAL, "learning rate of the last update, where it has a schedule or a warm-up"),
    "eval_*": Column(REAL, "each metric of the task on evaluation sequences: eval_loss, eval_accuracy, ..."),
}

_FLOW_T = "time step, from 0; where lengths vary, of the longest sample: samples are aligned at their answer"

#: Of which part of a network a row is. Records older than these columns have networks of one layer, read as such.
PART: Columns = explained(
    gradients.PART_COLUMNS,
    {
        "layer": "recurrent layer, from 1, which reads the task's inputs; each further one reads the layer below",
        "direction": "forward; of a bidirectional network also backward, the cell that reads from the last step on",
    },
)

GRADIENT_FLOW: Columns = {
    "update": UPDATE,
    **PART,
    **explained(
        gradients.GRADIENT_FLOW,
        {
            "variable": "state variable: h for dL/dh_t, c for dL/dc_t",
            "part": "total, or direct: what reaches the step through its own output alone",
            "answer": "whose loss L is: last, first, the number of an answer (from 0), or all for their sum",
            "t": _FLOW_T,
            "lag": "answer step minus t; below 0 after the answer, of which bidirectional networks alone have steps",
            "log10_mean": "log10 of the mean norm over samples; -inf where it is exactly 0",
            "log10_gmean": "log10 of the geometric mean over the samples whose norm is not 0",
            **_QUANTILES,
            "zero_share": "share of samples whose norm is exactly 0",
        },
    ),
}

GRADIENT_FIT: Columns = {
    "update": UPDATE,
    **PART,
    **explained(
        gradients.GRADIENT_FIT,
        {
            "variable": "state variable, h or c",
            "slope": "log10 units a step of t; above 0 the gradient vanishes going back, below 0 it explodes; where a "
            "cell reads backward, a step that it reads",
            "horizon": "steps back over which the fitted norm falls to 1/e; inf where it does not fall",
            "points": "steps that the line was fitted to",
            "slope_error": "standard error of the slope over samples with a line each",
            "samples": "number of those samples",
            "fallen_e": "steps back from the end of the gap until the norm is 1/e of what it is there; or inf",
            "fallen_milli": "steps back from the end of the gap until it is 1/1000 of what it is there; or inf",
        },
    ),
}

GRADIENT_NORMS: Columns = {
    "update": Column(INTEGER, "the row covers updates up to this one, as many as updates says; none is in two rows"),
    **PART,
    **explained(
        gradients.GRADIENT_NORMS,
        {
            "variable": "state variable, h or c",
            "t": "time step of the sequence, from 0, whatever the sequence's length",
            "updates": "number of updates that the row covers",
            "log10_mean": "log10 of the mean over all samples of these updates; L is one sample's training loss",
            "log10_gmean": "mean of the log10 norm over the samples whose norm is not 0",
            "log10_std": "standard deviation of the log10 norm over the same samples",
            "log10_min": "smallest log10 norm of the same samples",
            "log10_max": "largest log10 norm of the same samples",
            "zero_share": "share of samples whose norm is exactly 0",
        },
    ),
}

#: What one row of each table is, and its columns without ``run_id``, which the reader adds.
STUDY_TABLES: dict[str, tuple[str, Columns]] = {
    "runs": ("One row a run.", RUNS | RUNS_FURTHER),
    "metrics": ("One row a run and logged update.", METRICS),
    "gradient_flow": (
        "Norms of the gradient of one answer's loss on probe sequences, one row a time step.",
        GRADIENT_FLOW,
    ),
    "gradient_fit": ("A straight line through the log10 norm over the quiet steps of the gap.", GRADIENT_FIT),
    "gradient_norms": (
        "Norms of the training loss's own gradient over all updates, one row a time step. Runs have it whose kernel "
        "gives these for free, and those with training.gradient_norms=true.",
        GRADIENT_NORMS,
    ),
}
