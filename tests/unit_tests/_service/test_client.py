"""Between here and the service: proxies, certificates, kept connections, absent hosts."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import trustme

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio.local import END, RESET, LocalDashScope, RawReply, error_reply
from tests.unit_tests.programs import run_forked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit_tests.conftest import CallModel

WAYS = ("invoke", "stream", "ainvoke", "astream")
calling_modes = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


# --- what is between --------------------------------------------------------------------------


@dataclass
class Middle:
    """Something that listens on loopback and passes bytes on: to one target, or as an HTTP proxy.

    Attributes:
        target: Host and port to connect to; None for a proxy, whose clients say it.
        tls: What to speak TLS with to the client.
        heads: The request heads that a proxy was sent.
        is_open: Whether it listens from the beginning, and not only after `open()`.
    """

    target: tuple[str, int] | None = None
    tls: ssl.SSLContext | None = None
    heads: list[str] = field(default_factory=list)
    clients: list[socket.socket] = field(default_factory=list)
    is_open: bool = True

    def __enter__(self) -> Self:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        if self.is_open:
            self.open()
        return self

    def open(self) -> None:
        self._listener.listen()
        self._start(self._accept)

    def __exit__(self, *exc_info: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_clients()
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def drop_clients(self) -> None:
        """Close all connections, the way a server does with idle ones."""
        while self.clients:
            client = self.clients.pop()
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._start(self._handle, client)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _handle(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(client)
            if self.tls:
                client = stack.enter_context(self.tls.wrap_socket(client, server_side=True))
            self.clients.append(client)
            first, address = (b"", self.target) if self.target else self._receive_head(client)
            if address is None:
                return
            server = stack.enter_context(socket.create_connection(address))
            server.sendall(first)
            self._start(_pump, server, client)
            _pump(client, server)

    def _receive_head(self, client: socket.socket) -> tuple[bytes, tuple[str, int] | None]:
        """Read where a proxy's client wants to go, and what to begin with there."""
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(65_536)
            if not piece:
                return b"", None
            head += piece
        self.heads.append(head.partition(b"\r\n\r\n")[0].decode())
        method, address, _ = head.split(b" ", 2)
        if method == b"CONNECT":
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            host, _, port = address.decode().rpartition(":")
            return b"", (_resolve(host), int(port))
        # One request a connection is enough for a proxy this small.
        url = urlsplit(address.decode())
        origin = f"http://{url.netloc}".encode()
        head = head.replace(b" " + origin, b" ", 1).replace(
            b"\r\n", b"\r\nConnection: close\r\n", 1
        )
        assert url.hostname is not None
        assert url.port is not None
        return head, (_resolve(url.hostname), url.port)


NAME = "service.example"  # of this machine, which is never reached through a proxy by its address


def _resolve(host: str) -> str:
    return "127.0.0.1" if host == NAME else host


def named(url: str) -> str:
    return url.replace("127.0.0.1", NAME)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Authority:
    """A certificate authority of our own, and a certificate of 127.0.0.1 that it signed."""

    ca_file: Path
    server_tls: ssl.SSLContext

    @classmethod
    def make(cls, folder: Path) -> Self:
        ca, ca_file = trustme.CA(), folder / "ca.pem"
        ca.cert_pem.write_to_path(str(ca_file))
        server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1", NAME).configure_cert(server_tls)
        return cls(ca_file, server_tls)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def proxy() -> Iterator[Middle]:
    with Middle() as proxy:
        yield proxy


def port_of(server: LocalDashScope) -> int:
    return int(server.base_url.rpartition(":")[2].partition("/")[0])


@pytest.fixture
def tls_server(server: LocalDashScope, authority: Authority) -> Iterator[Middle]:
    """The local test server behind TLS."""
    with Middle(("127.0.0.1", port_of(server)), authority.server_tls) as middle:
        yield middle


# --- the environment: the pools read it when they are made, so each program has its own --------

PROGRAM = """
import asyncio, json, sys
from langchain_qwen_audio import ChatQwenAudio, errors

model = ChatQwenAudio(base_url=sys.argv[1], api_key="the-key", max_retries=0)
ways = {
    "invoke": lambda: model.invoke("?").text,
    "stream": lambda: "".join(chunk.text for chunk in model.stream("?")),
    "ainvoke": lambda: asyncio.run(model.ainvoke("?")).text,
    "astream": lambda: asyncio.run(astream()),
}
async def astream():
    return "".join([chunk.text async for chunk in model.astream("?")])
def told(call_model):
    try:
        return call_model()
    except errors.QwenAudioError as error:
        return f"{type(error).__name__}: {error}"
print(json.dumps({name: told(ways[name]) for name in sys.argv[2:]}))
"""
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.lower().endswith("_proxy") and not name.startswith(("SSL_", "DASHSCOPE_"))
}


