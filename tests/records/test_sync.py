"""What is sent to a server, and what is said of it: with a server that is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest
from made import make_record

from lrd.records.mirrored_run import MirroredRun, ServerState, read_mirrored_run
from lrd.records.run_lock import hold_run_locks
from lrd.records.sync import MirrorPlace, ServerError, SyncReport, places, sync


class FakeServer:
    """Keeps what it is sent; ``dies`` at a run, ``refuses`` some, or ``forgets`` them."""

    def __init__(
        self, runs: dict[str, ServerState] | None = None, dies: str = "", refuses: Sequence[str] = (), forgets: str = ""
    ) -> None:
        self.runs = dict(runs or {})
        self.dies, self.refuses, self.forgets = dies, refuses, forgets
        self.dead = False
        self.calls: list[tuple[str, int]] = []

    def known(self, run_ids: Collection[str]) -> dict[str, ServerState]:
        if self.dead or self.dies == "at once":
            raise ServerError("gone")
        return {run_id: self.runs[run_id] for run_id in run_ids if run_id in self.runs}

    def send(self, shown: MirroredRun, after: int) -> None:
        self.calls.append((shown.run_id, after))
        self.dead |= shown.run_id == self.dies
        if self.dead or shown.run_id in self.refuses:
            raise ServerError("gone" if self.dead else "refused")
        if shown.run_id != self.forgets:
            self.runs[shown.run_id] = ServerState(shown.moments[-1].update, shown.summary is not None)


def synced(folder: Path, server: FakeServer, **options: Any) -> SyncReport:
    work, report = places(folder, None, None)
    sync(work, report, lambda place: server, patience=0.0, **options)
    return report


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three finished runs."""
    for name in "abc":
        make_record(tmp_path, name)
    return tmp_path / "s"


def test_what_the_server_lacks_is_sent_and_sent_once(study: Path) -> None:
    server = FakeServer({"b": ServerState(20, True)})
    report = synced(study, server)
    assert (report.sent, report.whole, report.status) == (["a", "c"], ["b"], 0)
    assert server.calls == [("a", -1), ("c", -1)]
    again = synced(study, server)
    assert (again.sent, again.whole, again.status) == ([], ["a", "b", "c"], 0)
    assert len(server.calls) == 2


@pytest.mark.parametrize(
    ("known", "after"), [(ServerState(10, False), 10), (ServerState(20, False), 20), (ServerState(), -1)]
)
def test_of_a_run_that_is_half_there_only_the_rest_is_sent(study: Path, known: ServerState, after: int) -> None:
    server = FakeServer({"a": known, "b": ServerState(20, True), "c": ServerState(20, True)})
    assert synced(study, server).sent == ["a"]
    assert server.calls == [("a", after)]


def test_an_unfinished_run_is_sent_as_far_as_it_got_and_later_the_rest(tmp_path: Path) -> None:
    make_record(tmp_path, "a", updates=(0, 10), finished=False)
    server = FakeServer()
    assert synced(tmp_path / "s", server).sent == ["a"]
    assert server.runs["a"] == ServerState(10, False)
    assert synced(tmp_path / "s", server).whole == ["a"]
    make_record(tmp_path, "a")
    assert synced(tmp_path / "s", server).sent == ["a"]
    assert server.calls == [("a", -1), ("a", 10)]


def test_a_server_that_goes_away_is_not_tried_run_after_run(tmp_path: Path) -> None:
    for name in "abcde":
        make_record(tmp_path, name)
    server = FakeServer(dies="b")
    report = synced(tmp_path / "s", server)
    assert [run_id for run_id, _ in server.calls] == ["a", "b", "c"]
    assert report.missing == dict.fromkeys("abcde", "gone")  # nobody confirmed that a is there
    server.dies, server.dead = "", False
    report = synced(tmp_path / "s", server)
    assert (report.sent, report.whole) == (list("bcde"), ["a"])


def test_one_run_that_is_refused_keeps_no_other_back(study: Path) -> None:
    report = synced(study, FakeServer(refuses="b"))
    assert (report.sent, report.missing, report.status) == (["a", "c"], {"b": "refused"}, 1)


def test_what_the_server_does_not_show_is_missing(study: Path) -> None:
    report = synced(study, FakeServer(forgets="b"))
    assert (report.sent, list(report.missing), report.status) == (["a", "c"], ["b"], 1)
    assert "run the same command again" in report.missing["b"]


def test_no_server_at_all(study: Path) -> None:
    report = synced(study, FakeServer(dies="at once"))
    assert (report.missing, report.status) == (dict.fromkeys("abc", "gone"), 2)


def test_a_dry_run_sends_nothing(study: Path) -> None:
    server = FakeServer({"b": ServerState(20, True), "c": ServerState(10, False)})
    report = synced(study, server, dry_run=True)
    assert (report.sent, report.whole, server.calls) == (["a", "c"], ["b"], [])


