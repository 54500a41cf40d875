"""Bytes after a reply are no reply: the next request has a connection and an answer of its own."""

from __future__ import annotations

from langchain_qwen_audio import ChatQwenAudio
from tests.unit_tests.sockets import http, raw_server


def test_bytes_after_a_reply_are_not_the_next_reply() -> None:
    with raw_server([http("first") + http("of another account")], [http("second")]) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local")
        assert [model.invoke("?").text for _ in range(2)] == ["first", "second"]
        assert server.connections == 2


async def test_bytes_after_a_reply_are_not_the_next_reply_async() -> None:
    with raw_server([http("first") + http("of another account")], [http("second")]) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local")
        assert [(await model.ainvoke("?")).text for _ in range(2)] == ["first", "second"]
        assert server.connections == 2


def test_a_connection_without_such_bytes_is_used_again() -> None:
    with raw_server([http("first")], [http("second")]) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local")
        assert [model.invoke("?").text for _ in range(2)] == ["first", "second"]
        assert server.connections == 1
