"""A wandb server on this machine, as much of one as the wandb library asks for: who am I, runs, their files, views."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

KEY = "0123456789abcdef" * 2 + "01234567"  # the form of a key, and nobody's


class Bench:
    """What the server holds: ``runs[run id]`` has ``history`` (rows by line), ``summary``, ``config``, ``exit``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.runs: dict[str, dict[str, Any]] = {}
        self.pictures: dict[str, bytes] = {}  # by name
        self.views: dict[str, dict[str, Any]] = {}  # by name, as they were saved
        self.asked: list[str] = []  # the runs that were opened, in order
        self.answers: Callable[[str], bool] = lambda what: True  # whether it still does: to a query, or a run's rows
        self.refuses = "nothing"  # queries that hold this are refused

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a user of this server."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": KEY}

    def rows(self, run_id: str) -> list[dict[str, Any]]:
        """History rows without the times that wandb adds, by step."""
        lines = [line for _, line in sorted(self.runs[run_id]["history"].items())]
        return [{key: v for key, v in line.items() if key not in ("_timestamp", "_runtime")} for line in lines]

    def last(self, run_id: str) -> int:
        """The last step of a run."""
        return max((line["_step"] for line in self.runs[run_id]["history"].values()), default=-1)

    def graphql(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The answer to a query."""
        if "viewer {" in query:
            return {"viewer": {"id": "x", "entity": "e", "username": "u", "flags": "{}", "teams": {"edges": []}}}
        if "upsertBucket" in query:
            return self._upsert(variables)
        if "RunResumeStatus" in query:
            self.asked.append(variables["name"])
            return {"model": {"bucket": self._resume(variables["name"])}}
        if "runs(" in query:
            wanted = json.loads(variables["filters"])["name"]["$in"]
            edges = [{"node": self._node(name), "cursor": name} for name in wanted if name in self.runs]
            page = {"endCursor": None, "hasNextPage": False}
            found = {"internalId": "p", "runCount": len(edges), "runs": {"edges": edges, "pageInfo": page}}
            return {"project": found if self.runs else None}
        if "allViews(" in query:
            found = [view | {"id": f"id{name}"} for name, view in self.views.items() if name == variables["viewName"]]
            there = {"allViews": {"edges": [{"node": view} for view in found]}}
            return {"project": None if variables["projectName"] == "gone" else there}
        if "upsertView(" in query:
            name = variables["id"].removeprefix("id") if "id" in variables else variables["name"]
            inserted, self.views[name] = name not in self.views, variables
            return {"upsertView": {"view": {"id": f"id{name}", "name": name}, "inserted": inserted}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.url}/up/{name}"} for name in variables["files"]]
            return {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": files}}
        return {}

    def _upsert(self, variables: dict[str, Any]) -> dict[str, Any]:
        name, fresh = variables["name"], {"history": {}, "summary": {}, "config": "{}", "group": None}
        inserted = name not in self.runs
        run = self.runs.setdefault(name, fresh)
        run |= {key: variables[key] for key in ("config",) if variables.get(key)}
        run["group"] = variables.get("groupName") or run["group"]
        project = {"id": "p", "name": variables.get("project"), "entity": {"id": "e", "name": "e"}}
        bucket = {"id": f"id{name}", "name": name, "displayName": name, "config": run["config"], "project": project}
        bucket |= {"description": "", "sweepName": None, "historyLineCount": len(run["history"])}
        return {"upsertBucket": {"bucket": bucket, "inserted": inserted}}

    def _resume(self, name: str) -> dict[str, Any] | None:
        if name not in self.runs:
            return None
        history, summary = self.runs[name]["history"], self.runs[name]["summary"]
        tail = [json.dumps(history[max(history)])] if history else []
        return {
            "name": name,
            "displayName": name,
            "summaryMetrics": json.dumps(summary),
            "historyLineCount": len(history),
            "historyTail": json.dumps(tail),
            "eventsTail": "[]",
            "config": "{}",
            "tags": [],
            "wandbConfig": '{"t": 1}',
            "historyKeys": {"lastStep": self.last(name)} if history else None,
        } | dict.fromkeys(("logLineCount", "eventsLineCount"), 0)

    def _node(self, name: str) -> dict[str, Any]:
        run = self.runs[name]
        empty = ("sweepName", "jobType", "commit", "heartbeatAt", "notes")
        return dict.fromkeys(empty) | {
            "id": f"id{name}",
            "name": name,
            "displayName": name,
            "state": "finished",
            "tags": [],
            "config": "{}",
            "group": run["group"],
            "readOnly": False,
            "createdAt": "2026-01-01T00:00:00Z",
            "description": "",
            "systemMetrics": "{}",
            "summaryMetrics": json.dumps(run["summary"]),
            "historyLineCount": len(run["history"]),
            "user": {"name": "u", "username": "u"},
            "historyKeys": {"lastStep": self.last(name)},
        }

    def stream(self, run_id: str, content: dict[str, Any]) -> None:
        """Rows and summary of a run, as its lines are appended."""
        run = self.runs[run_id]
        for name, part in (content.get("files") or {}).items():
            if name.endswith("history.jsonl"):
                run["history"] |= {part["offset"] + i: json.loads(line) for i, line in enumerate(part["content"])}
            elif name.endswith("summary.json"):
                run["summary"] = json.loads(part["content"][-1])
        if content.get("complete"):
            run["exit"] = content.get("exitcode")


@contextmanager
def serving() -> Iterator[Bench]:
    """A server on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self, what: str, content: Callable[[], Any]) -> None:
            if not bench.answers(what):
                time.sleep(0.2)
                self.close_connection = True
                return
            refused = bench.refuses in what
            text = json.dumps({"errors": [{"message": "permission denied"}]} if refused else content()).encode()
            self.send_response(403 if refused else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def body(self) -> bytes:
            data = self.rfile.read(int(self.headers.get("content-length", 0)))
            return gzip.decompress(data) if self.headers.get("content-encoding") == "gzip" else data

        def do_GET(self) -> None:
            self.answer("GET", dict)

        def do_PUT(self) -> None:
            data = self.body()
            bench.pictures[self.path.removeprefix("/up/")] = data
            self.answer("PUT", dict)

        def do_POST(self) -> None:
            content = json.loads(self.body())
            if self.path.endswith("/file_stream"):
                run_id = self.path.split("/")[-2]
                self.answer(f"rows of {run_id}", lambda: bench.stream(run_id, content) or {"limits": {}})
            else:
                query, variables = content["query"], content.get("variables") or {}
                self.answer(query, lambda: {"data": bench.graphql(query, variables)})

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # the client went away

    with Server(("127.0.0.1", 0), Handler) as server:
        bench = Bench(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield bench
        finally:
            server.shutdown()
            thread.join()
