"""A notebook, exported to HTML, as a real browser shows it: it plays, and nothing else happens."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.unit_tests._notebook.test_conversation import ATTACKS, PNG
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

DATA = Path(__file__).parents[1] / "data" / "audio"
SAMPLE = Path(__file__).parents[3] / "langchain_qwen_audio" / "samples" / "welcome.wav"
# The shell has no window to draw, which is most of a short page's cost.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = [
    "--no-sandbox",  # which no root may use, as in most containers
    "--disable-gpu",
    # What Chromium requests of its makers on its own.
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-quic", "--no-first-run"),
    # Processes that it starts ahead of need, and pages of its window.
    "--disable-features=SpareRendererForSitePerProcess,WebUIOmniboxPopup,PreloadTopChromeWebUI",
]

# Each shows its last line. The cell before them says what the names in capitals are.
CELLS = """
import numpy as np
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_qwen_audio import Audio
from langchain_qwen_audio import show_messages
welcome = Audio.from_path(SAMPLE)
welcome
# ---
pause = np.zeros(24_000, "h")
speech = np.frombuffer(b"".join(welcome.decode(16_000)), "h")
long = Audio.from_array(np.concatenate([speech, pause] * 5), 16_000, name="a long one")
long
# ---
Audio.from_path(f"{DATA}/pyav.amr")
# ---
Audio.from_path(f"{DATA}/live.webm")
# ---
Audio.from_path(f"{DATA}/opus.ogg")
# ---
Audio.from_bytes(b"no audio", name=ATTACKS)
# ---
call = {"name": "load_audio", "args": {"audio": "call.mp3", "start_s": 1.5}, "id": "call_1"}
counts = {"input_tokens": 118, "output_tokens": 20, "total_tokens": 138}
show_messages([
    SystemMessage("You listen carefully."),
    HumanMessage([
        welcome.to_block(),
        {"type": "text", "text": "What does the speaker say?\\nIn what mood?"},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
        {"type": "audio", "url": "https://example.com/a.wav"},
    ]),
    AIMessage("", additional_kwargs={"reasoning_content": "I load it."}, tool_calls=[call]),
    ToolMessage(
        [{"type": "text", "text": "call.mp3: 43.3 s"}, {**long.to_block(), "type": "file"}],
        name="load_audio", tool_call_id="call_1",
    ),
    AIMessage(
        "“Welcome to the recording studio.” The mood is cheerful.",
        usage_metadata={**counts, "input_token_details": {"audio": 85}},
        response_metadata={"model_name": "qwen-audio-turbo-latest"},
    ),
], title="A conversation")
# ---
call = {"name": ATTACKS, "args": {ATTACKS: ATTACKS}, "id": ATTACKS}
show_messages([
    HumanMessage([
        ATTACKS,
        {"type": "image", "url": ATTACKS},
        {"type": "image", "url": "https://example.com/a.png"},
        {"type": ATTACKS},
        {**welcome.to_block(), "mime_type": ATTACKS},
    ], name=ATTACKS),
    AIMessage("", tool_calls=[call]),
], title=ATTACKS)
"""
SECONDS = [7.155, 43.275, 1.16, 1.153, 1.149, 7.155, 43.275, 7.155]

EXPORT = """
import pathlib, sys, nbclient, nbconvert, nbformat
folder, *cells = sys.argv[1:]
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
nbclient.NotebookClient(notebook, timeout=None, kernel_name="python3").execute()
for theme in ("light", "dark"):
    # Of what its template loads from elsewhere nothing is needed here.
    exporter = nbconvert.HTMLExporter(
        theme=theme, require_js_url="", mathjax_url="", exclude_input=True
    )
    html, _ = exporter.from_notebook_node(notebook)
    pathlib.Path(folder, f"{theme}.html").write_text(html, encoding="utf-8")
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the notebook as HTML, for a light page and a dark one."""
    folder = tmp_path_factory.mktemp("exported")
    attacks = "\n".join(attack.replace("alert(1)", "window.hacked=1") for attack in ATTACKS)
    values = str(DATA), str(SAMPLE), PNG, attacks.encode(errors="replace").decode()
    cells = [f"DATA, SAMPLE, PNG, ATTACKS = {values!a}", *CELLS.split("# ---\n")]
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, str(folder), *cells],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here: apt-get install chromium-headless-shell")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Browser, **options: Any) -> Page:
    """Open a page that waits for as long as a busy machine takes."""
    page = browser.new_page(**options)
    page.set_default_timeout(HANG_S * 1000)
    return page


def watched(page: Page) -> tuple[list[str], list[str]]:
    """List what a page requests and what it complains of, from now on."""
    requested: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda it: complaints.append(it.text) if it.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    return requested, complaints


def loaded_players(page: Page) -> list[dict[str, Any]]:
    """Wait until every player has loaded or failed; say what each of them has."""
    page.wait_for_function(
        "[...document.querySelectorAll('audio')].every(it => it.readyState >= 1 || it.error)"
    )
    players: list[dict[str, Any]] = page.evaluate(
        "[...document.querySelectorAll('audio')].map(it => ({"
        "state: it.readyState, seconds: it.duration, width: it.getBoundingClientRect().width}))"
    )
    return players


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_notebook_plays_and_does_nothing_else(
    theme: Any, browser: Browser, exported: Path, tmp_path: Path
) -> None:
    page = open_page(browser, color_scheme=theme, viewport={"width": 1_000, "height": 800})
    requested, complaints = watched(page)
    page.goto((exported / f"{theme}.html").as_uri())
    players = loaded_players(page)
    assert [player["seconds"] for player in players] == pytest.approx(SECONDS, abs=0.1)
    assert all(player["state"] >= 1 and player["width"] > 200 for player in players)
    pictures = boxes(page, "svg[role=img]")
    assert len(pictures) == len(players)
    assert all(box["height"] > 50 for box in pictures)
    assert len(boxes(page, "article")) == 7
    page.screenshot(path=tmp_path / f"{theme}.png", full_page=True)
    play_the_first(page)
    page.set_viewport_size({"width": 420, "height": 800})
    for selector in ("audio", "svg[role=img]", "article"):
        assert all(box["right"] <= 420 for box in boxes(page, selector)), selector
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert complaints == []
    assert {urlsplit(url).scheme for url in requested} <= {"file", "data", "blob"}
    assert len([url for url in requested if url.startswith("file:")]) == 1
    page.close()


def boxes(page: Page, selector: str) -> list[dict[str, float]]:
    found: list[dict[str, float]] = page.eval_on_selector_all(
        selector, "all => all.map(it => it.getBoundingClientRect().toJSON())"
    )
    return found


def play_the_first(page: Page) -> None:
    page.evaluate("document.querySelector('audio').muted = true")
    page.evaluate("document.querySelector('audio').play()")
    page.wait_for_function("document.querySelector('audio').currentTime > 0.2")
