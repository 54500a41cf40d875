"""The Chinese README says what the English one says, as far as a machine can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")
)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def prose(text: str) -> list[str]:
    return FENCED.sub("", text).splitlines()


def levels(text: str) -> list[str]:
    return [line.split(" ")[0] for line in prose(text) if line.startswith("#")]


def rows(text: str) -> list[list[str]]:
    """Names in backticks and numbers of each row of a table."""
    return [re.findall(r"`[^`]+`|\d[\d.]*", line) for line in prose(text) if line.startswith("|")]


def test_code_blocks_are_the_same_comments_included() -> None:
    assert FENCED.findall(CHINESE) == FENCED.findall(ENGLISH)


def test_headings_and_tables_are_the_same() -> None:
    assert levels(CHINESE) == levels(ENGLISH)
    assert rows(CHINESE) == rows(ENGLISH)


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(page: str) -> None:
    text = "\n".join(prose((ROOT / page).read_text(encoding="utf-8")))
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        assert "://" in link or (ROOT / link).exists(), link
