"""Lines of the table → docs/performance.md and its Chinese twin, between two comments."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
_TABLE = re.compile(r"(<!-- measured -->\n).*?(<!-- end of what was measured -->)", re.DOTALL)

# Of two phrases that begin alike the longer one is first.
CHINESE = {
    "| | this package | otherwise | limit | ratio | target | |": (
        "| | 本包 | 否则 | 极限 | 比值 | 目标 | |"
    ),
    ", x86_64,": "，x86_64，",
    " cores": " 个核",
    "**missed**": "**未达到**",
    "met": "达到",
}


def write_pages(lines: list[str]) -> None:
    """Write the table into both pages."""
    text = "\n".join(lines)
    _replace(DOCS / "performance.md", text)
    for english, chinese in CHINESE.items():
        text = text.replace(english, chinese)
    _replace(DOCS / "performance.zh.md", text)


def _replace(page: Path, text: str) -> None:
    before = page.read_text(encoding="utf-8")
    after = _TABLE.sub(lambda found: f"{found[1]}{text}\n{found[2]}", before)
    page.write_text(after, encoding="utf-8")
