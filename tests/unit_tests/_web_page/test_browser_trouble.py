"""The page in a real browser, when something goes wrong: it says what, in both languages."""

from __future__ import annotations

import base64
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from langchain_qwen_audio._web_page.access import MAX_RECORDING_BYTES
from langchain_qwen_audio.local import LocalDashScope, RawReply
from tests.unit_tests._web_page.conftest import SAMPLES, TOKEN, mount_page, served, silent_service
from tests.unit_tests._web_page.tabs import PHONE, opened, press
from tests.unit_tests._web_page.test_texts import TEXTS
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.unit_tests._web_page.conftest import Served

WELCOME_WAV = SAMPLES / "welcome.wav"
CHUNK = {"choices": [{"index": 0, "delta": {"content": "one "}}], "object": "chat.completion.chunk"}
STALLS = RawReply(
    200,
    {"content-type": "text/event-stream"},
    [f"data: {json.dumps(CHUNK)}\n\n".encode(), math.inf],
)

# The microphone is there when the test allows it; `stream` is what the page has of it.
ASKS_FIRST = """
const media = navigator.mediaDevices;
const open = media.getUserMedia.bind(media);
media.getUserMedia = async wanted => {
  await new Promise(allow => (window.allow = allow));
  return (window.stream = await open(wanted));
};
"""
FREED = "window.stream?.getTracks().every(it => it.readyState === 'ended')"


def expect_in_both_languages(tab: Page, element: str, name: str, *values: object) -> None:
    """Expect a text of the page, in the language that it is in and, as it is changed, in both."""
    for _ in TEXTS:
        language = tab.evaluate("document.documentElement.lang")[:2]
        text = re.sub(r"\{(\d)\}", lambda it: str(values[int(it[1])]), TEXTS[language][name])
        expect(tab.locator(element)).to_contain_text(text)
        tab.click("#language")


# --- the token --------------------------------------------------------------------------------


def test_another_token_is_taken_in_the_same_tab(browser: Browser, page: Served) -> None:
    tab = browser.new_page(locale="en-US")
    tab.goto(f"{page.address}/#of-an-earlier-start")
    expect_in_both_languages(tab, "#failure", "no_token")
    tab.goto(f"{page.address}/#{TOKEN}")
    expect(tab.locator("main")).to_be_visible()
    assert tab.url == f"{page.address}/"
    tab.reload()
    expect(tab.locator("main")).to_be_visible()
    tab.close()


KEEPS_NOTHING = """
const refuse = { get() { throw new DOMException("no storage", "SecurityError"); } };
for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, refuse);
"""
OF_ANOTHER_PAGE = """
localStorage.setItem("language", "fr");
localStorage.setItem("qwen-audio-language", "constructor");
sessionStorage.setItem("token", "of another page");
"""


@pytest.mark.parametrize("script", [KEEPS_NOTHING, OF_ANOTHER_PAGE])
def test_the_page_needs_nothing_that_the_browser_keeps(
    browser: Browser, page: Served, script: str
) -> None:
    context = browser.new_context(locale="zh-CN")
    context.add_init_script(script)
    tab = context.new_page()
    tab.goto(f"{page.address}/#{TOKEN}")
    expect(tab.locator("main")).to_be_visible()
    tab.click("#language")
    expect(tab.locator("#talk")).to_have_text(
        ["Start talking", "开始对话"][script is OF_ANOTHER_PAGE]
    )
    context.close()


# --- the server stops -------------------------------------------------------------------------


def test_a_server_that_stops_in_an_answer_is_told(browser: Browser, page: Served) -> None:
    page.service.script(STALLS)
    tab, *_ = opened(browser, page)
    tab.set_input_files("#file", WELCOME_WAV)
    tab.click("#send")
    expect(tab.locator("#answer")).to_contain_text("one")
    page.service.stop()
    expect_in_both_languages(tab, "#ask-error", "no_server")
    expect(tab.locator("#answer")).to_contain_text("one")
    expect(tab.locator("#ask-facts")).to_be_empty()
    expect(tab.locator("#stop")).to_be_hidden()
    tab.click("#send")
    expect_in_both_languages(tab, "#ask-error", "no_server")
    tab.click("#talk")
    expect_in_both_languages(tab, "#talk-error", "no_server")
    tab.close()


