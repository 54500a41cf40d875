"""What a notebook would show, read as browsers do; it must be inert."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

SVG = "{http://www.w3.org/2000/svg}"
# All that is ever made, of which none runs anything, and none but `src` loads anything.
TAGS = {
    *("article", "audio", "details", "div", "figcaption", "figure", "img", "pre", "section"),
    *("strong", "summary", "svg", "g", "path", "rect", "text", "title"),
}
ATTRIBUTES = {
    *("alt", "aria-label", "controls", "d", "dir", "fill", "fill-opacity", "font-family"),
    *("font-size", "height", "opacity", "open", "preload", "role", "src", "stroke"),
    *("stroke-dasharray", "stroke-linejoin", "stroke-width", "style", "text-anchor", "viewbox"),
    *("width", "x", "xmlns", "y"),
}


class InertPage(HTMLParser):
    """Read a page as browsers do, and refuse whatever could run or load something."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES, f"<{tag} {name}={value!r}>"
            if name == "src":
                assert re.fullmatch(r"data:(audio|image)/[a-z0-9]+;base64,[\w+/=]+", value or "")
            if name == "style":
                assert "url" not in (value or "")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(decl)

    def handle_pi(self, data: str) -> None:
        pytest.fail(data)

    handle_comment = unknown_decl = handle_pi


def page_of(shown: Any) -> ET.Element:
    """Read what something shows of itself, which must be inert, and well-formed XML."""
    return read_page(shown._repr_html_())


def read_page(html: str) -> ET.Element:
    """Read HTML, which must be inert, and well-formed XML."""
    html.encode()
    InertPage().feed(html)
    return ET.fromstring(f"<body>{html}</body>")  # noqa: S314


def text_of(page: ET.Element) -> str:
    return "".join(page.itertext())


def played(page: ET.Element) -> list[tuple[str, bytes]]:
    """List what the players have, as media type and bytes."""
    sources = [element.attrib["src"] for element in page.iter("audio")]
    return [
        (source[5:].partition(";")[0], base64.b64decode(source.partition(",")[2], validate=True))
        for source in sources
    ]


def cuts_of(page: ET.Element) -> list[float]:
    """List the x of the lines at which a recording is split."""
    lines = [path for path in page.iter(f"{SVG}path") if "stroke-dasharray" in path.attrib]
    return [float(path.attrib["d"][1:].partition(" ")[0]) for path in lines]


def shades_of(page: ET.Element) -> list[tuple[float, float]]:
    """List where it is shaded, as x and width."""
    return [
        (float(rect.attrib["x"]), float(rect.attrib["width"])) for rect in page.iter(f"{SVG}rect")
    ]
