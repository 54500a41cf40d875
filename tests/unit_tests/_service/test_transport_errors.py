"""Connections that break, and what is no HTTP: one error each, in every way to call."""

from __future__ import annotations

import itertools
import json
import re
import socket
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import aiohttp
import httpx
import pytest

from langchain_qwen_audio import ChatQwenAudio, errors
from langchain_qwen_audio._service import retries
from langchain_qwen_audio._service.transport_errors import translated, was_never_sent
from langchain_qwen_audio.local import END, RESET, LocalDashScope, RawReply
from tests.unit_tests.calling_modes import ainvoke, astream, invoke, stream
from tests.unit_tests.faults import (
    JSON,
    LONG,
    Fault,
    assert_outcome,
    broken,
    event,
    every_call,
    every_way,
    passing,
    replying,
    sse,
)
from tests.unit_tests.rows import each_row, every_mode, two_modes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit_tests.conftest import CallModel

A, B = event("a"), event("b")
AB = broken(errors.StreamInterruptedError, "ab")
CONNECTION = passing(errors.APIConnectionError, "connection")
BREAKS = {
    "reset before the first byte": every_way(RawReply(steps=[RESET]), CONNECTION),
    "closed before the first byte": every_way(RawReply(steps=[END]), CONNECTION),
    "closed before the first event": Fault(sse(b"", END), streamed=CONNECTION),
    "closed in mid-stream": Fault(sse(A, B, END), streamed=AB),
    "closed in mid-body": Fault(RawReply(200, JSON, [LONG[:99], END]), whole=CONNECTION),
    "a body shorter than its content-length": Fault(
        RawReply(200, {**JSON, "content-length": "999"}, [LONG, END]), whole=CONNECTION
    ),
}


@every_call(BREAKS)
def test_a_connection_that_breaks_has_one_outcome(
    monkeypatch: pytest.MonkeyPatch, fault: Fault, way: CallModel
) -> None:
    monkeypatch.setattr(retries, "FIRST_BACKOFF_S", 0.001)
    assert_outcome(fault, way, max_retries=1)


SAID = b"content-type: text/event-stream\r\n"
BELOW = {
    "no HTTP": b"garbage garbage\r\n\r\n",
    "a body that is no gzip": (
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n%scontent-length: 5\r\n\r\nabcde"
    ),
    "a chunk without a size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n%s\r\nzz\r\nabc",
    "a head cut off": b"HTTP/1.1 200 OK\r\n%s",
}


@two_modes
@each_row("said", BELOW)
def test_what_is_no_http_is_an_error(call_model: CallModel, said: bytes) -> None:
    # Some of it could be the beginning of more, and so is awaited for as long as the timeout says.
    with replying(said.replace(b"%s", SAID)) as base_url:
        model = ChatQwenAudio(base_url=base_url, api_key="local", timeout=0.3, max_retries=0)
        with pytest.raises((errors.APIError, errors.APIConnectionError)) as caught:
            call_model(model, "?")
    assert caught.value.message.strip()


@every_mode
def test_what_is_no_http_is_not_repeated_at_length(call_model: CallModel) -> None:
    with replying(b"HTTP/1.1 200 OK\r\nx" + b"y" * 20_000 + b"\r\n\r\n") as base_url:
        model = ChatQwenAudio(base_url=base_url, api_key="local", max_retries=0)
        with pytest.raises(errors.APIConnectionError, match="the connection broke") as caught:
            call_model(model, "?")
    assert len(str(caught.value)) < 400


@two_modes
@each_row("base_url", ["nonsense", "ftp://127.0.0.1/api/v1"])
def test_an_address_that_is_none_is_an_error(call_model: CallModel, base_url: str) -> None:
    with pytest.raises(errors.QwenAudioError):
        call_model(ChatQwenAudio(base_url=base_url, api_key="local", max_retries=0), "?")


# --- the key ----------------------------------------------------------------------------------

KEY = "sk-0123456789abcdef"


def held_in(error: BaseException | None) -> str:
    """Collect all that an error and those that led to it show or hold."""
    if error is None:
        return ""
    own = f"{error} {error!r} {vars(error)} {error.args}"
    return own + held_in(error.__cause__) + held_in(error.__context__)


