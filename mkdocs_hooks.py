"""Notebooks, in a folder beside `docs/` → pages; the search index → one for each language."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent


@event_priority(100)  # before plugins that look at all files, as those for languages
def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add a page for each notebook."""
    for notebook in sorted(ROOT.glob("notebooks/*.ipynb")):
        page = notebook.relative_to(ROOT).with_suffix(".md").as_posix()
        files.append(File(page, config.docs_dir, config.site_dir, config.use_directory_urls))


def on_page_read_source(page: Page, config: MkDocsConfig) -> str | None:  # noqa: ARG001
    """Return the text of a notebook's page, with the outputs that the notebook holds."""
    if not page.file.src_uri.startswith("notebooks/"):
        return None
    path = ROOT / Path(page.file.src_uri).with_suffix(".ipynb")
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    notebook.metadata["language_info"] = {"name": "python"}  # for the colours of code
    exporter = MarkdownExporter()  # type: ignore[no-untyped-call]
    text, _ = exporter.from_notebook_node(notebook)
    return str(text)


@event_priority(-200)  # after the plugins that write the index
def on_post_build(config: MkDocsConfig) -> None:
    """Let a search in Chinese find Chinese pages, and one in English the others."""
    site = Path(config.site_dir)
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    chinese = [it for it in index["docs"] if it["location"].startswith("zh/")]
    english = [it for it in index["docs"] if not it["location"].startswith("zh/")]
    _write_index(site, {**index, "docs": english})
    moved = [{**it, "location": it["location"].removeprefix("zh/")} for it in chinese]
    _write_index(site / "zh", {**index, "docs": moved})
    for page in (site / "zh").rglob("*.html"):
        base = json.dumps(os.path.relpath(site / "zh", page.parent))
        text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(r'"base": ?"[^"]*"', f'"base": {base}', text, count=1), "utf-8")


def _write_index(site: Path, index: dict[str, Any]) -> None:
    """Write the index of a site, also as the script that is read from the disk."""
    folder = site / "search"
    folder.mkdir(exist_ok=True)
    text = json.dumps(index, ensure_ascii=False)
    (folder / "search_index.json").write_text(text, encoding="utf-8")
    (folder / "search_index.js").write_text(f"var __index = {text}", encoding="utf-8")