def ask_in_every_way(base_url: str, **environment: str) -> dict[str, str]:
    """Ask in a process with that environment; return the answer or the error of each way."""
    output = run_forked(PROGRAM, base_url, *WAYS, environment=ENVIRONMENT | environment)
    told: dict[str, str] = json.loads(output)
    return told


ALL_OK = dict.fromkeys(WAYS, "ok")


@pytest.mark.parametrize("name", ["HTTP_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_used(
    server: LocalDashScope, proxy: Middle, name: str
) -> None:
    assert ask_in_every_way(named(server.base_url), **{name: proxy.url}) == ALL_OK
    assert len(proxy.heads) == len(server.requests) == 4
    for head in proxy.heads:
        assert head.startswith(f"POST {named(server.base_url)}/")


SECRET = base64.b64encode(b"m@e:se:cret/").decode().lower()


def test_credentials_for_a_proxy_are_sent_to_it(server: LocalDashScope, proxy: Middle) -> None:
    address = f"http://m%40e:se%3Acret%2F@127.0.0.1:{proxy.port}"
    assert ask_in_every_way(named(server.base_url), HTTP_PROXY=address) == ALL_OK
    told = [head.lower().count(f"proxy-authorization: basic {SECRET}") for head in proxy.heads]
    assert told == [1] * 4


@pytest.mark.parametrize("exempt", ["example.com,127.0.0.1", "*"])
def test_no_proxy_exempts_a_host(server: LocalDashScope, proxy: Middle, exempt: str) -> None:
    told = ask_in_every_way(server.base_url, HTTP_PROXY=proxy.url, NO_PROXY=exempt)
    assert told == ALL_OK
    assert proxy.heads == []
    assert len(server.requests) == 4


def test_an_https_proxy_tunnels_and_the_keys_of_proxy_and_service_do_not_meet(
    server: LocalDashScope, tls_server: Middle, proxy: Middle, authority: Authority
) -> None:
    told = ask_in_every_way(
        named(f"{tls_server.url}/api/v1"),
        HTTPS_PROXY=f"http://m%40e:se%3Acret%2F@127.0.0.1:{proxy.port}",
        SSL_CERT_FILE=str(authority.ca_file),
    )
    assert told == ALL_OK
    assert proxy.heads
    for head in proxy.heads:
        assert head.startswith(f"CONNECT {NAME}:{tls_server.port} ")
        assert "the-key" not in head
        assert head.lower().count(f"proxy-authorization: basic {SECRET}") == 1
    sent = [request.headers for request in server.requests]
    assert [(h["authorization"], h.get("proxy-authorization")) for h in sent] == [
        ("Bearer the-key", None)
    ] * 4


def test_a_proxy_that_is_not_there_is_a_connection_error(server: LocalDashScope) -> None:
    with refusing_port() as port:
        told = ask_in_every_way(named(server.base_url), HTTP_PROXY=f"http://127.0.0.1:{port}")
    assert {way: text.partition(":")[0] for way, text in told.items()} == dict.fromkeys(
        WAYS, "APIConnectionError"
    )
    assert server.requests == []


def test_a_ca_of_the_environment_is_trusted(tls_server: Middle, authority: Authority) -> None:
    told = ask_in_every_way(f"{tls_server.url}/api/v1", SSL_CERT_FILE=str(authority.ca_file))
    assert told == ALL_OK


def test_an_unknown_ca_is_a_connection_error_that_says_so(
    call_model: CallModel, server: LocalDashScope, tls_server: Middle
) -> None:
    model = ChatQwenAudio(base_url=f"{tls_server.url}/api/v1", api_key="local", max_retries=0)
    with pytest.raises(errors.APIConnectionError, match=r"(?i)certificate.verify.failed") as caught:
        call_model(model, "?")
    assert not isinstance(caught.value, errors.APITimeoutError)
    assert server.requests == []


# --- the user's own connections ---------------------------------------------------------------


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop for the whole of a test: httpx's own async connections live in one."""
    with asyncio.Runner() as runner:
        yield runner


@contextlib.contextmanager
def own_clients(runner: asyncio.Runner, **options: Any) -> Iterator[dict[str, Any]]:
    """Make both of a user's own clients, as fields of a model; see that they stay open."""
    options = {"verify": False, **options}  # nothing is encrypted here
    http, http_async = httpx.Client(**options), httpx.AsyncClient(**options)
    yield {"http_client": http, "http_async_client": http_async}
    assert not http.is_closed
    assert not http_async.is_closed
    http.close()
    runner.run(http_async.aclose())


def ask_about_noise() -> list[Any]:
    """Ask about a clip that nobody has uploaded before."""
    samples = np.random.default_rng().integers(-9_999, 9_999, 16_000, np.int16)
    return [("user", [Audio.from_array(samples, 16_000).to_block(), {"type": "text", "text": "?"}])]


def ask_in_turn(
    model: ChatQwenAudio, count: int, *, is_async: bool, run: Any = asyncio.run
) -> list[str]:
    """Ask so often, by turns as a call and as a stream, in one loop."""

    async def acall_model(number: int) -> str:
        if number % 2:
            return "".join([chunk.text async for chunk in model.astream("?")])
        return (await model.ainvoke("?")).text

    async def aask_all() -> list[str]:
        return [await acall_model(number) for number in range(count)]

    def call_model(number: int) -> str:
        if number % 2:
            return "".join(chunk.text for chunk in model.stream("?"))
        return model.invoke("?").text

    answers: list[str]
    answers = run(aask_all()) if is_async else [call_model(number) for number in range(count)]
    return answers


@calling_modes
def test_the_users_own_proxy_and_headers_are_used(
    server: LocalDashScope, proxy: Middle, is_async: bool, runner: asyncio.Runner
) -> None:
    with own_clients(runner, proxy=proxy.url, headers={"x-mine": "yes"}, trust_env=False) as own:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local", **own)
        assert ask_in_turn(model, 4, is_async=is_async, run=runner.run) == ["ok"] * 4
    assert len(proxy.heads) == 4
    assert [request.headers.get("x-mine") for request in server.requests] == ["yes"] * 4


@calling_modes
def test_the_users_own_ca_is_used(
    tls_server: Middle, authority: Authority, is_async: bool, runner: asyncio.Runner
) -> None:
    trusting = ssl.create_default_context(cafile=authority.ca_file)
    with own_clients(runner, verify=trusting, trust_env=False) as own:
        model = ChatQwenAudio(base_url=f"{tls_server.url}/api/v1", api_key="local", **own)
        assert ask_in_turn(model, 2, is_async=is_async, run=runner.run) == ["ok"] * 2


@calling_modes
def test_an_upload_goes_through_the_users_own_client(
    server: LocalDashScope, proxy: Middle, is_async: bool, runner: asyncio.Runner
) -> None:
    messages = ask_about_noise()
    with own_clients(runner, proxy=proxy.url, trust_env=False) as own:
        model = ChatQwenAudio(
            base_url=server.base_url, api_key="local", audio_transport="upload", **own
        )
        answer = runner.run(model.ainvoke(messages)) if is_async else model.invoke(messages)
        assert answer.text == "ok"
    assert [request.kind for request in server.requests] == ["policy", "upload", "generation"]
    assert len(proxy.heads) == 3


def radio(seconds: float) -> Iterator[int]:
    """Serve, on a port of its own, a reply that takes so long, a byte every tenth of a second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def play() -> None:
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):  # it may be left alone before the end
                client.recv(65_536)
                client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")
                for _ in range(round(10 * seconds)):
                    time.sleep(0.1)
                    client.sendall(b".")

        thread = threading.Thread(target=play)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


@calling_modes
def test_the_users_own_client_is_left_as_it_came(
    server: LocalDashScope, is_async: bool, runner: asyncio.Runner
) -> None:
    with (
        own_clients(runner, trust_env=False) as own,
        contextlib.contextmanager(radio)(0.3) as port,
    ):
        http = own["http_async_client" if is_async else "http_client"]
        transport, before = http._transport, {**vars(http), **http.headers}
        model = ChatQwenAudio(base_url=server.base_url, api_key="the-key", **own)
        ask_in_turn(model, 6, is_async=is_async, run=runner.run)
        getting = http.post(f"http://127.0.0.1:{port}/v1/chat/completions")
        response: httpx.Response = runner.run(getting) if is_async else getting
        assert response.text == "." * 3
        assert "authorization" not in response.request.headers
        assert http.event_hooks == {"request": [], "response": []}
        assert {**vars(http), **http.headers, "_state": before["_state"]} == before
        assert http._transport is transport


def test_a_closed_client_of_the_users_own_says_so(
    call_model: CallModel, server: LocalDashScope, runner: asyncio.Runner
) -> None:
    with own_clients(runner) as own:
        pass
    model = ChatQwenAudio(base_url=server.base_url, api_key="local", **own)
    with pytest.raises((RuntimeError, errors.QwenAudioError), match="closed"):
        call_model(model, "?")
    assert server.requests == []


# --- kept connections -------------------------------------------------------------------------


@calling_modes
def test_twenty_calls_in_turn_share_one_connection(server: LocalDashScope, is_async: bool) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key="local")
    server.script("ok", "ok", error_reply(429, "Throttling", "?", headers={"retry-after-ms": "1"}))
    assert ask_in_turn(model, 20, is_async=is_async) == ["ok"] * 20
    assert len(server.requests) == 21
    assert server.connections_accepted == 1


@calling_modes
def test_a_kept_connection_that_was_closed_meanwhile_fails_nobody(
    server: LocalDashScope, is_async: bool
) -> None:
    answers = []
    with Middle(("127.0.0.1", port_of(server))) as middle:
        model = ChatQwenAudio(base_url=f"{middle.url}/api/v1", api_key="local")

        async def acall_model() -> None:
            for _ in range(5):
                answers.append((await model.ainvoke("?")).text)
                middle.drop_clients()

        if is_async:
            asyncio.run(acall_model())
        else:
            for _ in range(5):
                answers.append(model.invoke("?").text)
                middle.drop_clients()
    assert answers == ["ok"] * 5
    assert len(server.requests) == 5


@calling_modes
def test_a_connection_that_breaks_as_it_is_used_again_is_retried(
    server: LocalDashScope, is_async: bool
) -> None:
    # The request meets a server that has just decided to close the connection.
    model = ChatQwenAudio(base_url=server.base_url, api_key="local")
    server.script("ok", RawReply(steps=[END]), "ok", RawReply(steps=[RESET]))
    assert ask_in_turn(model, 3, is_async=is_async) == ["ok"] * 3
    assert len(server.requests) == 5


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize("slashes", ["/", "//"])
def test_a_slash_at_the_end_of_the_address_does_not_matter(
    call_model: CallModel, server: LocalDashScope, slashes: str
) -> None:
    model = ChatQwenAudio(
        base_url=server.base_url + slashes, api_key="local", audio_transport="upload"
    )
    assert call_model(model, ask_about_noise()).text == "ok"
    assert [request.kind for request in server.requests] == ["policy", "upload", "generation"]


@contextlib.contextmanager
def refusing_port() -> Iterator[int]:
    """Hold a port that nobody listens at, so that no other test comes to listen there meanwhile."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def model_at_port(port: int, **fields: Any) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=f"http://127.0.0.1:{port}/api/v1", api_key="local", **fields)


def test_a_host_that_does_not_exist_is_a_connection_error(call_model: CallModel) -> None:
    model = ChatQwenAudio(base_url="http://no.such.host.invalid/api/v1", api_key="k", max_retries=0)
    with pytest.raises(errors.APIConnectionError) as caught:
        call_model(model, "?")
    assert not isinstance(caught.value, errors.APITimeoutError)
    assert caught.value.__cause__ is not None


def test_a_refused_connection_is_a_connection_error(call_model: CallModel) -> None:
    with refusing_port() as port, pytest.raises(errors.APIConnectionError) as caught:
        call_model(model_at_port(port, max_retries=0), "?")
    assert not isinstance(caught.value, errors.APITimeoutError)
    assert caught.value.is_retryable


def test_a_server_that_comes_back_is_found_by_a_retry(
    call_model: CallModel, server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    def open_at_first_retry(_: logging.LogRecord) -> bool:
        middle.open()
        return True

    logger = logging.getLogger("langchain_qwen_audio._service.retries")
    caplog.set_level(logging.INFO, logger.name)
    with Middle(("127.0.0.1", port_of(server)), is_open=False) as middle:
        logger.addFilter(open_at_first_retry)
        try:
            assert call_model(model_at_port(middle.port), "?").text == "ok"
        finally:
            logger.removeFilter(open_at_first_retry)
    assert len(server.requests) == 1
