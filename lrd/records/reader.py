"""Read the records of a study as tables.

    study = open_study("runs/demo")
    study.sql("select cell, task, gap, avg(solved) from runs group by all")

The record of a run, schema version 1
=====================================
A study is a folder, a run a folder in it: ``runs/<study>/<run id>/``. Each file is replaced as a whole, so that a
reader never sees half of one. ``hypotheses.yaml`` beside them is what the study states (``lrd.findings``). ``wandb``,
``slurm``, ``figures``, ``report``, ``logs`` and what begins with a dot are no runs.

JSON has no nan and no infinity: they stand as the texts "nan", "inf", "-inf" (``lrd.records.files``).

run.json -- what the run is; written first
    schema          version of this layout
    run_id, study   names of the folders
    spec            every option of the run, resolved, nested by group: ``{"task": {"name", "gap", ...}, "cell": ...}``
    task            sequence_length, smallest_lag, largest_lag [steps]; log10_sequences: log10 of the number of
                    different sequences that it can show, "inf" for real numbers, null where nobody has said (real data,
                    custom tasks) and before lrd kept it; chance: closed-form level of each metric for an answer that
                    remembers nothing; landmarks: further levels of the loss; criterion: "solved", in words
    parameters      number of trained parameters
    sources         texts of the files that a custom cell or task came out of, by group; only where there are any
    seal            with them: by which who trained it, there, knows it for their own (``lrd.records.trust``)
    tracker         name, mode, project, entity of its mirror; not there before lrd kept it, which means project "lrd"
environment.json -- where it was made
    lrd, commit, dirty, python, torch, cuda, numpy, platform, device, device_name, host, user, executable,
    package (the folder of the lrd that trained), threads;
    commit_unknown: why git told no commit of the checkout, only then;
    earlier: the same of attempts before this one, where they differ
status.json -- how it stands
    state           running, interrupted, failed or finished
    update, max_updates, message (of a failure), time [s since 1970], seconds (as in the summary, so far);
                    host, machine, pid, started: the process
    kernel, hardware    what its updates ran on, as ``lrd.kernels`` names it and in words; " + " between those of
                    several attempts, "not recorded" among them where one was made before lrd kept this
    pack_size       runs in its pack, mean over its updates: they share the time; null before the first
    resumed         how often it went on from a checkpoint
    crc32           of a finished run: checksums of its tables, by file name (``lrd.records.damage``)
summary.json -- how it ended; written last: a run is finished if and only if it is there
    outcome         solved, unsolved or diverged
    update          updates done
    solved_at       first update of the evaluations that met the criterion, or null
    diverged_at     update at which loss or parameters stopped being finite, or null
    seconds         wall time of training, the pack's time shared among its runs
    eval_*, test_*  metrics of the task at the end
    seen_share      expected share of test sequences that are among the training sequences (updates x batch), in closed
                    form; 1: no test sequence is new. For evaluation and probe sequences it is the same (not quite where
                    data are real)
    seen_counted    null; or, of a custom task of which nothing is known, the number of its first training sequences
                    among which seen_share was counted, on 256 test sequences: among all there may be more
    *_start, *_end  what probes saw in one number at their first and last look (``scalars`` in ``lrd/probes/``)
metrics.parquet -- one row a logged update
    update          BIGINT; every other column is DOUBLE: train_loss, eval_loss [nats or squared error], grad_norm and
                    grad_norm_clipped (2-norm of the gradient over all parameters, before and after clipping), omega
                    (the regulariser without its weight, where it is on), eval_recall_accuracy, ...
                    NULL is not measured at that update, nan is not a number
gradient_flow.parquet -- norms of the gradient of one answer's loss, one row a time step
    update          BIGINT
    variable        'h' (dL/dh_t) or 'c' (dL/dc_t)
    part            'total', or 'direct': what reaches the step through its own output alone
    answer          which answer's loss: 'last', 'first', a number (0-based), or 'all' for the sum over all of them
    t               time step, 0-based; where lengths vary, of the longest sample: samples are aligned at their answer
    lag             answer step minus t [steps]
    log10_mean      log10 of the mean over samples of the norm; -inf where it is exactly 0. DOUBLE, as all below
    log10_gmean     log10 of the geometric mean over the samples whose norm is not 0
    log10_q05, log10_q25, log10_q50, log10_q75, log10_q95   quantiles over samples of the log10 norm, nearest rank
    zero_share      share of samples whose norm is exactly 0
gradient_fit.parquet -- a straight line through log10 norm over the quiet steps of the gap
    update, variable
    slope           log10 units a step of t; positive: the gradient vanishes on its way back, negative: it explodes
    horizon         steps back over which the norm falls to 1/e; inf where it does not fall
    points          steps that the line was fitted to
    slope_error, samples    standard error of the slope, over so many samples with a line of their own
    fallen_e, fallen_milli  steps back from the end of the gap after which the norm itself is down to 1/e, to 1/1000 of
                    what it is there; inf where it does not fall so far
gradient_norms.parquet -- with training.gradient_norms: norms of the training gradient itself, one row a time step
    update          the last of the updates that the row is of; they begin after those of the row before
    updates         their number
    variable, t     as above, but t is the step of the sequence whatever its length
    log10_mean      log10 of the mean, over all samples of all these updates, of the norm of dL/dh_t or dL/dc_t, where
                    L is the training loss of one sample (its mean over scored steps), as the parameters stood then
    log10_gmean, log10_std    mean and standard deviation of the log10 norm over the samples whose norm is not 0
    log10_min, log10_max      its extremes over the same
    zero_share      share of samples whose norm is exactly 0
<probe>.parquet -- the looks of a further probe, one file each; its columns stand in its class in ``lrd/probes/``
looks.json -- options of probes that looked after training, by ``probe@update`` (``lrd probe``)
checkpoint.pt -- the last state of training; for going on, never for figures
claim.json, claim.*.json -- which process is at it (``lrd.records.run_lock``); error.txt -- what its attempts failed of

The tables
==========
runs            a row a run: run_id, study, state, outcome (NULL until finished), solved (1 or 0, NULL until finished),
                update, max_updates, solved_at, diverged_at, seconds, message, kernel, hardware, pack_size, resumed
                (NULL of records from before these were kept); task, cell (told apart where one name stands for
                several, as are labels: ``lrd.records.told_apart``), gap, convention, seed, hidden_size,
                sequence_length, smallest_lag, largest_lag, chance_loss, criterion, parameters, log10_sequences,
                seen_share, seen_counted (NULL of records from before these were kept); chance and landmarks as JSON
                text; every option of the spec (task_gap, optimizer_lr, ...; lists as JSON text); every scalar
                of the summary (test_loss, ...; ``summary_`` before a name that is also an option)
metrics, gradient_flow, gradient_fit, and one for every further probe that looked at any run: the files of all runs,
                with run_id in front: ``join runs using (run_id)``

An option that is a number in some runs and a text in others is text. What cannot be read is named in
``Study.problems`` and left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrd.records import schema
from lrd.records.columns import as_declared, declared_for, odd_columns
from lrd.records.damage import is_whole, kept_sums, problem
from lrd.records.files import RecordError, plain_text, storage_error
from lrd.records.foreign import confined, expression
from lrd.records.rows import columns_of, only_claimed, read_row
from lrd.records.tables import parquet, register_columns, view
from lrd.records.told_apart import told_apart

if TYPE_CHECKING:
    import duckdb
    import numpy as np

_ALWAYS = ("metrics", "gradient_flow", "gradient_fit")  # tables that are there, if empty


def open_study(path: str | Path, condition: str | None = None) -> Study:
    """The records of a study (``runs/demo``) as tables, as they are now; open it again to see a running sweep go on.

    ``condition``: only of the runs that meet it, as ``Study.filtered`` has it; default: of all.

    Raises:
        RecordError: there is no such folder, or no run in it that can be read and meets the condition.
    """
    folder = Path(path)
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir())
    except FileNotFoundError:
        raise RecordError(f"there is no study at {folder}: give the folder of one, such as runs/demo") from None
    except OSError as error:
        raise storage_error(folder, error.errno, error, doing="read") from error
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for name in names:
        try:
            if not (name.startswith(".") or name in schema.NOT_RUNS or only_claimed(folder / name)):
                rows.append(read_row(folder / name))
        except RecordError as error:
            problems.append(plain_text(str(error)))
    if not rows:
        raise RecordError(_no_runs(folder, names, problems))
    study = Study(folder, rows, problems)
    return study if condition is None else study.filtered(condition)


def _no_runs(folder: Path, names: Sequence[str], problems: Sequence[str]) -> str:
    if (folder / schema.RUN).exists():
        return f"{folder} is one run, not a study: give the folder that holds it, {folder.parent}"
    if studies := [name for name in names if any((folder / name).glob(f"*/{schema.RUN}"))]:
        return f"{folder} holds studies, not runs: give the folder of one of them ({', '.join(studies)})"
    return f"there are no readable runs in {folder}" + (f" (the first problem: {problems[0]})" if problems else "")


class Study:
    """The tables of one study in a duckdb connection of their own; parquet files are read when a query asks."""

    def __init__(
        self,
        path: Path,
        rows: Sequence[dict[str, Any]],
        problems: list[str],
        connection: duckdb.DuckDBPyConnection | None = None,
        among: Sequence[dict[str, Any]] | None = None,
    ) -> None:
        self.path = path
        #: The name of its folder; of several studies in one (``lrd.records.together``), of each.
        self.names: tuple[str, ...] = (plain_text(Path(os.path.abspath(path)).name),)
        #: The SQL condition that its runs meet; None where all of them are here.
        self.condition: str | None = None
        #: One line for each folder or file that is left out, and why.
        self.problems = problems
        self._rows = rows
        self._among = rows if among is None else among  # all rows by which its cells and tasks are told apart
        self._run_ids = [row["run_id"] for row in rows]
        self._ready: set[str] = set()
        self._files = {name: f"{name}.parquet" for name in (*_ALWAYS, *_further_tables(path, self._run_ids))}
        self._paths: dict[str, list[Path]] = {}
        self._connection = connection or confined([path])
        columns, types = columns_of(told_apart(rows, self._among))
        select = register_columns(self._connection, "rows", columns, types)
        self._connection.execute(f"create table runs as {select}")
        self._connection.unregister("rows")

    def check(self) -> list[str]:
        """Look at every table, whether a query asks for it or not; gives ``problems``."""
        self._prepare(self.tables)
        return self.problems

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The duckdb connection with all tables; it reaches no file but those of the study."""
        self.check()
        return self._connection

    @property
    def tables(self) -> list[str]:
        """Names of the tables beside ``runs``."""
        return list(self._files)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """The relation of a query over ``runs`` and ``tables``: your own, in full SQL.

        It reaches no file but those of the study; what you have elsewhere, hand over as
        ``study.connection.register("mine", frame)``. What somebody else wrote is for ``where``.
        """
        self._prepare([name for name in self.tables if re.search(rf"\b{name}\b", query, re.IGNORECASE)])
        return self._connection.sql(query)

    def checked(self, text: str, further: Iterable[str] = ()) -> str:
        """An SQL expression that somebody else wrote, over the tables of the study or ``further`` ones, for a query.

        Raises ``RecordError`` where it is anything else (``lrd.records.foreign``).
        """
        return expression(text, {"runs", *self.tables, *further}, self._connection)

    def where(self, condition: str) -> list[str]:
        """Ids of the runs that meet an SQL condition over the columns of ``runs``, such as ``cell = 'lstm'``.

        Raises ``RecordError`` for what is no such condition.
        """
        import duckdb

        try:
            found = self.sql(f"select run_id from runs where {self.checked(condition)} order by run_id").fetchall()
        except (duckdb.Error, RecordError) as error:
            raise RecordError(f"cannot use the condition {condition!r}: {' '.join(str(error).split())}") from error
        return [run_id for (run_id,) in found]

    def filtered(self, condition: str) -> Study:
        """The study as if it had only the runs that meet an SQL condition, as for ``where``.

        Raises ``RecordError`` where it is no condition, or no run meets it.
        """
        chosen = set(self.where(condition))
        if not chosen:
            raise RecordError(f"no run of {self.path} meets the condition {condition!r}")
        rows = [row for row in self._rows if row["run_id"] in chosen]
        found = Study(self.path, rows, self.problems, among=self._among)
        found.condition = condition
        return found

    @property
    def folders(self) -> dict[str, Path]:
        """The folder of the study, or of each of several in one, by its name."""
        return {self.names[0]: self.path}

    def folder(self, run_id: str) -> Path:
        """The folder of a run."""
        return self.path / run_id

    def within(
        self, connection: duckdb.DuckDBPyConnection, problems: list[str], among: Sequence[dict[str, Any]]
    ) -> Study:
        """Return this study in another connection, its problems added to others, names told apart ``among`` rows."""
        return Study(self.path, self._rows, problems, connection, among)

    def columns(self, query: str) -> dict[str, np.ndarray]:
        """The columns of a query as arrays: NULL is nan among numbers (which makes integers floats), None in text."""
        import duckdb
        import numpy as np

        arrays: dict[str, np.ndarray] = {}
        try:
            found = self.sql(query).fetchnumpy()
        except duckdb.Error:
            if not self._repair():
                raise
            found = self.sql(query).fetchnumpy()
        for name, array in found.items():
            values = np.ma.getdata(array)
            if np.ma.is_masked(array):
                number = values.dtype.kind in "biuf"
                values = values.astype(np.float64 if number else object)
                values[np.ma.getmaskarray(array)] = np.nan if number else None
            arrays[name] = values
        return arrays

    @property
    def runs(self) -> duckdb.DuckDBPyRelation:
        """One row a run."""
        return self.sql("from runs")

    @property
    def metrics(self) -> duckdb.DuckDBPyRelation:
        """One row a run and logged update."""
        return self.sql("from metrics")

    @property
    def gradient_flow(self) -> duckdb.DuckDBPyRelation:
        """One row a run, logged update, variable, part, answer and time step."""
        return self.sql("from gradient_flow")

    @property
    def gradient_fit(self) -> duckdb.DuckDBPyRelation:
        """One row a run, logged update and variable."""
        return self.sql("from gradient_fit")

    def _prepare(self, names: Sequence[str]) -> None:
        for name in set(names) - self._ready:
            self._make_view(name)
            self._ready.add(name)

    def _make_view(self, name: str) -> None:
        import duckdb

        file = self._files[name]
        sums = {self.path / run_id / file: kept_sums(self.path / run_id).get(file) for run_id in self._run_ids}
        paths = [path for path, expected in sums.items() if expected is not None or path.exists()]
        paths = self._without(paths, lambda path: is_whole(path, sums[path]))
        try:
            types = self._show(name, paths)
            good = as_declared(name, types)
        except duckdb.Error:  # some footer is damaged, or columns do not go together
            paths = self._without(paths, self._reads)  # each file alone, which takes longer
            good = False
        if not good and (odd := odd_columns(self._connection, name, paths)):
            self.problems += [problem(path, odd[path]) for path in sorted(odd)]
            paths = [path for path in paths if path not in odd]
        if not good:
            types = self._show(name, paths)
        if absent := declared_for(name).keys() - types.keys():  # from every file: it has no values, but it is known
            self._show(name, paths, absent)
        self._paths[name] = paths

    def _show(self, name: str, paths: Sequence[Path], absent: Collection[str] = ()) -> dict[str, str]:
        """Make the view of a table over these files; gives the types of its columns."""
        self._connection.execute(view(name, paths, declared_for(name), absent))
        made = self._connection.sql(f"select * from {name} limit 0")
        return {column: str(kind) for column, kind in zip(made.columns, made.types, strict=True)}

    def _without(self, paths: Sequence[Path], good: Callable[[Path], bool]) -> list[Path]:
        kept = [path for path in paths if good(path)]
        bad = sorted(set(paths) - set(kept))
        self.problems += [problem(path) for path in bad]
        return kept

    def _repair(self) -> bool:
        """Leave out what turns out to be damaged only when it is read; whether there was any."""
        before = len(self.problems)
        for name in self._ready:
            self._paths[name] = self._without(self._paths[name], self._reads)
            self._show(name, self._paths[name])
        return len(self.problems) > before

    def _reads(self, path: Path) -> bool:
        import duckdb

        try:
            self._connection.execute(f"select * from {parquet([path])}").fetchnumpy()
            return True
        except duckdb.Error:
            return False


def _further_tables(path: Path, run_ids: Sequence[str]) -> list[str]:
    """Names of the tables of further probes that there are files of."""
    names = {file.stem for run_id in run_ids for file in (path / run_id).glob("*.parquet")}
    return sorted(name for name in names.difference(_ALWAYS) if name.isascii() and name.isidentifier())
