"""The search index of the site → one for each language."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.plugins import event_priority

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig


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