def test_a_server_that_stops_in_a_talk_is_told(browser: Browser, page: Served) -> None:
    tab, *_ = opened(browser, page, viewport=PHONE)
    tab.click("#talk")
    expect(tab.locator("#interrupt")).to_be_visible()
    page.service.stop()
    expect_in_both_languages(tab, "#talk-error", "no_server")
    expect(tab.locator("#talk-state")).to_have_text("The conversation is over.")
    expect(tab.locator("#talk")).to_have_text("Start talking")
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    tab.close()


def test_a_talk_with_the_token_of_an_earlier_start_says_so(browser: Browser, page: Served) -> None:
    tab, *_ = opened(browser, page)
    mount_page(page.service, token="of-a-later-start")
    tab.click("#talk")
    expect_in_both_languages(tab, "#talk-error", "no_token")
    tab.close()


# --- hanging up -------------------------------------------------------------------------------


def expect_hung_up(tab: Page) -> None:
    expect(tab.locator("#talk-state")).to_have_text("The conversation is over.")
    expect(tab.locator("#talk")).to_have_text("Start talking")
    expect(tab.locator("#talk-model")).to_be_enabled()


def test_hanging_up_while_the_browser_asks_frees_the_microphone(
    browser: Browser, page: Served
) -> None:
    tab, _, complaints = opened(browser, page, script=ASKS_FIRST)
    press(tab, "talk")
    expect(tab.locator("#talk-state")).to_have_text("Connecting…")
    tab.keyboard.press("Enter")
    expect_hung_up(tab)
    tab.evaluate("allow()")
    wait_until(lambda: bool(tab.evaluate(FREED)))
    expect(tab.locator("#talk-error")).to_be_empty()
    assert page.service.live_sessions == []
    assert complaints == []
    tab.close()


def test_hanging_up_while_the_service_is_connected_frees_all(browser: Browser) -> None:
    with silent_service() as (silent, base_url), served(LocalDashScope(), base_url=base_url) as it:
        tab, *_ = opened(browser, it, script=ASKS_FIRST)
        tab.click("#talk")
        tab.evaluate("allow()")
        connection, _ = silent.accept()
        connection.settimeout(HANG_S)
        expect(tab.locator("#talk-state")).to_have_text("Connecting…")
        tab.click("#talk")
        expect_hung_up(tab)
        wait_until(lambda: bool(tab.evaluate(FREED)))
        with connection:
            assert [*iter(lambda: connection.recv(10_000), b"")], "then it is closed"
        expect(tab.locator("#talk-error")).to_be_empty()
        tab.close()


