"""Who may use the page's server: the page itself, with its token, and nobody else."""

from __future__ import annotations

import socket
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from langchain_qwen_audio._web_page.access import MAX_RECORDING_BYTES, SUBPROTOCOL
from tests.unit_tests._web_page.conftest import TOKEN
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from tests.unit_tests._web_page.conftest import Served

OTHER_SITE = "http://evil.example"
TALK = "/page/talk?model=qwen3.5-omni-flash-realtime&rate=16000"


TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
}
STATIC = Path(str(files("langchain_qwen_audio._web_page") / "static"))


def test_files_need_no_token_and_let_the_browser_load_nothing_else(page: Served) -> None:
    for file in STATIC.iterdir():
        path = "/" if file.name == "index.html" else f"/page/{file.name}"
        reply = page.request(path, headers={"x-page-token": ""})
        assert reply.status_code == 200, file
        assert reply.content == file.read_bytes(), file
        assert reply.headers["content-type"] == TYPES[file.suffix], file
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy, file
        assert "unsafe" not in policy, file
        assert "http" not in policy, file
        assert reply.headers["referrer-policy"] == "no-referrer", file
        assert reply.headers["x-content-type-options"] == "nosniff", file
        assert "access-control-allow-origin" not in reply.headers, file


REFUSED: dict[str, tuple[dict[str, str], int, str]] = {
    "no token": ({"x-page-token": ""}, 403, "the token is missing or old"),
    "an old token": ({"x-page-token": "t0ken_-B"}, 403, "the token is missing or old"),
    "a token of odd letters": ({"x-page-token": "\xfc"}, 403, "the token is missing or old"),
    "another site": ({"origin": OTHER_SITE}, 403, f"a page of '{OTHER_SITE}' came"),
    "a sandboxed page": ({"origin": "null"}, 403, "a page of 'null' came"),
    "another port": ({"origin": "http://127.0.0.1:1"}, 403, "a page of 'http://127.0.0.1:1'"),
    "another name of this machine": ({"host": "evil.example:80"}, 421, "Host is 'evil.example:80'"),
    "a name that begins so": ({"host": "127.0.0.1.evil.example"}, 421, "Host is"),
    "no name": ({"host": ""}, 421, "Host is ''"),
}


def test_others_are_refused(page: Served) -> None:
    for what, (headers, status, reason) in REFUSED.items():
        raw = {name: value.encode("latin-1") for name, value in headers.items()}
        reply = page.request("/page/choices", headers=raw)
        assert reply.status_code == status, what
        assert reason in reply.json()["error"], what
        assert reply.json()["text"] == ("no_token" if "token" in what else None), what


def test_the_page_itself_is_not_given_to_others(page: Served) -> None:
    for what in ("another name of this machine", "another site"):
        headers, status, _ = REFUSED[what]
        assert page.request("/", headers=headers).status_code == status, what


def test_a_forwarded_port_and_localhost_are_the_page_too(page: Served) -> None:
    for host in ("localhost", "localhost:9000", "127.0.0.1:9000"):
        headers = {"host": host, "origin": f"http://{host}"}
        assert page.request("/page/choices", headers=headers).status_code == 200, host


async def handshake(page: Served, *, token: str, origin: str | None = None) -> int:
    async with aiohttp.ClientSession() as client:
        url = page.address.replace("http", "ws") + TALK
        try:
            async with client.ws_connect(url, protocols=[SUBPROTOCOL, token], origin=origin) as it:
                assert it.protocol == SUBPROTOCOL, "the token is not sent back"
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status


async def test_a_live_talk_needs_the_token_and_the_origin(page: Served) -> None:
    assert await handshake(page, token="wrong") == 403
    assert await handshake(page, token=TOKEN, origin=OTHER_SITE) == 403
    assert page.service.live_sessions == []
    assert await handshake(page, token=TOKEN, origin=page.address) == 101


def send_head(page: Served, *lines: str, to: str = "POST /page/ask") -> str:
    """Send the head of a request; return all that comes until the connection is closed."""
    host, port = page.address.removeprefix("http://").split(":")
    head = [f"{to} HTTP/1.1\r\nHost: {host}:{port}", f"X-Page-Token: {TOKEN}", *lines]
    with socket.create_connection((host, int(port)), timeout=HANG_S) as it:
        it.sendall("\r\n".join([*head, "", ""]).encode())
        return b"".join(iter(lambda: it.recv(10_000), b"")).decode()


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (f"Content-Length: {2 * MAX_RECORDING_BYTES}", "413", "209,715,200 bytes came, expected"),
        ("Transfer-Encoding: chunked", "411", "expected a Content-Length"),
    ],
)
def test_a_body_is_bounded_before_it_is_read(
    page: Served, line: str, status: str, reason: str
) -> None:
    reply = send_head(page, "Connection: close", line)
    assert reply.startswith(f"HTTP/1.1 {status}")
    assert reason in reply


def test_the_test_server_is_on_the_same_port_and_needs_no_token(page: Served) -> None:
    """A wrong `base_url` too leads to it: it says that it has no such path."""
    sent: dict[str, Any] = {"headers": {"x-page-token": ""}, "json": {}}
    for base in ("/api/v1", "/compatible-mode/v1", "/v1", "/page", "/page/ask", "", "/api"):
        reply = page.request(f"{base}/chat/completion", "POST", **sent)
        assert reply.status_code == 404
        assert f"The local test server has no POST {base}/chat/completion" in reply.text
        assert "content-security-policy" not in reply.headers


@pytest.mark.parametrize("to", ["POST /page/ask", "GET /"])
def test_two_lengths_are_refused_and_nothing_after_them_is_read(page: Served, to: str) -> None:
    """A proxy may go by the other one, and take the end of the body for a request."""
    body = "0\r\n\r\nGET / HTTP/1.1"
    reply = send_head(page, "Content-Length: 4", f"Transfer-Encoding: chunked\r\n\r\n{body}", to=to)
    assert reply.startswith("HTTP/1.1 400")
    assert "Content-Length and Transfer-Encoding came, expected Content-Length alone" in reply
    assert reply.count("HTTP/1.1") == 1
