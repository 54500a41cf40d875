"""The documentation site builds without a warning, and every link in it leads somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

import langchain_qwen_audio
from langchain_qwen_audio import errors, transcripts

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


class Page(HTMLParser):
    """What a page links to, what it loads, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        links = [values[name] for name in ("href", "src") if name in values]
        self.links += links
        if tag not in {"a", "area"}:
            self.resources += links


def dead_links(path: Path, pages: dict[Path, Page]) -> Iterator[str]:
    for link in pages[path].links:
        url = urlsplit(link)
        if url.scheme or url.netloc:
            continue
        found = (path.parent / unquote(url.path)).resolve() if url.path else path
        if found.is_dir():
            found /= "index.html"
        anchors = pages[found].anchors if found in pages else {unquote(url.fragment)}
        if not found.is_file() or unquote(url.fragment) not in anchors:
            yield f"{path.name}: {link}"


def test_the_site_builds_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    for module in ("material", "mkdocs", "mkdocstrings_handlers"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install -e '.[docs]'")
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    # 404.html is served at any address, so that its links begin at the root.
    paths = [path for path in site.rglob("*.html") if path.name != "404.html"]
    pages = {path: Page(path) for path in paths}
    assert len(pages) == len(list(DOCS.rglob("*.md")))
    assert [link for path in pages for link in dead_links(path, pages)] == []
    fetched = {link for page in pages.values() for link in page.resources if "//" in link}
    assert fetched == set()
    for style in site.rglob("*.css"):
        elsewhere = re.findall(r"url\(\s*['\"]?(?:https?:)?//|@import", style.read_text())
        assert elsewhere == [], style


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"[\w/-]+\.md\b", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert sorted(listed) == sorted(pages)


def test_the_reference_has_every_name_that_the_package_exports() -> None:
    pages = [it.read_text(encoding="utf-8") for it in (DOCS / "reference").glob("*.md")]
    named = set(re.findall(r"^::: langchain_qwen_audio\.(\S+)$", "\n".join(pages), re.MULTILINE))
    of_modules = set(vars(transcripts))  # a page has all of this module
    assert set(langchain_qwen_audio.__all__) - of_modules <= named


def test_llms_txt_lists_the_pages_of_the_navigation() -> None:
    """The file for language models has the sections, the order and the titles of the site."""
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    sections = re.findall(r"^  - ([\w ]+):", nav.partition("\n\n")[0], re.MULTILINE)
    pages = re.findall(r"[\w/-]+\.md\b", nav)
    titles = [(DOCS / it).read_text(encoding="utf-8").partition("\n")[0][2:] for it in pages]
    text = (DOCS / "llms.txt").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == sections
    expected = [(title, page[:-3]) for title, page in zip(titles, pages, strict=True)]
    assert re.findall(r"^- \[(.*)\]\((.*)\.html\): .+$", text, re.MULTILINE) == expected


def table(page: str, heading: str) -> dict[str, list[str]]:
    """Rows of the first table below a heading: the cells, by each name in the first of them."""
    below = (DOCS / page).read_text(encoding="utf-8").split(f"\n{heading}\n", 1)[1]
    lines = below[below.index("\n| `") :].lstrip("\n").split("\n\n", 1)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: cells for first, *cells in rows for name in re.findall("`([^`]+)`", first)}


def test_the_table_of_errors_lists_every_class() -> None:
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert {"QwenAudioError", *table("errors.md", "## What raises what")} == classes
