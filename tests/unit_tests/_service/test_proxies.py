"""Which way a request takes in the environments that people have, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import socketserver
import threading
from typing import TYPE_CHECKING

import httpx
import pytest

from langchain_qwen_audio._service.proxies import EnvironmentProxy, Proxies, naming_proxy
from tests.unit_tests.programs import run_forked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_qwen_audio.local import LocalDashScope

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
NOWHERE = "127.0.0.1:9"
SERVICE = "http://service.example"  # which only a proxy of these tests can reach


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# --- the rules --------------------------------------------------------------------------------

# NO_PROXY, and the hosts that it does and does not exclude.
EXCLUSIONS: dict[str, tuple[list[str], list[str]]] = {
    "": ([], ["http://a.example/"]),
    "*": (["http://a.example/", "http://10.0.0.1/"], []),
    "example.com": (["http://example.com/", "http://b.example.com/"], ["http://myexample.com/"]),
    ".example.com": (["http://b.example.com/"], ["http://example.org/"]),
    "*.example.com": (["http://b.example.com/"], ["http://example.org/"]),
    "EXAMPLE.com , other.example": (["http://example.com/", "http://other.example/"], []),
    "a.example:8080": (["http://a.example:8080/"], ["http://a.example/", "http://a.example:1/"]),
    "a.example:80": (["http://a.example/"], ["https://a.example/"]),
    "10.0.0.1": (["http://10.0.0.1/"], ["http://10.0.0.11/", "http://110.0.0.1/"]),
    "10.0.0.0/8": (["http://10.9.8.7/"], ["http://11.0.0.1/", "http://a.example/"]),
    "2001:db8::1": (["http://[2001:db8::1]/"], ["http://[2001:db8::2]/"]),
    "[2001:db8::1]": (["http://[2001:db8::1]:99/"], ["http://[2001:db8::2]/"]),
    "[2001:db8::1]:80": (["http://[2001:db8::1]/"], ["http://[2001:db8::1]:81/"]),
    "2001:db8::/32": (["http://[2001:db8:9::1]/"], ["http://[2001:db9::1]/", "http://10.0.0.1/"]),
    "[2001:db8::]/32": (["http://[2001:db8:9::1]/"], ["http://[2001:db9::1]/"]),
    "fe80::1%eth0, [, ]:, /, ::/, http://x": (["http://[fe80::1]/"], ["http://a.example/"]),
}


@pytest.mark.parametrize("no_proxy", EXCLUSIONS)
def test_no_proxy_excludes_names_addresses_and_ranges(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    excluded, others = EXCLUSIONS[no_proxy]
    proxies = Proxies()
    assert [url for url in excluded if proxies.find(httpx.URL(url)) is not None] == []
    assert [url for url in others if proxies.find(httpx.URL(url)) is None] == []


def test_this_machine_is_never_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "proxy.example:3128")
    proxies = Proxies()
    for host in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]"):
        assert proxies.find(httpx.URL(f"http://{host}:8000/v1")) is None
    for host in ("localhost.example", "128.0.0.1", "[::2]"):
        assert proxies.find(httpx.URL(f"http://{host}:8000/v1")) is not None


def test_each_scheme_has_its_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "one.example")
    monkeypatch.setenv("ALL_PROXY", "SOCKS://user:word@two.example:1")
    proxies = Proxies()
    ways = [proxies.find(httpx.URL(f"{scheme}://a.example/")) for scheme in ("http", "https")]
    assert [way and way.url for way in ways] == [
        "http://one.example",
        "socks5://user:word@two.example:1",
    ]
    assert "word" not in str(ways[1])


# --- in the real environment ------------------------------------------------------------------

REQUEST = """
import asyncio, json, sys
from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.errors import QwenAudioError

model = ChatQwenAudio(base_url=sys.argv[1] + "/api/v1", api_key="local", max_retries=0, timeout=30)
async def drain():
    return "".join([chunk.text async for chunk in model.astream("?")])
async def download():
    return (await Audio.afrom_url("http://127.0.0.1/")).name
def outcome(way):
    try:
        return way()
    except QwenAudioError as error:
        return f"{type(error).__name__}: {error}"
