"""The Chinese pages have the headings, the code and the links of the English ones."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
# Pages for contributors, in English alone.
ENGLISH = {"architecture.md"}
GUIDES = sorted(
    page
    for page in DOCS.glob("*.md")
    if not page.name.endswith(".zh.md") and page.name not in ENGLISH
)
CODE = re.compile(r"^[ ]*```.*?^[ ]*```", re.MULTILINE | re.DOTALL)


def chinese(page: Path) -> str:
    return page.with_suffix(".zh.md").read_text(encoding="utf-8")


def prose(text: str) -> str:
    return CODE.sub("", text)


def levels(text: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(text), re.MULTILINE)]


def links(text: str) -> list[str]:
    return sorted(re.findall(r"\]\(([^)]+)\)", prose(text)))


def figures(text: str) -> list[list[str]]:
    """List the numbers of each row of each table."""
    rows = re.findall(r"^\s*\|.*$", prose(text), re.MULTILINE)
    return [sorted(re.findall(r"\d[\d,.]*\d|\d", row)) for row in rows]


def test_guides_are_the_same_in_chinese() -> None:
    for page in GUIDES:
        english, translated = page.read_text(encoding="utf-8"), chinese(page)
        assert CODE.findall(translated) == CODE.findall(english), page
        assert levels(translated) == levels(english), page
        assert links(translated) == links(english), page
        assert figures(translated) == figures(english), page


def test_no_chinese_page_is_left_over() -> None:
    assert {page.name for page in DOCS.glob("*.zh.md")} == {f"{page.stem}.zh.md" for page in GUIDES}
