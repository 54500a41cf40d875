"""The example of an endpoint, over HTTP and in a browser: tokens come as the model says them."""

from __future__ import annotations

import json
import math
import runpy
import socket
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from playwright.sync_api import sync_playwright

from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply, compatible_error_reply

from ._notebook.test_browser import CHROMIUM, FLAGS, open_page
from .faults import SSE
from .installs import ROOT
from .recordings import tone, wav
from .waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TONE = wav(tone(1.0))
FIRST = {"choices": [{"index": 0, "delta": {"content": "one "}, "finish_reason": None}]}
STALLED = RawReply(200, SSE, [f"data: {json.dumps(FIRST)}\n\n".encode(), math.inf])


@pytest.fixture(scope="module")
def service() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


@pytest.fixture(scope="module")
def address(service: LocalDashScope) -> Iterator[str]:
    """Run the example, and return its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DASHSCOPE_API_KEY", "local")
        patch.setenv("DASHSCOPE_BASE_URL", service.base_url)
        patch.syspath_prepend(ROOT / "examples")
        app = runpy.run_path(str(ROOT / "examples" / "upload_endpoint.py"))["app"]
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            wait_until(lambda: server.started)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            server.should_exit = True
            thread.join(HANG_S)


def post(address: str, data: bytes = TONE) -> httpx.Response:
    form: dict[str, Any] = {"files": {"file": ("a.wav", data)}, "data": {"question": "What?"}}
    return httpx.post(f"{address}/answer", timeout=HANG_S, verify=False, **form)


def lines(response: httpx.Response) -> list[dict[str, str]]:
    return [json.loads(line) for line in response.text.splitlines()]


def test_the_answer_is_a_line_for_each_token(address: str, service: LocalDashScope) -> None:
    service.script(Reply(fragments=("one ", "two")))
    response = post(address)
    assert response.status_code == 200
    assert [it["text"] for it in lines(response) if it["text"]] == ["one ", "two"]
    assert service.requests[-1].messages[-1]["content"][1] == {"type": "text", "text": "What?"}


def test_a_token_comes_before_the_answer_ends(address: str, service: LocalDashScope) -> None:
    service.script(STALLED)
    form: dict[str, Any] = {"files": {"file": TONE}, "data": {"question": "What?"}}
    with httpx.stream("POST", f"{address}/answer", timeout=HANG_S, **form) as response:
        first = next(response.iter_lines())  # the model never ends its answer
    assert json.loads(first) == {"text": "one "}


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"No recording at all.", 400, "a.wav: 20 bytes came that are not usable audio"),
        (b"", 400, "0 bytes came"),
        (TONE[: len(TONE) // 2], 400, "it is truncated"),
        (bytes(20_000_001), 413, "20,000,001 bytes came, expected at most 20,000,000"),
    ],
    ids=["a text", "nothing", "half of one", "too much"],
)
def test_what_is_no_recording_is_refused_and_not_sent(
    address: str, service: LocalDashScope, data: bytes, code: int, words: str
) -> None:
    service.clear()
    response = post(address, data)
    assert response.status_code == code
    assert words in response.json()["detail"]
    assert service.requests == []


def test_an_error_of_the_service_ends_the_answer(address: str, service: LocalDashScope) -> None:
    service.script(compatible_error_reply(400, "invalid_value", "It is refused."))
    (line,) = lines(post(address))
    assert "It is refused." in line["error"]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_a_browser_shows_the_answer_as_it_comes(
    address: str, service: LocalDashScope, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(TONE)
    (tmp_path / "b.wav").write_text("No recording at all.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = open_page(browser)
        page.goto(address)
        service.script(STALLED)
        for name, shown in (("a.wav", "one "), ("b.wav", "not usable audio")):
            page.set_input_files("input[type=file]", tmp_path / name)
            page.click("button")
            script = "text => document.querySelector('#answer').textContent.includes(text)"
            page.wait_for_function(script, arg=shown)
        browser.close()