@pytest.mark.parametrize("file", ["metrics.parquet", "gradient_flow.parquet", "gradient_fit.parquet", "summary.json"])
def test_a_damaged_record_is_named_and_left_out(study: Path, file: str) -> None:
    victim = study / "b" / file
    victim.write_bytes(victim.read_bytes()[:-30])
    server = FakeServer()
    report = synced(study, server)
    assert (report.sent, report.status) == (["a", "c"], 1)
    assert len(report.left_out) == 1
    assert str(victim) in report.left_out[0]
    assert "\n" not in report.left_out[0]


@pytest.mark.parametrize("sums", [True, False])
@pytest.mark.parametrize(("how", "words"), [("fits", "no row of update 20, h"), ("metrics", "end before the run does")])
def test_tables_that_lack_rows_are_damaged(tmp_path: Path, how: str, words: str, sums: bool) -> None:
    """Whether their checksums are known, or the record is older than that."""
    record = make_record(tmp_path, "a")
    if not sums:
        record.status("finished", update=20, max_updates=20)
    if how == "fits":
        record.write_table(
            "gradient_fit", {name: column[:-1] for name, column in record.read_table("gradient_fit").items()}
        )
    else:
        record.metrics({"update": [0], "eval_loss": [1.0]})
        for table in ("gradient_flow", "gradient_fit"):
            (record.path / f"{table}.parquet").unlink()
    report = synced(tmp_path / "s", FakeServer())
    assert report.sent == []
    expected = ("damaged or cut off", "is gone") if sums else (words,)
    assert any(text in report.left_out[0] for text in expected)


@pytest.mark.parametrize("after", ["gradient_flow", "gradient_fit", "metrics"])
def test_a_record_that_is_being_written_is_read_as_far_as_it_is_whole(tmp_path: Path, after: str) -> None:
    """Tables are written in this order, of which some are done for update 20."""
    record = make_record(tmp_path, "a", updates=(0, 10), finished=False)
    order = ["gradient_flow", "gradient_fit", "metrics"]
    whole = make_record(tmp_path / "later", "a", finished=False)
    for table in order[: order.index(after) + 1]:
        (record.path / f"{table}.parquet").write_bytes((whole.path / f"{table}.parquet").read_bytes())
    shown = read_mirrored_run(record.path)
    expected = [0, 10, 20] if after == "metrics" else [0, 10]
    assert [moment.update for moment in shown.moments] == expected
    assert all(set(moment.values) == {"eval_loss", "slope_h", "horizon_h"} for moment in shown.moments)
    assert all(set(moment.profiles) == {"gradient_flow/h"} for moment in shown.moments)


@pytest.mark.parametrize(("mode", "busy"), [("online", ["b"]), ("offline", []), (None, [])])
def test_a_run_that_is_mirrored_right_now_is_left_alone(tmp_path: Path, mode: str | None, busy: list[str]) -> None:
    for name in "ab":
        make_record(tmp_path, name, tracker={"name": "wandb", "mode": mode} if mode else None)
    with hold_run_locks([tmp_path / "s" / "b"]):
        report = synced(tmp_path / "s", FakeServer())
    assert list(report.busy) == busy
    assert sorted(report.sent + busy) == ["a", "b"]
    assert all("process " in who for who in report.busy.values())


def test_each_run_goes_where_it_was_trained_for(tmp_path: Path) -> None:
    make_record(tmp_path, "old", tracker=None)  # before records kept it
    make_record(tmp_path, "none", tracker={"name": "none"})
    make_record(tmp_path, "theirs", tracker={"name": "wandb", "project": "p", "entity": "e"})
    asked: dict[MirrorPlace, list[str]] = {
        place: [folder.name for folder in folders] for place, folders in places(tmp_path / "s", None, None)[0].items()
    }
    assert asked == {("lrd", None): ["none", "old"], ("p", "e"): ["theirs"]}
    assert list(places(tmp_path / "s", "q", None)[0]) == [("q", None), ("q", "e")]
    assert list(places(tmp_path / "s", "q", "us")[0]) == [("q", "us")]


def test_what_is_shown_is_what_was_recorded(study: Path) -> None:
    shown = read_mirrored_run(study / "a")
    assert (shown.run_id, shown.study, shown.config["seed"]) == ("a", "s", 0)
    assert [moment.update for moment in shown.moments] == [0, 10, 20]
    assert shown.summary is not None
    assert shown.summary["outcome"] == "unsolved"


def test_reading_what_is_shown_does_without_torch(study: Path) -> None:
    """It takes longer to import than to read a study."""
    code = (
        "import sys; from pathlib import Path; import lrd.commands.sync\n"
        "from lrd.records.mirrored_run import read_mirrored_run\n"
        f"print(len(read_mirrored_run(Path({str(study / 'a')!r})).moments), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["3", "False"]
