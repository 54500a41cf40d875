"""Live sessions over TLS: certificates, and proxies."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest
import trustme

from langchain_qwen_audio._certificates import ssl_context
from langchain_qwen_audio.errors import APIConnectionError
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.rows import each_row

from .conversations import end_of, live_model, read_answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path
    from typing import TypeAlias

    Serve: TypeAlias = Callable[
        [asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]
    ]

NAME = "service.example"  # of this machine; an address is never reached through a proxy
KEY = "sk-swordfish-0123456789"
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Authority(NamedTuple):
    """A certificate authority, and the file that users would name."""

    ca: trustme.CA
    file: Path

    def serve(self, name: str, until: dt.datetime | None = None) -> ssl.SSLContext:
        """Make what a server of this name speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name, not_after=until).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca, file = trustme.CA(), tmp_path_factory.mktemp("authority") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Trust the authorities of a file, as a process does that begins with this environment."""

    def trust(file: Path) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        ssl_context.cache_clear()

    yield trust
    ssl_context.cache_clear()


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int | None
) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_pump(reader, back), _pump(there, writer))


@contextlib.asynccontextmanager
async def serving(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve connections, up to their ends; yield the port."""
    tasks: list[asyncio.Task[None]] = []

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def behind_tls(server: LocalDashScope, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """Serve the local test server over TLS, too; yield the port."""
    port = urlsplit(server.base_url).port
    async with serving(lambda reader, writer: _join(reader, writer, port), tls) as front:
        yield front


async def test_a_session_over_tls_trusts_the_authorities_of_the_environment(
    server: LocalDashScope, authority: Authority, trust: Callable[[Path], None]
) -> None:
    trust(authority.file)
    async with behind_tls(server, authority.serve("127.0.0.1")) as port:
        model = live_model(server, base_url=f"https://127.0.0.1:{port}/api/v1")
        async with model.session(turn_detection=None) as session:
            await session.send_text("?")
            assert end_of(await read_answer(session)).message.text == "ok"


@each_row(
    "certified, reason",
    [
        (("127.0.0.1", None), "unable to get local issuer certificate"),
        (("127.0.0.2", None), "IP address mismatch"),
        (("127.0.0.1", PAST), "certificate has expired"),
    ],
)
async def test_a_wrong_certificate_is_refused_before_the_key_is_sent(
    server: LocalDashScope,
    authority: Authority,
    trust: Callable[[Path], None],
    certified: tuple[str, dt.datetime | None],
    reason: str,
) -> None:
    if "issuer" not in reason:
        trust(authority.file)
    async with behind_tls(server, authority.serve(*certified)) as port:
        address = f"https://127.0.0.1:{port}/api/v1"
        model = live_model(server, base_url=address, api_key=KEY, max_retries=0)
        with pytest.raises(APIConnectionError, match=r"no connection: .*certificate") as caught:
            await model.session().__aenter__()
    assert reason in str(caught.value)
    assert server.live_sessions == []
    assert server.requests == []


async def test_a_session_over_tls_goes_through_a_tunnel_and_the_proxy_has_no_key(
    server: LocalDashScope,
    authority: Authority,
    trust: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        heads.append(head)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join(reader, writer, int(head.split()[1].rpartition(":")[2]))

    trust(authority.file)
    async with (
        behind_tls(server, authority.serve(NAME)) as port,
        serving(serve) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy}")
        model = live_model(server, base_url=f"https://{NAME}:{port}/api/v1", api_key=KEY)
        async with model.session(turn_detection=None) as session:
            await session.send_text("?")
            assert end_of(await read_answer(session)).message.text == "ok"
    (head,) = heads
    assert head.startswith(f"CONNECT {NAME}:{port} ")
    assert KEY not in head
    (record,) = server.live_sessions
    assert record.request.headers["authorization"] == f"Bearer {KEY}"
