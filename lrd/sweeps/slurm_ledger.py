"""The ledger of a study, ``slurm/submitted.jsonl``: which runs were sent to SLURM in which jobs.

A submission has two lines: its token and the runs of each of its jobs, before SLURM is asked, and the id that SLURM
gave it, after. The token is the jobs' comment too, so that those of a command killed in between are found all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lrd.records.files import storage_error
from lrd.sweeps.slurm_squeue import Key


@dataclass
class Ledger:
    """The submissions of one study."""

    study: Path
    carried: dict[Key, tuple[str, ...]] = field(default_factory=dict)  # ids of the runs of each job
    ids: dict[str, str] = field(default_factory=dict)  # token -> SLURM's id of the submission

    @property
    def folder(self) -> Path:
        """Return the folder of submissions and of their jobs' logs; absolute, for jobs start elsewhere."""
        return self.study.absolute() / "slurm"

    @property
    def path(self) -> Path:
        """Return the path of the file."""
        return self.folder / "submitted.jsonl"

    @property
    def name(self) -> str:
        """Return what the study's jobs are called in SLURM; no other folder's are called so."""
        plain = re.sub(r"[^\w.-]", "_", self.study.name)[:40]
        return f"lrd-{plain}-{hashlib.sha256(os.fsencode(self.study.resolve())).hexdigest()[:6]}"

    def log(self, job: str) -> Path:
        """Return the file of a job's errors."""
        return self.folder / f"{job}_0_log.err"

    def read(self) -> None:
        """Take in what the file says. A line cut off by a crash, or damaged, is passed over.

        Raises:
            RecordError: the system refuses.
        """
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise storage_error(self.path, error.errno, error, doing="read") from error
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                token = str(entry["token"])
                if "job" in entry:
                    self.ids[token] = str(entry["job"])
                for place, runs in enumerate(entry.get("runs", ())):
                    self.carried[token, place] = tuple(str(run) for run in runs)
            except (ValueError, KeyError, TypeError):
                continue

    def intend(self, token: str, runs: Sequence[Sequence[str]]) -> None:
        """Note which runs are about to be sent in which jobs."""
        self._append({"token": token, "runs": [list(some) for some in runs]})

    def submitted(self, token: str, job: str) -> None:
        """Note the id that SLURM gave to a submission."""
        self._append({"token": token, "job": job})

    def _append(self, entry: dict[str, object]) -> None:
        line = json.dumps(entry)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                size = os.fstat(descriptor).st_size
                whole = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"  # or a crash left half a line
                os.write(descriptor, f"{line}\n".encode() if whole else f"\n{line}\n".encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise storage_error(self.path, error.errno, error) from error
        self.read()
