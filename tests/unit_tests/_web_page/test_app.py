"""What the page's server does: waveforms, answers line by line, live talks."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import math
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._web_page.access import SUBPROTOCOL
from langchain_qwen_audio.local import (
    CloseCode,
    LiveReply,
    LocalDashScope,
    RawReply,
    Reply,
    compatible_error_reply,
    compatible_stream_error_reply,
)
from tests.unit_tests._web_page.conftest import KEY, TOKEN, WELCOME, served, silent_service
from tests.unit_tests.recordings import sent_clips
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from langchain_qwen_audio.local import Scripted
    from tests.unit_tests._web_page.conftest import Served

ASK, ASR, LIVE = "qwen3.5-omni-flash", "qwen3-asr-flash", "qwen3.5-omni-flash-realtime"
CAPTIONER = "qwen3-omni-30b-a3b-captioner"
SPEECH = bytes(range(256)) * 100


def lines(reply: httpx.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in reply.text.splitlines()]


# --- recordings -------------------------------------------------------------------------------


def test_a_waveform_has_the_length_and_the_shape(page: Served) -> None:
    measured = page.post("/page/waveform").json()
    assert measured["length"] == "7.16 s"
    assert 300 < len(measured["points"]) <= 600
    assert all(-1 <= low <= high <= 1 for low, high in measured["points"])
    assert max(high for _, high in measured["points"]) > 0.3


@pytest.mark.parametrize("path", ["/page/waveform", "/page/ask"])
def test_what_is_no_recording_is_refused_in_the_package_s_words(page: Served, path: str) -> None:
    reply = page.post(path, b"I am no recording.", model=ASK)
    assert reply.status_code == 400
    assert reply.json()["error"].startswith("a.wav: 18 bytes came that are not usable audio")
    assert page.service.requests == []


# --- questions --------------------------------------------------------------------------------


def test_an_answer_comes_line_by_line_with_tokens_and_cost(page: Served) -> None:
    usage = {"prompt_tokens": 60, "completion_tokens": 2, "total_tokens": 62}
    details = {"audio_tokens": 50, "text_tokens": 10}
    page.service.script(
        Reply(fragments=("one ", "two"), usage={**usage, "prompt_tokens_details": details})
    )
    *texts, facts = lines(page.post("/page/ask", model=ASK, question="What is said?"))
    assert texts == [{"text": "one "}, {"text": "two"}]
    assert facts == {
        "cost": "0.000949 CNY (text in 0.000022, audio in 0.0009, text out 0.000027)",
        "input_tokens": 60,
        "audio_tokens": 50,
        "output_tokens": 2,
    }
    (request,) = page.service.requests
    assert request.json["model"] == ASK
    assert request.messages[-1]["content"][1] == {"type": "text", "text": "What is said?"}
    assert sent_clips(page.service) == [WELCOME]


def test_a_spoken_answer_has_a_recording(page: Served) -> None:
    page.service.script(Reply("ok", audio=SPEECH))
    *_, facts, last = lines(page.post("/page/ask", model=ASK, question="?", speak="true"))
    assert "cost" in facts
    spoken = Audio.from_bytes(base64.b64decode(last["speech"]))
    assert (spoken.mime_type, b"".join(spoken.decode(24_000))) == ("audio/wav", SPEECH)
    assert page.service.requests[0].json["modalities"] == ["text", "audio"]


def test_a_model_that_transcribes_is_sent_the_recording_alone(page: Served) -> None:
    assert lines(page.post("/page/ask", model=ASR))[0] == {"text": "ok"}
    (message,) = page.service.requests[0].messages
    assert [set(it) for it in message["content"]] == [{"audio"}]


def test_an_answer_that_lacks_its_speech_has_its_text_and_its_facts(page: Served) -> None:
    page.service.script("ok")
    text, facts, last = lines(page.post("/page/ask", model=ASK, question="?", speak="true"))
    assert text == {"text": "ok"}
    assert "CNY" in facts["cost"]
    assert facts["output_tokens"] == 1
    assert set(last) == {"error"}
    assert last["error"].startswith("a message came with no audio in it: 'ok'")


def test_a_model_that_describes_sounds_is_sent_the_recording_alone() -> None:
    with served(LocalDashScope(reply="A door."), model=CAPTIONER) as page:
        choices = page.request("/page/choices").json()
        (offered,) = [it for it in choices["ask"] if it["name"] == choices["ask_model"]]
        assert [it for it in ("takes_text", "speaks", "transcribes") if offered[it]] == []
        *texts, _ = lines(page.post("/page/ask", model=CAPTIONER))
        assert "".join(it["text"] for it in texts) == "A door."
        (message,) = page.service.requests[0].messages
        assert [set(it) for it in message["content"]] == [{"audio"}]


ERRORS = {
    "a refusal": (compatible_error_reply(400, "invalid_value", "It is refused."), 0),
    "an error in the stream": (compatible_stream_error_reply(["one "], "x", "It broke."), 1),
}


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_of_the_service_is_the_last_line(page: Served, what: str) -> None:
    reply, count = ERRORS[what]
    page.service.script(reply)
    *texts, last = lines(page.post("/page/ask", model=ASK, question="?"))
    assert len(texts) == count
    assert set(last) == {"error"}
    assert last["error"].startswith(("It is refused.", "It broke."))


def test_only_models_of_the_list_are_used(page: Served) -> None:
    reply = page.post("/page/ask", model="qwen-max")
    assert reply.status_code == 400
    assert reply.json() == {"error": "'qwen-max' came, expected a model of the page's list"}


def test_a_form_that_cannot_be_read_is_refused_with_a_reason(page: Served) -> None:
    reply = page.post("/page/ask", model=ASK, question="x" * 2_000_000)
    assert reply.status_code == 400
    assert "maximum size" in reply.json()["error"]


def test_the_page_s_own_forms_alone_are_taken(page: Served) -> None:
    assert page.post("/page/ask").status_code == 422  # no model
    assert page.request("/page/ask", "POST", json={}).status_code == 422
    assert page.request("/page/none").status_code == 404
    assert page.request("/docs").status_code == 404


# --- live talks -------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def talk(page: Served, model: str = LIVE) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    url = f"{page.address.replace('http', 'ws')}/page/talk?model={model}&rate=48000"
    async with (
        aiohttp.ClientSession() as client,
        client.ws_connect(url, protocols=[SUBPROTOCOL, TOKEN]) as it,
    ):
        yield it


async def events_until(it: aiohttp.ClientWebSocketResponse, last: str) -> list[Any]:
    """Receive events, and speech as bytes joined, up to one of a type."""
    events: list[Any] = []
    while not (events and isinstance(events[-1], dict) and events[-1]["type"] == last):
        message = await it.receive(timeout=HANG_S)
        if message.type is aiohttp.WSMsgType.BINARY:
            joined = events.pop() if events and isinstance(events[-1], bytes) else b""
            events.append(joined + message.data)
        else:
            events.append(json.loads(message.data))
    return events


async def test_a_talk_passes_on_sound_words_and_cost(page: Served) -> None:
    page.service.script(Reply("Hello.", input_transcript="Hi.", audio=SPEECH))
    loud, quiet = b"".join(Audio.from_bytes(WELCOME).decode(48_000))[:200_000], bytes(200_000)
    async with talk(page) as it:
        assert await events_until(it, "ready") == [{"type": "ready"}]
        await it.send_bytes(loud + quiet)
        events = await events_until(it, "answer_finished")
    types = [it["type"] for it in events if isinstance(it, dict)]
    assert types[:2] == ["speech_started", "speech_stopped"]
    assert "".join(texts_of(events, "answer_delta")) == "Hello."
    assert texts_of(events, "input") == ["Hi."]
    assert b"".join(it for it in events if isinstance(it, bytes)) == SPEECH
    assert events[-1]["status"] == "completed"
    assert {"cost", "input_tokens", "audio_tokens", "output_tokens"} < events[-1].keys()


def texts_of(events: list[Any], kind: str) -> list[str]:
    return [it["text"] for it in events if isinstance(it, dict) and it["type"] == kind]


async def test_a_talk_passes_on_what_is_written_and_an_interruption(page: Served) -> None:
    page.service.script(Reply("one two", pause_s=math.inf))
    async with talk(page) as it:
        await events_until(it, "ready")
        await it.send_json({"text": "Count."})
        await events_until(it, "answer_started")
        await it.send_json({"interrupt": True})
        events = await events_until(it, "answer_finished")
    assert events[-1]["status"] == "cancelled"


async def test_the_session_ends_when_the_browser_leaves(page: Served) -> None:
    async with talk(page) as it:
        await events_until(it, "ready")
    wait_until(lambda: page.service.live_sessions[0].close_code is not None)


async def test_a_browser_may_leave_while_the_service_is_connected() -> None:
    with silent_service() as (silent, base_url), served(LocalDashScope(), base_url=base_url) as it:
        async with talk(it):
            connection, _ = await asyncio.to_thread(silent.accept)
            connection.settimeout(HANG_S)
            handshake = await asyncio.to_thread(connection.recv, 10_000)
            assert handshake.startswith(b"GET /api-ws/v1/realtime")
        with connection:
            assert await asyncio.to_thread(connection.recv, 1) == b"", "it is waited for no longer"


JUNK = {
    "no JSON": "nope",
    "nothing": "",
    "no object": "[]",
    "a number of too many digits": "1" * 5_000,
    "too deep": "[" * 100_000,
    "a text that is none": '{"text": 5}',
    "half of a surrogate pair": '{"text": "\\ud800"}',
    "an interruption that is none": '{"interrupt": false}',
    "neither": "{}",
}


async def test_junk_ends_a_talk_with_one_error(
    page: Served, caplog: pytest.LogCaptureFixture
) -> None:
    for what, junk in JUNK.items():
        async with talk(page) as it:
            await events_until(it, "ready")
            await it.send_str(junk)
            (error,) = await events_until(it, "error")
            assert error["text"].startswith(f"{junk[:60]!r} came from the page, expected "), what
            assert (await it.receive(timeout=HANG_S)).type is aiohttp.WSMsgType.CLOSE, what
        wait_until(lambda: page.service.live_sessions[-1].close_code is not None)
    assert [it for it in caplog.records if it.levelno >= logging.WARNING] == []


async def test_samples_may_be_cut_anywhere_and_be_none(page: Served) -> None:
    async with talk(page) as it:
        await events_until(it, "ready")
        for size in (0, 1, 3, 0, 999):
            await it.send_bytes(bytes(size))
        await it.send_json({"text": "Hello."})
        events = await events_until(it, "answer_finished")
    assert events[-1]["status"] == "completed"


BROKEN: dict[str, tuple[Scripted, str, str]] = {
    "it is not opened": (RawReply(400, {}, [b'{"message": "Odd."}']), LIVE, "status=400"),
    "it breaks": (LiveReply([CloseCode(1013, "busy")]), LIVE, "1013"),
    "no such model": ("ok", "qwen3.5-omni-flash", "expected a model of the page's list"),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_an_error_ends_a_talk_with_a_reason(page: Served, what: str) -> None:
    scripted, model, reason = BROKEN[what]
    page.service.script(scripted)
    async with talk(page, model) as it:
        with contextlib.suppress(ConnectionError):
            await it.send_json({"text": "Hello?"})
        events = await events_until(it, "error")
        assert reason in events[-1]["text"]
        assert (await it.receive(timeout=HANG_S)).type is aiohttp.WSMsgType.CLOSE


# --- the key ----------------------------------------------------------------------------------


async def test_the_key_is_in_no_byte_that_a_browser_is_sent(page: Served) -> None:
    """Not even where the service's own error repeats it."""
    echo = f"Incorrect API key provided: {KEY}."
    page.service.script(compatible_error_reply(401, "invalid_api_key", echo))
    replies = [page.request(path) for path in ("/", "/page/page.js", "/page/choices")]
    replies += [
        page.post("/page/ask", model=ASK, question="?"),
        page.post("/page/ask", b"", model=ASK),
    ]
    received = [repr((it.headers.raw, it.content)) for it in replies]
    page.service.script(LiveReply([CloseCode(1008, echo)]))
    async with talk(page) as it:
        await it.send_json({"text": "Hello?"})
        received.append(repr(await events_until(it, "error")))
    assert all("Incorrect API key" in it for it in (received[3], received[-1]))
    assert not [it for it in received if KEY in it]
