"""Redirects are not followed: the key and the audio go where base_url says, and nowhere else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio.local import LocalDashScope, RawReply
from tests.unit_tests.calling_modes import ainvoke, astream, invoke, stream
from tests.unit_tests.recordings import fresh_tone, question_about
from tests.unit_tests.rows import each_row, two_modes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit_tests.calling_modes import CallModel

KEY = "sk-0123456789abcdef"
SETTINGS: dict[str, Any] = {"api_key": KEY, "max_retries": 0}
STATUSES = [301, 302, 303, 307, 308]


@pytest.fixture
def elsewhere() -> Iterator[LocalDashScope]:
    """Another host, to which the service redirects."""
    with LocalDashScope(reply="ok") as server:
        yield server


def redirect_to(server: LocalDashScope, status: int) -> RawReply:
    path = "/services/aigc/multimodal-generation/generation"
    return RawReply(status, {"location": server.base_url + path}, [b"moved"])


def outcome(way: CallModel, model: ChatQwenAudio) -> str:
    with pytest.raises(errors.QwenAudioError) as caught:
        way(model, "?")
    return f"{type(caught.value).__name__} {caught.value.is_retryable} {caught.value.message}"


@each_row("status", STATUSES)
def test_a_redirect_is_one_error_in_all_modes(elsewhere: LocalDashScope, status: int) -> None:
    with LocalDashScope(reply=redirect_to(elsewhere, status)) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key=KEY, max_retries=0)
        told = {way.__name__: outcome(way, model) for way in (invoke, ainvoke, stream, astream)}
        assert len(server.requests) == 4
    (message,) = set(told.values())
    assert f"it redirects to {elsewhere.base_url}" in message
    assert elsewhere.requests == []


@two_modes
@each_row("status", STATUSES)
def test_a_redirect_of_an_upload_is_not_followed(
    call_model: CallModel, server: LocalDashScope, elsewhere: LocalDashScope, status: int
) -> None:
    server.script_policy(redirect_to(elsewhere, status))
    model = ChatQwenAudio(
        base_url=server.base_url, api_key=KEY, max_retries=0, audio_transport="upload"
    )
    with pytest.raises(errors.QwenAudioError, match="it redirects to"):
        call_model(model, question_about(Audio.from_array(fresh_tone(), 16_000)))
    assert [request.kind for request in server.requests] == ["policy"]
    assert elsewhere.requests == []


@each_row("status", STATUSES)
@each_row("is_async", [False, True])
def test_a_users_own_client_may_follow_redirects_and_does_not_take_the_key_along(
    elsewhere: LocalDashScope, status: int, is_async: bool
) -> None:
    async def acall(base_url: str) -> None:
        async with httpx.AsyncClient(follow_redirects=True, verify=False) as http:
            model = ChatQwenAudio(base_url=base_url, http_async_client=http, **SETTINGS)
            with pytest.raises(errors.QwenAudioError):  # of a request without a key
                await model.ainvoke("?")

    def call(base_url: str) -> None:
        with httpx.Client(follow_redirects=True, verify=False) as http:
            model = ChatQwenAudio(base_url=base_url, http_client=http, **SETTINGS)
            with pytest.raises(errors.QwenAudioError):
                model.invoke("?")

    with LocalDashScope(reply=redirect_to(elsewhere, status)) as server:
        asyncio.run(acall(server.base_url)) if is_async else call(server.base_url)
    (followed,) = elsewhere.requests
    assert KEY not in str(followed.headers)
