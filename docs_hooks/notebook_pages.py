"""Notebooks, in a folder beside `docs/` → pages of the site, as they were executed."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File
from nbconvert import MarkdownExporter

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]


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
    return _as_markdown(ROOT / Path(page.file.src_uri).with_suffix(".ipynb"))


@functools.cache  # a page of each language
def _as_markdown(path: Path) -> str:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    notebook.metadata["language_info"] = {"name": "python"}  # for the colours of code
    exporter = MarkdownExporter()  # type: ignore[no-untyped-call]
    text, _ = exporter.from_notebook_node(notebook)
    return str(text)
