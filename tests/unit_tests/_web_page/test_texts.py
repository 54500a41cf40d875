"""The page's texts: each is there in each language, and used."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files

STATIC = files("langchain_qwen_audio._web_page") / "static"
TEXTS = json.loads((STATIC / "texts.json").read_text(encoding="utf-8"))
HTML, SCRIPT = ((STATIC / it).read_text(encoding="utf-8") for it in ("index.html", "page.js"))


class Elements(HTMLParser):
    """The elements of the page: their names and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(HTML)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


ELEMENTS = Elements().found


def test_the_languages_have_the_same_texts_with_the_same_gaps() -> None:
    english, chinese = TEXTS["en"], TEXTS["zh"]
    assert list(english) == list(chinese)
    for name, text in english.items():
        gaps = [sorted(re.findall(r"\{\d\}", it)) for it in (text, chinese[name])]
        assert gaps[0] == gaps[1], name


def test_each_text_is_used_and_each_used_text_is_there() -> None:
    attributes = ("data-text", "data-label", "data-placeholder")
    in_html = {it[name] for _, it in ELEMENTS for name in attributes if name in it}
    quoted = set(re.findall(r'"([a-z_]+)"', SCRIPT))
    assert in_html <= TEXTS["en"].keys()
    assert TEXTS["en"].keys() <= in_html | quoted
    used = re.findall(r'\b(?:text|show)\((?:[^,"()]*(?:\([^)]*\))?, )?"([a-z_]+)"', SCRIPT)
    assert {it for it in used if it not in TEXTS["en"]} == set()


def test_what_the_script_looks_for_is_in_the_page_once() -> None:
    ids = [str(it["id"]) for _, it in ELEMENTS if "id" in it]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'\$\("([\w-]+)"\)', SCRIPT)) <= set(ids)


def test_the_page_has_no_script_style_or_handler_of_its_own() -> None:
    """The content security policy would stop them."""
    assert [it for it in ELEMENTS if it[0] == "style"] == []
    assert [it for tag, it in ELEMENTS if tag == "script" and not it.get("src")] == []
    names = {name for _, it in ELEMENTS for name in it}
    assert not {it for it in names if it == "style" or it.startswith("on")}
    assert "innerHTML" not in SCRIPT


def test_each_field_has_a_label() -> None:
    labelled = {it.get("for") for tag, it in ELEMENTS if tag == "label"} | {"speak"}  # inside of it
    fields = [it for tag, it in ELEMENTS if tag in {"input", "select", "textarea"}]
    assert {it["id"] for it in fields} <= labelled
