"""The site is whole: it builds strictly, and reads in a browser without a network."""

from __future__ import annotations

import functools
import html as escapes
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import build
import pytest
from commands import once
from documents import ROOT

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-logging=stderr"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
QUIET += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # no server but this test's own
SHOWN = ("index.html", "start.html", "gradients.html", "guide/figures.html", "guide/records.html", "api/cells.html")

FRAMES = """<!DOCTYPE html><title>frames</title><pre id="measured"></pre>
<script>
const measured = {};
const done = frame => {
  const page = frame.contentWindow, document = frame.contentDocument;
  measured[frame.name] = {
    width: page.innerWidth,
    needed: document.documentElement.scrollWidth,
    pictures: [...document.images].map(image => [image.complete, image.naturalWidth]),
    equations: [...document.querySelectorAll("math")].map(math => math.getBoundingClientRect().height),
    dollars: document.querySelector("article").innerText.includes("$$"),
    asked: page.performance.getEntriesByType("resource").map(entry => entry.name),
    titles: document.querySelectorAll("h1").length,
  };
  window.document.getElementById("measured").textContent = JSON.stringify(measured);
};
</script>"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages: of a copy of what they are made from, so that nobody's ``site/`` is touched."""

    def make(folder: Path) -> None:
        for name in ("docs", "docs_tools", "analysis", "lrd", "conf"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "mkdocs.yml", folder)
        done = subprocess.run([sys.executable, "docs_tools/build.py"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    return once(tmp_path_factory, "site", make) / "site"


def test_it_builds_and_nothing_is_missing(site: Path) -> None:
    assert build.problems(site) == []
    assert {path.stem for path in (site / "api").glob("*.html")} >= {"records", "cells", "tasks", "probes"}


def test_what_is_missing_is_found(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site")
    page = tmp_path / "site" / "start.html"
    bad = '<img src="gone.png"><a href="glossary.html#nowhere"></a><script src="https://example.org/x.js"></script>'
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", bad + "</body>"), encoding="utf-8")
    shutil.copy(page, page.with_name("orphan.html"))
    found = "\n".join(build.problems(tmp_path / "site"))
    for problem in ("start.html: gone.png", "glossary.html#nowhere: no such place", "loads https://example.org/x.js"):
        assert problem in found
    assert "orphan.html: no page leads to it" in found


def test_a_dead_link_fails_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n[gone](gone.md)\n")
    (tmp_path / "mkdocs.yml").write_text("site_name: small\n")
    command = [Path(sys.executable).with_name("zensical"), "build", "--strict"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0


@pytest.fixture
def served(site: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server on this machine that shows a copy of the site, and where that is."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None: ...

    shutil.copytree(site, tmp_path / "served")
    handler = functools.partial(Handler, directory=str(tmp_path / "served"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", tmp_path / "served"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; .ci/browser installs one")
def test_pages_read_whole_without_a_network(served: tuple[str, Path], tmp_path: Path) -> None:
    """At the width of a screen and of a telephone: all that is asked for is there, and nothing sticks out."""
    address, folder = served
    frames = FRAMES
    for page in SHOWN:
        for width in (1280, 400):
            frames += f'<iframe name="{page} {width}" src="{page}" onload="setTimeout(done, 500, this)"'
            frames += f' style="width: {width}px; height: 900px; border: 0"></iframe>'
    (folder / "frames.html").write_text(frames)
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"]
    done = subprocess.run(
        [*command, "--dump-dom", f"{address}/frames.html"], capture_output=True, text=True, timeout=150
    )
    found = re.search(r'<pre id="measured">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[:1000] + done.stderr
    measures: dict[str, Any] = json.loads(escapes.unescape(found.group(1)))
    assert len(measures) == 2 * len(SHOWN)
    for name, seen in measures.items():
        assert seen["needed"] <= seen["width"] == int(name.split()[1]), name
        assert all(complete and wide for complete, wide in seen["pictures"]), name
        assert all(asked.startswith(address) for asked in seen["asked"]), name
        assert seen["titles"] == 1, name
    equations = measures["gradients.html 1280"]
    assert len(equations["equations"]) > 10
    assert min(equations["equations"]) > 5
    assert not equations["dollars"]
    assert len(measures["guide/figures.html 400"]["pictures"]) > 10
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line and "frames.html" not in line]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; .ci/browser installs one")
@pytest.mark.parametrize("page", ["index.html", "guide/records.html"])
def test_a_page_opens_as_a_file(site: Path, tmp_path: Path, page: str) -> None:
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000"]
    done = subprocess.run([*command, "--dump-dom", (site / page).as_uri()], capture_output=True, text=True, timeout=100)
    assert "<h1" in done.stdout
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line]