def test_a_microphone_that_cannot_be_used_is_freed_and_told(browser: Browser, page: Served) -> None:
    async def fail(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body"})

    page.service.mount(fail, ["/page/audio_thread.js"])
    tab, *_ = opened(browser, page, script=ASKS_FIRST)
    tab.click("#talk")
    tab.evaluate("allow()")
    expect_in_both_languages(tab, "#talk-error", "lost")
    wait_until(lambda: bool(tab.evaluate(FREED)))
    tab.close()


# --- recordings -------------------------------------------------------------------------------


def test_a_file_that_is_dropped_while_the_browser_asks_is_what_counts(
    browser: Browser, page: Served
) -> None:
    tab, *_ = opened(browser, page, script=ASKS_FIRST)
    tab.click("#record")
    expect(tab.locator("#record")).to_have_text("Stop recording")
    drop(tab, WELCOME_WAV)
    expect(tab.locator("#caption")).to_have_text("welcome.wav · 7.16 s")
    tab.evaluate("allow()")
    wait_until(lambda: bool(tab.evaluate(FREED)))
    expect(tab.locator("#record")).to_have_text("Record")
    expect(tab.locator("#caption")).to_have_text("welcome.wav · 7.16 s")
    tab.close()


def drop(tab: Page, file: Path) -> None:
    """Drop a file as the browser does; what nothing takes, it would open in place of the page."""
    event = tab.evaluate_handle(
        "([bytes, name]) => {"
        "const dataTransfer = new DataTransfer();"
        "const content = Uint8Array.from(atob(bytes), it => it.charCodeAt(0));"
        "dataTransfer.items.add(new File([content], name));"
        "return new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }); }",
        [base64.b64encode(file.read_bytes()).decode(), file.name],
    )
    assert tab.evaluate("it => document.querySelector('h1').dispatchEvent(it)", event) is False


def test_what_cannot_be_read_is_not_called_a_server_that_does_not_answer(
    browser: Browser, page: Served, tmp_path: Path
) -> None:
    recording, empty, large = (tmp_path / f"{it}.wav" for it in ("moved", "empty", "large"))
    recording.write_bytes(WELCOME_WAV.read_bytes())
    empty.touch()
    with large.open("wb") as file:
        file.truncate(2 * MAX_RECORDING_BYTES)
    tab, *_ = opened(browser, page)
    tab.set_input_files("#file", recording)
    expect(tab.locator("#caption")).to_have_text("moved.wav · 7.16 s")
    recording.unlink()
    tab.click("#send")
    expect_in_both_languages(tab, "#ask-error", "unreadable", "moved.wav")
    tab.set_input_files("#file", empty)
    expect(tab.locator("#ask-error")).to_contain_text("empty.wav: 0 bytes came")
    tab.set_input_files("#file", large)
    expect_in_both_languages(tab, "#ask-error", "too_large", "large.wav", 200, 100)
    expect(tab.locator("#recording")).to_be_hidden()
    assert page.service.requests == []
    tab.close()


# --- answers ----------------------------------------------------------------------------------


def test_the_facts_of_an_answer_are_shown_beside_the_speech_that_is_missing(
    browser: Browser, page: Served
) -> None:
    tab, *_ = opened(browser, page)
    tab.set_input_files("#file", WELCOME_WAV)
    tab.check("#speak")
    tab.click("#send")
    expect(tab.locator("#ask-error")).to_contain_text("a message came with no audio in it")
    expect(tab.locator("#answer")).to_have_text("ok")
    expect_in_both_languages(tab, "#ask-facts", "facts", 56, 50, 1)
    expect(tab.locator("#ask-facts")).to_contain_text(" Nothing is billed.")
    tab.close()


def test_an_answer_ends_when_the_page_is_loaded_anew(browser: Browser, page: Served) -> None:
    page.service.script(STALLS)
    tab, *_ = opened(browser, page)
    tab.set_input_files("#file", WELCOME_WAV)
    tab.click("#send")
    expect(tab.locator("#answer")).to_contain_text("one")
    tab.reload()
    expect(tab.locator("main")).to_be_visible()
    wait_until(lambda: page.service.disconnects == 2)  # the page's request, and the server's own
    tab.close()


def test_a_model_that_describes_sounds_says_so_and_takes_no_question(browser: Browser) -> None:
    name = "qwen3-omni-30b-a3b-captioner"
    with served(LocalDashScope(reply="A door."), model=name) as page:
        tab, *_ = opened(browser, page)
        expect(tab.locator("#ask-model")).to_have_value(name)
        group = tab.locator("optgroup", has=tab.locator(f"option[value='{name}']"))
        expect(group).to_have_attribute("label", "Describe sounds only")
        expect(tab.locator("#question")).to_be_disabled()
        expect(tab.locator("#question-hint")).to_contain_text("This model describes the sounds")
        tab.set_input_files("#file", WELCOME_WAV)
        tab.click("#send")
        expect(tab.locator("#answer")).to_have_text("A door.")
        tab.close()
