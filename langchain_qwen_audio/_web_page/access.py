"""A request → refused or let through: only the page itself, opened with its token, is let through.

A page of another site can send requests to 127.0.0.1 too, also under a name of its own that leads
there (DNS rebinding). The name is in `Host`, the other page in `Origin`, and neither has the token.
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_RECORDING_BYTES = 100 * 1024 * 1024
_MAX_FORM_BYTES = MAX_RECORDING_BYTES + 1024 * 1024  # with the question and what is around both
TOKEN_HEADER = "x-page-token"  # noqa: S105  # its name
SUBPROTOCOL = "qwen-audio-page"  # of the WebSocket, whose second one is the token
_NAMES = ("127.0.0.1", "localhost")
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; media-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class _Refused(NamedTuple):
    status: int
    reason: str
    text: str | None = None  # what the page says, by its name there; without it, the reason
    ends_connection: bool = False


class PageGuard:
    """An ASGI application in front of the page's, which it protects."""

    def __init__(
        self, app: ASGIApp, token: str, paths: frozenset[str], public_paths: frozenset[str]
    ) -> None:
        """Protect an application.

        Args:
            app: The application.
            token: What requests must have.
            paths: All paths of the application.
            public_paths: Those of files, which hold no secret and need no token.
        """
        self._app = app
        self._token = token
        self.paths = paths
        self._public_paths = public_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        if refused := self._refuse(scope):
            await _answer(refused, scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _refuse(self, scope: Scope) -> _Refused | None:
        headers = Headers(scope=scope)
        if {"content-length", "transfer-encoding"} <= {*headers.keys()}:
            return _Refused(
                400,
                "Content-Length and Transfer-Encoding came, expected Content-Length alone: where "
                "the body ends would be a guess",
                ends_connection=True,  # where the next request begins would be one too
            )
        host = headers.get("host", "")
        if host.rpartition(":")[0] not in _NAMES and host not in _NAMES:
            return _Refused(421, f"Host is {host!r}; the page is at 127.0.0.1 or localhost")
        origin = headers.get("origin")
        if origin not in {None, f"http://{host}"}:
            return _Refused(403, f"a page of {origin!r} came, expected the page of http://{host}")
        if scope["path"] in self._public_paths:
            return None
        if not hmac.compare_digest(_token_of(scope, headers).encode(), self._token.encode()):
            return _Refused(
                403,
                "the token is missing or old: open the address that qwen-audio serve printed in "
                "the terminal",
                text="no_token",
            )
        return _refuse_body(scope, headers)


def _token_of(scope: Scope, headers: Headers) -> str:
    """Find the token. A browser cannot add a header to a WebSocket, but subprotocols."""
    if scope["type"] == "http":
        return headers.get(TOKEN_HEADER, "")
    offered: list[str] = scope["subprotocols"]
    return offered[1] if offered[:1] == [SUBPROTOCOL] and len(offered) == 2 else ""


def _refuse_body(scope: Scope, headers: Headers) -> _Refused | None:
    """Refuse a body by its length, which the HTTP server holds it to."""
    if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
        return None
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return _Refused(411, "a body of unknown length came, expected a Content-Length")
    if int(length) > _MAX_FORM_BYTES:
        return _Refused(
            413,
            f"{int(length):,} bytes came, expected a recording of at most "
            f"{MAX_RECORDING_BYTES:,} bytes",
        )
    return None


async def _answer(refused: _Refused, scope: Scope, receive: Receive, send: Send) -> None:
    body: dict[str, Any] = {"error": refused.reason, "text": refused.text}
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": refused.reason})
        return
    headers = {"connection": "close"} if refused.ends_connection else None
    response = Response(json.dumps(body), refused.status, headers, "application/json")
    await response(scope, receive, send)
