"""Bytes after a reply are no reply: the next request has a connection and an answer of its own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest
import trustme

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._service import aiohttp_client
from langchain_qwen_audio._service.time_limits import CallTimeout
from tests.unit_tests.rows import each_row
from tests.unit_tests.sockets import http, raw_server
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.unit_tests.sockets import Step

OTHER = http("of another account")
LEFT: dict[str, bytes] = {
    "a reply": OTHER,
    "a part of its head": OTHER[:20],
    "a head without its body": OTHER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
    "a reply that is large": OTHER + b"." * 100_000,
    "no HTTP": b"garbage",
}


def ask_twice(base_url: str, between: Callable[[], object] = lambda: None, **own: Any) -> list[str]:
    model = ChatQwenAudio(base_url=base_url, api_key="local", max_retries=0, **own)
    first = model.invoke("?").text
    between()
    return [first, model.invoke("?").text]


async def aask_twice(
    base_url: str, between: Callable[[], object] = lambda: None, **own: Any
) -> list[str]:
    model = ChatQwenAudio(base_url=base_url, api_key="local", max_retries=0, **own)
    first = (await model.ainvoke("?")).text
    await asyncio.to_thread(between)
    return [first, (await model.ainvoke("?")).text]


async def aask_twice_by_httpx(
    base_url: str, between: Callable[[], object] = lambda: None, **options: Any
) -> list[str]:
    async with httpx.AsyncClient(**{"verify": False, **options}) as own:
        return await aask_twice(base_url, between, http_async_client=own)


ways = pytest.mark.parametrize(
    "ask",
    [
        ask_twice,
        lambda *given: asyncio.run(aask_twice(*given)),
        lambda *given: asyncio.run(aask_twice_by_httpx(*given)),
    ],
    ids=["sync", "async", "a user's own async client"],
)


@dataclass
class Idle:
    """What a server sends on a connection after the client has its answer."""

    left: bytes
    is_answered: threading.Event = field(default_factory=threading.Event)
    is_sent: threading.Event = field(default_factory=threading.Event)

    def steps(self, reply: bytes) -> list[Step]:
        return [reply, lambda: self.is_answered.wait(HANG_S), self.left, self.is_sent.set]

    def send(self) -> None:
        self.is_answered.set()
        assert self.is_sent.wait(HANG_S)


@ways
@each_row("left", [OTHER, LEFT["a head without its body"]])
def test_bytes_that_come_with_a_reply_are_not_the_next_reply(ask: Any, left: bytes) -> None:
    with raw_server([http("first") + left], [http("second")]) as server:
        assert ask(server.base_url) == ["first", "second"]
        assert server.connections == 2


@ways
@each_row("left", LEFT)
def test_bytes_that_come_while_a_connection_is_idle_are_not_the_next_reply(
    ask: Any, left: bytes
) -> None:
    idle = Idle(left)
    with raw_server(idle.steps(http("first")), [http("second")]) as server:
        assert ask(server.base_url, idle.send) == ["first", "second"]
        assert server.connections == 2


async def test_bytes_that_the_loop_has_not_read_yet_are_not_the_next_reply() -> None:
    idle, timeout = Idle(OTHER), CallTimeout(HANG_S)
    with raw_server(idle.steps(http("first")), [http("second")]) as server:
        async with contextlib.aclosing(aiohttp_client.AiohttpClient()) as client:
            first = await client.request("GET", server.base_url, timeout=timeout)
            idle.send()  # while the loop stands still
            second = await client.request("GET", server.base_url, timeout=timeout)
        assert b"first" in first.content
        assert b"second" in second.content
        assert server.connections == 2


@ways
def test_a_connection_without_such_bytes_is_used_again(ask: Any) -> None:
    with raw_server([http("first")], [http("second")]) as server:
        assert ask(server.base_url) == ["first", "second"]
        assert server.connections == 1


# --- over TLS, where a record may have been received and not been read ------------------------


@dataclass
class TlsServer:
    """Answers the first request with two replies, in two records of one packet."""

    tls: ssl.SSLContext
    base_url: str = ""
    connections: int = 0
    replies: Iterator[list[bytes]] = field(
        default_factory=lambda: iter([[http("first"), OTHER], [http("second")]])
    )

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        # It may be cancelled with its loop, which asyncio would report as an error of a task.
        ends = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*ends):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                (length,) = re.findall(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length))
                writer.writelines(next(self.replies))
        writer.close()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0, ssl=self.tls)
        self.base_url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1"
        yield self
        server.close()  # not waited for: the clients keep their connections


async def ask_in_a_thread(base_url: str, trusted: ssl.SSLContext) -> list[str]:
    with httpx.Client(verify=trusted) as own:
        return await asyncio.to_thread(functools.partial(ask_twice, base_url, http_client=own))


@pytest.mark.parametrize(
    "ask",
    [
        ask_in_a_thread,
        lambda base_url, _: aask_twice(base_url),
        lambda base_url, trusted: aask_twice_by_httpx(base_url, verify=trusted),
    ],
    ids=["sync", "async", "a user's own async client"],
)
async def test_a_record_after_a_reply_is_not_the_next_reply(
    ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    monkeypatch.setattr(aiohttp_client, "ssl_context", lambda: trusted)
    async with TlsServer(tls).serving() as server:
        assert await ask(server.base_url, trusted) == ["first", "second"]
        assert server.connections == 2
