"""JSON that makes no sense is refused; the server logs no failure of its own."""

import itertools
import logging

import aiohttp
import httpx
import pytest

from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.waiting import HANG_S

DEEP = "[" * 100_000
JUNK = {
    "no JSON": "nope",
    "nothing": "",
    "no object": "[]",
    "too deep": DEEP,
    "too deep within": f'{{"model": {DEEP}',
    "a number of too many digits": "1" * 5_000,
    "half of a surrogate pair": r'{"model": "\ud800", "type": "\ud800", "messages": []}',
}
PATHS = [
    "/api/v1/services/aigc/multimodal-generation/generation",
    "/api/v1/services/audio/asr/transcription",
    "/compatible-mode/v1/chat/completions",
    "/compatible-mode/v1/responses",
    "/compatible-mode/v1/batches",
]
SESSIONS = ["/api-ws/v1/realtime?model=qwen3.5-omni-flash-realtime", "/api-ws/v1/inference"]
KEY = {"authorization": "Bearer x"}


def test_a_request_is_refused(server: LocalDashScope, caplog: pytest.LogCaptureFixture) -> None:
    url = server.base_url.removesuffix("/api/v1")
    with httpx.Client(headers=KEY, timeout=HANG_S, verify=False) as client:
        for path, what in itertools.product(PATHS, JUNK):
            reply = client.post(url + path, content=JUNK[what])
            assert reply.status_code in {400, 404}, (path, what)
            assert reply.json(), (path, what)
    assert [it for it in caplog.records if it.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("path", SESSIONS)
@pytest.mark.asyncio
async def test_a_live_session_says_what_is_wrong(
    server: LocalDashScope, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    for what, junk in JUNK.items():
        url = server.base_url.removesuffix("/api/v1") + path
        async with aiohttp.ClientSession() as client, client.ws_connect(url, headers=KEY) as it:
            await it.send_str(junk)
            events = [await it.receive_json(timeout=HANG_S)]
            while "session.created" in events[-1].values():
                events.append(await it.receive_json(timeout=HANG_S))
            assert "error" in events[-1] or events[-1]["header"]["event"] == "task-failed", what
        assert [it for it in caplog.records if it.levelno >= logging.WARNING] == [], what
