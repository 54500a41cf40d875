"""The page's texts: each is there in each language, and used."""

from __future__ import annotations

import inspect
import json
import re
from graphlib import TopologicalSorter
from html.parser import HTMLParser
from importlib.resources import files

from langchain_qwen_audio._web_page import access

STATIC = files("langchain_qwen_audio._web_page") / "static"
TEXTS = json.loads((STATIC / "texts.json").read_text(encoding="utf-8"))
HTML = (STATIC / "index.html").read_text(encoding="utf-8")
SCRIPTS = {
    it.name: it.read_text(encoding="utf-8") for it in STATIC.iterdir() if it.name.endswith(".js")
}
SCRIPT = "\n".join(SCRIPTS.values())


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
    by_server = set(re.findall(r'text="([a-z_]+)"', inspect.getsource(access)))
    assert in_html | by_server <= TEXTS["en"].keys()
    assert TEXTS["en"].keys() <= in_html | by_server | quoted
    used = re.findall(
        r'\b(?:text|show|NamedError)\((?:[^,"()]*(?:\([^)]*\))?, )?"([a-z_]+)"', SCRIPT
    )
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


def test_scripts_import_what_there_is_in_no_circle_and_each_is_used() -> None:
    imports = {name: [path for _, path in imports_of(it)] for name, it in SCRIPTS.items()}
    list(TopologicalSorter(imports).static_order())
    for name, script in SCRIPTS.items():
        for names, path in imports_of(script):
            exported = re.findall(
                r"^export (?:async )?\w+\*? ([$\w]+)", SCRIPTS[path], re.MULTILINE
            )
            assert {*names} <= {*exported}, f"{name} imports from {path}"
            assert [it for it in names if script.count(it) < 2] == [], f"{name} does not use them"
    begun = {"page.js", "audio_thread.js"}  # by the HTML, and in a thread of its own
    assert {*SCRIPTS} - begun == {path for paths in imports.values() for path in paths}


def imports_of(script: str) -> list[tuple[list[str], str]]:
    """List the names that a script imports, and the file that they are from."""
    found = re.findall(r'^import \{ (.*) \} from "\./(.*)";$', script, re.MULTILINE)
    assert len(found) == len(re.findall(r"^import ", script, re.MULTILINE))
    return [(names.split(", "), path) for names, path in found]


def test_a_button_whose_label_says_what_it_does_has_no_state_beside_it() -> None:
    """A screen reader would say "Stop recording, pressed"."""
    assert "aria-pressed" not in HTML + SCRIPT


def test_each_field_has_a_label() -> None:
    labelled = {it.get("for") for tag, it in ELEMENTS if tag == "label"} | {"speak"}  # inside of it
    fields = [it for tag, it in ELEMENTS if tag in {"input", "select", "textarea"}]
    assert {it["id"] for it in fields} <= labelled
