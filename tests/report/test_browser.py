"""The page in a real browser without a network: pictures load, nothing is asked for, nothing sticks out."""

from __future__ import annotations

import html as escapes
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from synthetic import MadeStudy

from lrd.figures import DrawnFigures
from lrd.findings import HOLDS, Finding
from lrd.records import open_study
from lrd.report import page

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
QUIET += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
QUIET += ["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9"]

# Runs in copies of the page whose policy lets this one script run, each in a frame that is as wide as a screen.
MEASURE = """<script>
const refused = [];
addEventListener("securitypolicyviolation", event => refused.push(event.blockedURI));
addEventListener("load", () => parent.postMessage({
  name: window.name,
  width: innerWidth,
  needed: document.documentElement.scrollWidth,
  out: [...document.querySelectorAll("img, p, h1, h2, h3, .scroll")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 80)),
  pictures: [...document.images].map(image => [image.complete, image.naturalWidth, image.naturalHeight, image.width]),
  asked: performance.getEntriesByType("resource").map(entry => entry.name).filter(name => !name.startsWith("data:")),
  refused,
}, "*"));
</script>"""
FRAMES = """<!DOCTYPE html><title>frames</title><pre id="measured"></pre>
<script>
const measured = {};
addEventListener("message", event => {
  measured[event.data.name] = event.data;
  document.getElementById("measured").textContent = JSON.stringify(measured);
});
</script>"""


def measured(pages: Mapping[str, tuple[str, int]], folder: Path) -> dict[str, Any]:
    """What pages measure of themselves, by name: each is HTML and the width of its window [pixels]."""
    frames = FRAMES
    for name, (html, width) in pages.items():
        assert html.count("default-src 'none';") == 1
        html = html.replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
        (folder / f"{name}.html").write_text(html.replace("<style>", MEASURE + "<style>", 1))
        frames += (
            f'<iframe name="{name}" src="{name}.html" style="width: {width}px; height: 900px; border: 0"></iframe>'
        )
    (folder / "frames.html").write_text(frames)
    command = [str(CHROMIUM), *QUIET, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [*command, "--dump-dom", (folder / "frames.html").as_uri()], capture_output=True, text=True, timeout=100
    )
    found = re.search(r'<pre id="measured">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[:2000] + done.stderr
    measures: dict[str, Any] = json.loads(escapes.unescape(found.group(1)))
    assert measures.keys() == pages.keys()
    return measures


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path; .ci/browser installs one")
def test_pictures_load_nothing_is_asked_for_and_nothing_sticks_out(
    made: MadeStudy, drawn: DrawnFigures, tmp_path: Path
) -> None:
    """At the width of a screen and of a telephone; the same measures tell a page that is not whole."""
    finding = Finding("n" * 80, "It is " + "so" * 200, HOLDS, "x" * 200, "", 0.5, 0.4, 0.6, 0.95, 0.3, 9)
    html = page(open_study(made.folder), drawn, [finding])
    broken = html.replace('src="data:image/png;base64,', 'src="http://127.0.0.1:9/', 1)
    broken = broken.replace("<main>", '<main><p style="width: 1500px; max-width: none">wide</p>')
    found = measured({"screen": (html, 1280), "telephone": (html, 400), "broken": (broken, 1280)}, tmp_path)
    for name, width in (("screen", 1280), ("telephone", 400)):
        assert found[name]["width"] == width
        assert found[name]["needed"] <= width
        assert found[name]["out"] == []
        assert [picture[:3] for picture in found[name]["pictures"]] == [[True, 350, 100]] * 3
        assert all(picture[3] > 100 for picture in found[name]["pictures"])
        assert (found[name]["asked"], found[name]["refused"]) == ([], [])
    assert found["broken"]["needed"] >= 1500
    assert found["broken"]["out"]
    assert found["broken"]["pictures"][0][1] == 0
    assert found["broken"]["refused"]
