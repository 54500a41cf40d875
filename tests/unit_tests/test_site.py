"""The documentation site builds without a warning, and every link in it leads somewhere."""

from __future__ import annotations

import contextlib
import html
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import TimeoutError as NotFoundInTime
from playwright.sync_api import sync_playwright

import langchain_qwen_audio
from langchain_qwen_audio import errors, transcripts

from ._notebook.test_browser import CHROMIUM, FLAGS, open_page
from .waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page as Tab

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
COPY = ".md-clipboard, [data-md-type=copy]"
# The browser's clipboard is not for pages without a window.
KEEP_COPIED = """document.execCommand = () => {
  window.copied = getSelection().toString() || document.activeElement.value;
  return true;
}"""

# Without what cannot differ or is not looked at: the reference and the code of notebooks a second
# time, which are the same in both languages, the layout of signatures, the colours of what is not
# to be typed at a console, and what a search finds in other pages than these.
BUILD = """
import gc, re, sys
import pymdownx.highlight
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.plugins import BasePlugin

gc.disable()
find_lexer = pymdownx.highlight.get_lexer_by_name

def find_few(name, **options):
    find_lexer(name, **options)
    return find_lexer(name if name == "console" else "text", **options)

class Less(BasePlugin):
    def on_page_markdown(self, markdown, *, page, **_):
        if not re.search(r"(recordings|subtitles)\\.html$", page.url) or "reference/" in page.url:
            page.meta["search"] = {"exclude": True}
        if page.url.startswith("zh/notebooks/"):
            return re.sub(r"^```.*?^```$", "", markdown, flags=re.MULTILINE | re.DOTALL)
        return markdown.partition(":::")[0] if page.url.startswith("zh/reference/") else markdown

pymdownx.highlight.get_lexer_by_name = find_few
sys.modules["black"] = sys.modules["ruff"] = None
config = load_config(strict=True, site_dir=sys.argv[1])
config.plugins["less"] = Less()
config.plugins.on_startup(command="build", dirty=False)
build(config)
config.plugins.on_shutdown()
"""


TAG = re.compile(r"""<(\w+)((?:[^<>"']+|"[^"]*"|'[^']*')*)>""")
NAMED = re.compile(r"""\s(href|src|id|name)=(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""")


class Page:
    """What a page links to, what it loads, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        self.links: list[str] = []
        self.resources: list[str] = []
        self.anchors = {""}
        for tag, attributes in TAG.findall(path.read_text(encoding="utf-8")):
            for name, *values in NAMED.findall(attributes):
                self.add(tag, name, html.unescape("".join(values)))

    def add(self, tag: str, name: str, value: str) -> None:
        if name in {"id", "name"}:
            self.anchors.add(value)
            return
        self.links.append(value)
        if tag not in {"a", "area"}:
            self.resources.append(value)


def english_pages() -> list[Path]:
    return [page for page in DOCS.rglob("*.md") if not page.name.endswith(".zh.md")]


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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, warnings as errors."""
    for module in ("material", "mkdocs", "mkdocstrings_handlers"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install -e '.[docs]'")
    site = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-c", BUILD, site],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def test_the_links_of_the_site_lead_somewhere(site: Path) -> None:
    # 404.html is served at any address, so that its links begin at the root.
    paths = [path for path in site.rglob("*.html") if path.name != "404.html"]
    pages = {path: Page(path) for path in paths}
    assert len(pages) == 2 * len([*english_pages(), *NOTEBOOKS])
    assert [link for path in pages for link in dead_links(path, pages)] == []
    loaded = {link for page in pages.values() for link in page.resources}
    fetched = {link for link in loaded if "//" in link and not link.startswith("data:")}
    assert fetched == set()
    for style in site.rglob("*.css"):
        elsewhere = re.findall(r"url\(\s*['\"]?(?:https?:)?//|@import", style.read_text())
        assert elsewhere == [], style


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"[\w/-]+\.md\b", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = [page.relative_to(DOCS).as_posix() for page in english_pages()]
    assert sorted(listed) == sorted([*pages, *(f"notebooks/{it.stem}.md" for it in NOTEBOOKS)])


def test_a_notebook_is_a_page_with_its_outputs(site: Path) -> None:
    page = (site / "notebooks" / "02_audio_in_any_form.html").read_text(encoding="utf-8")
    assert "<audio controls" in page
    assert "welcome.wav audio/wav pcm_s16le 16000 Hz 1 ch" in page


def search(page: Tab, words: str, found: str) -> None:
    """Search for words until a page is found.

    Material's search does now and then not start on a busy machine, until the page is loaded again.
    """

    def is_found() -> bool:
        page.reload()
        page.fill(".md-search__input", words)
        with contextlib.suppress(NotFoundInTime):
            page.wait_for_selector(f".md-search-result__item {found}", timeout=10_000)
            return True
        return False

    wait_until(is_found)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_from_the_disk_commands_are_copied_and_pages_found(site: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = open_page(browser)
        page.add_init_script(KEEP_COPIED)
        page.goto((site / "install.html").as_uri())
        blocks = page.locator(".highlight:has(.gp)")
        assert "\n$ pip install" in blocks.first.inner_text()
        blocks.first.hover()
        blocks.first.locator(COPY).click()
        copied = page.wait_for_function("() => window.copied").json_value()
        assert copied.startswith("pip install")
        assert "$ " not in copied
        search(page, "checkpoint", "a[href*='recordings.html']")
        assert page.locator(".md-search-result__item a[href*='/zh/']").count() == 0
        page.goto((site / "zh" / "reference" / "audio.html").as_uri())
        search(page, "字幕", "a[href$='/zh/subtitles.html']")
        browser.close()


def test_the_reference_has_every_name_that_the_package_exports() -> None:
    pages = [it.read_text(encoding="utf-8") for it in (DOCS / "reference").glob("*.md")]
    named = set(re.findall(r"^::: langchain_qwen_audio\.(\S+)$", "\n".join(pages), re.MULTILINE))
    of_modules = set(vars(transcripts))  # a page has all of this module
    assert set(langchain_qwen_audio.__all__) - of_modules <= named


def text_of(page: str) -> str:
    """Read a page; of a notebook, the text that it begins with."""
    if not page.startswith("notebooks/"):
        return (DOCS / page).read_text(encoding="utf-8")
    notebook = (ROOT / page).with_suffix(".ipynb").read_text(encoding="utf-8")
    return "".join(json.loads(notebook)["cells"][0]["source"])


def test_llms_txt_lists_the_pages_of_the_navigation() -> None:
    """The file for language models has the sections, the order and the titles of the site."""
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    sections = re.findall(r"^  - ([\w ]+):", nav.partition("\n\n")[0], re.MULTILINE)
    pages = re.findall(r"[\w/-]+\.md\b", nav)
    titles = [text_of(it).partition("\n")[0][2:] for it in pages]
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
