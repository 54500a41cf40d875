"""A user and a password in base_url: one header in all modes, in place of the one with the key."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import httpx
import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._live.address import live_address
from langchain_qwen_audio._service.basic_auth import with_basic_auth
from langchain_qwen_audio.errors import AuthenticationError, InvalidRequestError
from tests.unit_tests.recordings import fresh_tone, question_about
from tests.unit_tests.rows import each_row, every_mode

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

KEY = {"authorization": "Bearer key"}
HEADER = "Basic bcO8Ojpw"  # "mü", ":p"


def named(base_url: str) -> str:
    return base_url.replace("http://", "http://m%C3%BC:%3Ap@")


@each_row("userinfo", ["me:secret", "me", ":secret", "m%40e:%3Ap", "mü:ß", "", ":"])
def test_the_header_is_the_one_of_httpx(userinfo: str) -> None:
    url, headers = with_basic_auth(f"http://{userinfo}@host/api/v1?a=b@c", KEY)
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answer), headers=KEY) as http:
        http.get(f"http://{userinfo}@host/api/v1?a=b@c")
    assert headers.get("Authorization", KEY["authorization"]) == sent[0].headers["authorization"]
    assert len({name.lower() for name in headers}) == len(headers)
    assert "secret" not in url


@each_row("url", ["http://host/@", "http://host/?a@b", "https://host:1/#@"])
def test_a_url_without_them_is_left_as_it_is(url: str) -> None:
    assert with_basic_auth(url, KEY) == (url, KEY)


def test_all_modes_send_the_same_header(
    call_model: CallModel, server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model = ChatQwenAudio(base_url=named(server.base_url), api_key="local", max_retries=0)
    with pytest.raises(AuthenticationError):  # the local server takes keys alone
        call_model(model, "?")
    assert [it.headers["authorization"] for it in server.requests] == [HEADER]
    assert "%3Ap" not in caplog.text  # httpx logs URLs


@every_mode
def test_uploads_send_the_same_header(call_model: CallModel, server: LocalDashScope) -> None:
    model = ChatQwenAudio(
        base_url=named(server.base_url), api_key="local", max_retries=0, audio_transport="upload"
    )
    with pytest.raises(AuthenticationError):
        call_model(model, question_about(Audio.from_array(fresh_tone(), 16_000)))
    assert [(it.kind, it.headers["authorization"]) for it in server.requests] == [
        ("policy", HEADER)
    ]


def test_live_sessions_send_the_same_header(server: LocalDashScope) -> None:
    model = ChatQwenAudio(base_url=named(server.base_url), api_key="local")
    address = live_address(model)
    assert address.headers["Authorization"] == HEADER
    assert address.url.startswith(server.base_url.replace("http", "ws").removesuffix("/api/v1"))


def test_an_address_without_live_sessions_is_named_without_the_password() -> None:
    model = ChatQwenAudio(base_url="http://me:secret@host/v1", api_key="local")
    with pytest.raises(InvalidRequestError, match="base_url is 'http://host/v1'"):
        live_address(model)
