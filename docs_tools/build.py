"""Build the documentation into ``site/`` and check that it is whole: ``make docs``.

zensical stops at links to pages and headings that are not there, and at names of the API that it cannot find. What it
lets pass (pictures, links in raw HTML, pages without a place in the menu, anything asked of another server) is checked
here, in the pages that were built.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

TOOLS = Path(__file__).resolve().parent
ROOT = TOOLS.parent
#: Asked of a server by zensical for search in pages that are opened as files; the documentation has its own copy.
SHIM = ("https://unpkg.com/iframe-worker/shim", "assets/iframe-worker.js")
#: Attributes by which a page loads something, as it does not by ``href`` of a link.
LOADS = {("img", "src"), ("script", "src"), ("link", "href"), ("source", "src"), ("iframe", "src"), ("video", "src")}


class Page(HTMLParser):
    """What a page refers to, and the places in it that can be referred to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif (tag, name) in LOADS and value and dict(attrs).get("rel") not in ("canonical", "prev", "next"):
                self.loads.append(value)
            elif (tag, name) == ("a", "href") and value:
                self.links.append(value)


def build(site: Path) -> None:
    """Build the pages, and exchange the one script that they would ask a server for.

    Raises:
        subprocess.CalledProcessError: zensical has something to warn of.
    """
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict", "--clean"]
    subprocess.run(command, cwd=ROOT, check=True, env=os.environ | {"PYTHONPATH": str(TOOLS)})
    for path in site.rglob("*.html"):
        up = "../" * (len(path.relative_to(site).parts) - 1)
        path.write_text(path.read_text(encoding="utf-8").replace(SHIM[0], up + SHIM[1]), encoding="utf-8")


def problems(site: Path) -> list[str]:
    """Return one line for each thing that is missing from the site or would be asked of another server."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    pages.pop(site / "404.html", None)  # a server shows it at any address
    found = []
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for target in page.links + page.loads:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if target in page.loads and parts.scheme != "data":
                    found.append(f"{name}: loads {target} from elsewhere")
                continue
            there = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if there.is_dir():
                there /= "index.html"
            if not there.exists():
                found.append(f"{name}: {target} is not there")
            elif parts.fragment and there in pages and unquote(parts.fragment) not in pages[there].ids:
                found.append(f"{name}: {target}: no such place in that page")
    for path in sorted(site.rglob("*.css")):
        for target in re.findall(r"(?:url\(|@import\s*)[\"']?(https?://[^)\"']+)", path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(site)}: loads {target} from elsewhere")
    index = site / "index.html"
    reached, todo = {index}, [index]
    while todo:
        path = todo.pop()
        for target in pages[path].links:
            parts = urlsplit(target)
            there = (path.parent / unquote(parts.path)).resolve() if parts.path and not parts.scheme else path
            if there in pages and there not in reached:
                reached.add(there)
                todo.append(there)
    found += [f"{path.relative_to(site)}: no page leads to it" for path in pages if path not in reached]
    return found


def main() -> int:
    """Build and check; return the exit status."""
    site = ROOT / "site"
    try:
        build(site)
    except subprocess.CalledProcessError as error:
        return error.returncode
    found = problems(site)
    for line in found:
        print(f"docs: {line}", file=sys.stderr)
    if not found:
        print(f"the documentation is in {site}: open {site / 'index.html'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