def read_broken_json() -> None:
    try:
        json.loads(f'{{"key": "{KEY}"')  # the error holds the text, as `doc`
    except json.JSONDecodeError as error:
        raise httpx.DecodingError("no JSON") from error


def test_the_key_is_not_in_the_json_that_an_error_is_about() -> None:
    with pytest.raises(errors.APIConnectionError, match="no JSON") as caught, translated(KEY, "m"):
        read_broken_json()
    assert KEY not in held_in(caught.value)


@two_modes
@each_row("status", [200, 400, 500])
def test_a_broken_reply_that_repeats_the_key_is_shown_without_it(
    call_model: CallModel, status: int
) -> None:
    reply = RawReply(status, JSON, [f'{{"code": "{KEY}", "message": "{KEY}'.encode()])
    with (
        LocalDashScope(reply=reply, api_keys=[KEY]) as server,
        pytest.raises(errors.QwenAudioError) as caught,
    ):
        call_model(ChatQwenAudio(base_url=server.base_url, api_key=KEY, max_retries=0), "?")
    assert KEY not in held_in(caught.value)


def caused(*causes: BaseException) -> BaseException:
    """Chain errors, the last one at the bottom."""
    for error, cause in itertools.pairwise(causes):
        error.__cause__ = cause
    return causes[0]


SENT: dict[str, tuple[tuple[BaseException, ...], bool]] = {
    "refused": ((httpx.ConnectError("no"),), False),
    "no answer to a connection": ((httpx.ConnectTimeout("no"),), False),
    "no free connection": ((httpx.PoolTimeout("no"),), False),
    "broken later": ((httpx.ReadError("no"),), True),
    "aiohttp: refused": (
        (httpx.ConnectError("no"), aiohttp.ClientConnectorError(Mock(), OSError())),
        False,
    ),
    "aiohttp: no answer to a connection": (
        (httpx.TimeoutException("no"), aiohttp.ConnectionTimeoutError()),
        False,
    ),
    "aiohttp: broken later, and called a timeout of connecting": (
        (httpx.ConnectTimeout("no"), aiohttp.ServerDisconnectedError()),
        True,
    ),
}


@each_row("causes, may_be_sent", SENT)
def test_a_request_was_never_sent_where_no_connection_came_about(
    causes: tuple[BaseException, ...], *, may_be_sent: bool
) -> None:
    assert was_never_sent(caused(errors.APIConnectionError("no"), *causes)) != may_be_sent


# --- no connection at all -----------------------------------------------------------------------


def free_port() -> int:
    """Find a port on which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


def look_up(host: str, *more: Any, **named: Any) -> Any:
    """Look up a name as a resolver does that does not know it; no other resolver is asked."""
    if host == "unknown.invalid":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return LOOK_UP(host, *more, **named)


LOOK_UP = socket.getaddrinfo
UNREACHABLE: dict[str, tuple[Callable[[str], str], str]] = {
    "refused": (lambda _: f"http://127.0.0.1:{free_port()}/v1", "Connection refused"),
    "an unknown host": (lambda _: "http://unknown.invalid/v1", "Name or service not known"),
    "TLS to a plain port": (lambda plain: plain.replace("http:", "https:"), "SSL"),
}


@pytest.mark.parametrize(("address", "reason"), UNREACHABLE.values(), ids=UNREACHABLE)
def test_a_connection_that_cannot_be_made_is_no_timeout_in_any_way_to_call(
    monkeypatch: pytest.MonkeyPatch, address: Callable[[str], str], reason: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with LocalDashScope(reply="ok") as plain:
        model = ChatQwenAudio(base_url=address(plain.base_url), api_key="local", max_retries=0)
        told = {message_of_failure(way, model) for way in (invoke, ainvoke, stream, astream)}
    (message,) = told
    assert re.fullmatch(f"no connection: .*({reason}).*", message)
    assert "timed out" not in message


def message_of_failure(way: CallModel, model: ChatQwenAudio) -> str:
    with pytest.raises(errors.APIConnectionError) as caught:
        way(model, "?")
    return caught.value.message
