"""The page in a real browser, whose microphone plays the sample: recordings, and a live talk."""

from __future__ import annotations

import io
import re
import wave
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests._web_page.conftest import served
from tests.unit_tests._web_page.tabs import PHONE, opened, press
from tests.unit_tests.recordings import sent_clips
from tests.unit_tests.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.unit_tests._web_page.conftest import Served

BEEP = (b"\0\x20" * 24 + b"\0\xe0" * 24) * 125  # a quarter of a second of speech at 24 kHz
LOUD = 1_000  # of 32,768


def test_a_question_is_recorded_asked_and_answered_aloud_by_keyboard(
    browser: Browser, page: Served
) -> None:
    page.service.script(Reply(fragments=("Good ", "morning."), audio=BEEP))
    tab, requested, complaints = opened(browser, page)
    assert tab.url == f"{page.address}/", "the token is not left in the address"
    expect(tab.get_by_role("note")).to_contain_text("not Qwen")
    press(tab, "record")
    expect(tab.locator("#caption")).to_have_text(re.compile(r"Recording: [1-9]\d* s"))
    stop = tab.get_by_role("button", name="Stop recording")
    expect(stop).to_be_focused()
    tab.keyboard.press("Enter")
    waveform = tab.locator("#waveform")
    expect(waveform).to_have_attribute("aria-label", re.compile(r"Waveform of Your recording, \d"))
    assert len(tab.locator("#shape").get_attribute("d") or "") > 500
    press(tab, "speak", "Space")
    press(tab, "send")
    expect(tab.locator("#answer")).to_have_text("Good morning.")
    expect(tab.locator("#ask-facts")).to_have_text(re.compile(r"\(\d+ of audio\).* CNY \("))
    expect(tab.locator("#speech")).to_have_js_property("ended", value=True)
    assert tab.locator("#speech").evaluate("it => it.duration") == pytest.approx(0.25, abs=0.01)
    assert complaints == []
    assert all(url.startswith((page.address, "blob:", "data:")) for url in requested)
    tab.close()
    (clip,) = sent_clips(page.service)
    assert peak_of(clip) > LOUD, "the microphone was recorded"
    assert page.service.requests[0].messages[0]["content"][1]["text"].startswith("What does")


def peak_of(clip: bytes) -> int:
    with wave.open(io.BytesIO(clip)) as file:
        return max(memoryview(file.readframes(file.getnframes())).cast("h"))


def test_a_live_talk_transcribes_the_microphone_and_speaks(browser: Browser) -> None:
    with served(LocalDashScope()) as page:
        tab, _, complaints = opened(browser, page, viewport=PHONE, color_scheme="dark")
        press(tab, "talk")
        rows, state = tab.locator("#log li"), tab.locator("#talk-state")
        expect(rows.first).to_have_text("YouWelcome to the recording studio.")
        expect(rows.nth(1)).to_contain_text("[local test server: Whisper tiny.en, not qwen3.5")
        expect(state).to_have_text("The model is speaking.")
        expect(tab.locator("#talk-facts")).to_contain_text(" CNY (")
        assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        tab.fill("#words", "Thank you.")
        tab.keyboard.press("Enter")
        expect(rows.nth(2)).to_have_text("YouThank you.")
        expect(rows.nth(3)).to_contain_text("no audio to transcribe")
        tab.click("#interrupt")
        expect(state).to_have_text("Listening.")
        tab.click("#talk")
        expect(state).to_have_text("The conversation is over.")
        expect(tab.locator("#write")).to_be_hidden()
        wait_until(lambda: page.service.live_sessions[0].close_code is not None)
        assert complaints == []
        tab.close()


def test_errors_are_shown_and_the_page_speaks_the_browser_s_language(
    browser: Browser, page: Served, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.wav"
    notes.write_text("I am no recording.")
    tab, _, _ = opened(browser, page, locale="zh-CN", viewport=PHONE)
    expect(tab.get_by_role("heading", level=2).first).to_have_text("就录音提问")
    tab.click("#send")
    expect(tab.locator("#ask-error")).to_contain_text("请先录音")
    tab.set_input_files("#file", notes)
    expect(tab.locator("#ask-error")).to_contain_text("bytes came that are not usable audio")
    # A recording that the browser cannot play has a waveform all the same.
    tab.set_input_files("#file", Path(__file__).parents[1] / "data" / "audio" / "pyav.amr")
    expect(tab.locator("#caption")).to_have_text("pyav.amr · 1.16 s")
    expect(tab.locator("#player")).to_be_hidden()
    expect(tab.locator("#ask-error")).to_be_empty()
    tab.select_option("#ask-model", "qwen3-asr-flash")
    expect(tab.locator("#question")).to_be_disabled()
    expect(tab.locator("#speak")).to_be_disabled()
    tab.click("#language")
    expect(tab.get_by_role("heading", level=2).first).to_have_text("Ask about a recording")
    assert tab.evaluate("document.documentElement.lang") == "en"
    assert tab.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    stranger = browser.new_page(locale="en-US")
    stranger.goto(page.address)
    expect(stranger.get_by_role("alert").first).to_contain_text("The token is missing or old.")
    expect(stranger.locator("main")).to_be_hidden()
    stranger.close()
    tab.close()