print(json.dumps([outcome(way) for way in (
    lambda: model.invoke("?").text,
    lambda: "".join(chunk.text for chunk in model.stream("?")),
    lambda: asyncio.run(model.ainvoke("?")).text,
    lambda: asyncio.run(drain()),
    lambda: Audio.from_url("http://127.0.0.1/").name,
    lambda: asyncio.run(download()),
)]))
"""
FOUR = 4  # of them are requests to the model; the rest are downloads


def outcomes(address: str, before: str = "", **environment: str) -> list[str]:
    """Send requests in a process with this environment, and say what came of each."""
    everything = {**os.environ, **environment}
    ends: list[str] = json.loads(run_forked(before + REQUEST, address, environment=everything))
    return ends


HERE = {
    "no proxy": {},
    "an HTTP proxy": {"HTTP_PROXY": f"http://{NOWHERE}"},
    "a proxy in small letters": {"http_proxy": NOWHERE},
    "SOCKS, as desktops write it": {"ALL_PROXY": f"socks://{NOWHERE}"},
    "SOCKS": {"ALL_PROXY": f"socks5://{NOWHERE}", "NO_PROXY": "127.0.0.1"},
    "SOCKS 4": {"ALL_PROXY": f"socks4://{NOWHERE}"},
    "a proxy that is no URL": {"HTTP_PROXY": "http://[", "HTTPS_PROXY": "http://x:99999999"},
    "an IPv6 address": {"NO_PROXY": "[::1]", "ALL_PROXY": f"socks5h://{NOWHERE}"},
    "an IPv6 range": {"NO_PROXY": "fe80::/10,::1/128", "HTTP_PROXY": NOWHERE},
}


@pytest.mark.parametrize("environment", HERE.values(), ids=HERE)
def test_a_server_on_this_machine_is_reached_in_every_environment(
    server: LocalDashScope, environment: dict[str, str]
) -> None:
    *replies, one, other = outcomes(server.base_url.removesuffix("/api/v1"), **environment)
    assert replies == ["ok"] * FOUR
    assert one == other
    assert "it is not on the public network" in one


# What is set, and what each error says.
NOT_MADE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)


@pytest.mark.parametrize("kind", NOT_MADE)
def test_a_connection_that_a_proxy_was_to_make_names_it(kind: type[httpx.TransportError]) -> None:
    proxy = EnvironmentProxy("HTTP_PROXY", "http://u:word@proxy:1")
    with (
        pytest.raises(kind, match=r"^no \(through the proxy HTTP_PROXY=proxy:1\)$"),
        naming_proxy(proxy),
    ):
        raise kind("no")
    with pytest.raises(kind, match=r"^no$"), naming_proxy(None):
        raise kind("no")


BROKEN = {
    "SOCKS of an unknown kind": ({"ALL_PROXY": f"socks4://u:word@{NOWHERE}"}, "ALL_PROXY=.*used"),
    "a proxy that is not there": ({"HTTP_PROXY": f"http://u:word@{NOWHERE}"}, "HTTP_PROXY=127"),
    "a port that there cannot be": ({"HTTP_PROXY": "u:word@x:99999999"}, "HTTP_PROXY=x:9.*port"),
    "a URL without a host": ({"all_proxy": "http://u:word@:1"}, "all_proxy=:1.*no host"),
    "no URL": ({"HTTP_PROXY": "http://u:word@[::"}, "HTTP_PROXY="),
}


@pytest.mark.parametrize(("environment", "message"), BROKEN.values(), ids=BROKEN)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    environment: dict[str, str], message: str
) -> None:
    ends = outcomes(SERVICE, **environment)[:FOUR]
    for end in ends:
        assert end.startswith("APIConnectionError")
        assert "word" not in end
        assert re.search(message, end)


def test_socks_without_its_package_names_the_package() -> None:
    without = "import sys; sys.modules['socksio'] = None\n"
    ends = outcomes(SERVICE, without, ALL_PROXY=f"socks5://{NOWHERE}")[:FOUR]
    assert len(set(ends)) == 1
    assert "ALL_PROXY" in ends[0]
    assert "pip install 'httpx[socks]'" in ends[0]


@pytest.mark.parametrize("exists", [True, False], ids=["of another kind", "gone"])
def test_certificates_that_cannot_be_read_name_the_variable(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "authorities.pem"
    if exists:
        path.write_text("no certificate")
    ends = outcomes(SERVICE, SSL_CERT_FILE=str(path))
    assert len(set(ends)) == 1
    assert ends[0].startswith("APIConnectionError: the environment variable SSL_CERT_FILE is")
    assert str(path) in ends[0]


# --- through a proxy --------------------------------------------------------------------------


class Proxy(socketserver.ThreadingTCPServer):
    """Speaks HTTP and SOCKS 5, and leads to one server, wherever a request wants to go."""

    daemon_threads = True

    def __init__(self, target: int) -> None:
        self.target = target
        self.wanted: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        first = self.rfile.read(1)
        begun = self.accept_socks() if first == b"\x05" else self.accept_http(first)
        with socket.create_connection(("127.0.0.1", self.server.target)) as onward:
            onward.sendall(begun)
            back = threading.Thread(target=pump, args=(onward, self.request))
            back.start()
            pump_file(self.rfile, onward)
            back.join()

    def accept_socks(self) -> bytes:
        self.rfile.read(self.rfile.read(1)[0])  # the ways to sign in
        self.wfile.write(b"\x05\x00")
        self.rfile.read(4)
        host = self.rfile.read(self.rfile.read(1)[0]).decode()
        self.rfile.read(2)
        self.server.wanted.append(f"socks {host}")
        self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
        return b""

    def accept_http(self, first: bytes) -> bytes:
        method, url, version = (first + self.rfile.readline()).split(b" ", 2)
        self.server.wanted.append(f"http {httpx.URL(url.decode()).host}")
        return (
            b" ".join([method, httpx.URL(url.decode()).raw_path, version])
            + b"Connection: close\r\n"
        )


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)


def pump_file(source: object, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.read1():  # type: ignore[attr-defined]
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy(server: LocalDashScope) -> Iterator[Proxy]:
    port = httpx.URL(server.base_url).port
    assert port
    with Proxy(port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("variable", "scheme", "kind"),
    [
        ("HTTP_PROXY", "http", "http"),
        ("ALL_PROXY", "socks", "socks"),
        ("all_proxy", "socks5", "socks"),
    ],
)
def test_requests_go_through_the_proxy_of_the_environment(
    proxy: Proxy, variable: str, scheme: str, kind: str
) -> None:
    pytest.importorskip("socksio")
    ends = outcomes(SERVICE, **{variable: f"{scheme}://{proxy.address}"})
    assert ends[:FOUR] == ["ok"] * FOUR
    assert set(proxy.wanted) == {f"{kind} service.example"}
