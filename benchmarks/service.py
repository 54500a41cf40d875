"""A server written for speed: fixed replies in both protocols, from a separate process.

    with Service() as service:
        service.url(delay_ms=100) + NATIVE  # DashScope's native protocol
        service.url() + OPENAI              # the OpenAI-compatible one
        service.seen()                      # requests and bytes so far

Its cost is the same for every client, and small: about a tenth of a millisecond.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import urllib.request
from typing import Any, ClassVar, NamedTuple

from benchmarks.server_process import ServerProcess

NATIVE = "/api/v1"
OPENAI = "/compatible-mode/v1"
PIECES = 50  # of a stream
STREAMS = (b'"stream":true', b'"stream": true')
POLICY = {
    "data": {
        "policy": "eyJ9",
        "signature": "c2ln",
        "upload_dir": "dashscope-instant/benchmark",
        "upload_host": "",
        "expire_in_seconds": 300,
        "max_file_size_mb": 100,
        "oss_access_key_id": "LTAI",
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    }
}


class Seen(NamedTuple):
    """What the server has received, without the requests for these counts."""

    body_bytes: int
    times_s: list[float]  # of requests, by a clock of the server's

    @property
    def requests(self) -> int:
        """How many came."""
        return len(self.times_s)


class Service(ServerProcess):
    """The server, while the context lasts."""

    module = "benchmarks.service"

    def url(self, *, delay_ms: int = 0) -> str:
        """Make the address, without a protocol's path, of a server that answers after a delay."""
        return f"{self._host}/{delay_ms}"

    def seen(self) -> Seen:
        """Read what it has received since the last call."""
        with urllib.request.urlopen(f"{self._host}/seen") as reply:  # noqa: S310  # our own
            return Seen(**json.load(reply))


# --- the process ------------------------------------------------------------------------------


def _whole(protocol: str) -> bytes:
    message = {"role": "assistant", "content": "A woman says welcome."}
    if protocol == NATIVE:
        message["content"] = [{"text": "A woman says welcome."}]  # type: ignore[assignment]
        return _json({
            "output": {"choices": [{"finish_reason": "stop", "message": message}]},
            "usage": {"input_tokens": 33, "output_tokens": 10, "audio_tokens": 85},
            "request_id": "b0b5b5b0-0000-9000-8000-000000000000",
        })  # fmt: skip
    return _json({
        "id": "chatcmpl-b0b5b5b0",
        "object": "chat.completion",
        "created": 1760000000,
        "model": "benchmark",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 118, "completion_tokens": 10, "total_tokens": 128},
    })  # fmt: skip


def _events(protocol: str) -> list[bytes]:
    """Make a stream: the fragments, and what ends it."""
    texts = [f"word{number} " for number in range(PIECES)]
    if protocol == NATIVE:
        ends: list[tuple[Any, str]] = [
            *(([{"text": text}], "null") for text in texts),
            ([], "stop"),
        ]
        return [
            f"id:{number}\nevent:result\n:HTTP_STATUS/200\ndata:".encode()
            + _json({
                "output": {"choices": [{"message": {"role": "assistant", "content": content},
                                        "finish_reason": reason}]},
                "usage": {"input_tokens": 33, "output_tokens": number, "audio_tokens": 85},
                "request_id": "b0b5b5b0-0000-9000-8000-000000000000",
            })
            + b"\n\n"
            for number, (content, reason) in enumerate(ends, 1)
        ]  # fmt: skip
    base = {
        "id": "chatcmpl-b0b5b5b0",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "benchmark",
    }
    deltas: list[tuple[dict[str, str], str | None]] = [
        *(({"role": "assistant", "content": text}, None) for text in texts),
        ({}, "stop"),
    ]
    chunks: list[dict[str, Any]] = [
        base | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        for delta, reason in deltas
    ]
    usage = {"prompt_tokens": 118, "completion_tokens": PIECES, "total_tokens": 118 + PIECES}
    chunks.append(base | {"choices": [], "usage": usage})
    return [b"data: " + _json(chunk) + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class _Connection(asyncio.Protocol):
    """One connection: request after request, each answered as its path says."""

    # Of all connections, since they were read last.
    body_bytes = 0
    times_s: ClassVar[list[float]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self._transport = transport
        self._head = b""
        self._left = 0  # bytes of the body that are still to come, if there is a head
        self._is_stream = False
        self._path = ""
        self._tail = b""

    def data_received(self, data: bytes) -> None:
        if not self._path:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            self._path = head.split(b" ", 2)[1].decode()
            head = head.lower()
            length = re.search(rb"content-length: *(\d+)", head)
            self._chunked = b"transfer-encoding: chunked" in head
            self._left = int(length[1]) if length else 0
            self._is_stream = b"x-dashscope-sse" in head
            self._tail = b""
            if b"expect: 100-continue" in head:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._left -= len(data)
        type(self).body_bytes += len(data)
        # The field that requests a stream is in the first or last few bytes of a body.
        if not self._tail or self._left <= 0:
            self._is_stream |= any(sign in data[:4096] or sign in data[-4096:] for sign in STREAMS)
        self._tail = (self._tail + data[-8:])[-8:]
        ended = self._tail.endswith(b"0\r\n\r\n") if self._chunked else self._left <= 0
        if ended:
            path, self._path = self._path, ""
            self._answer(path)

    def _answer(self, path: str) -> None:
        cls = type(self)
        if path == "/seen":
            seen = Seen(cls.body_bytes, cls.times_s)
            cls.body_bytes, cls.times_s = 0, []
            self._reply(_json(seen._asdict()))
            return
        cls.times_s.append(time.monotonic())
        _, delay_ms, rest = path.split("/", 2)
        if rest.startswith("api/v1/uploads"):
            host, port = self._transport.get_extra_info("sockname")
            POLICY["data"]["upload_host"] = f"http://{host}:{port}/0/upload"
            self._reply(_json(POLICY))
        elif rest == "upload":
            self._reply(b"")
        else:
            protocol = NATIVE if rest.startswith("api") else OPENAI
            asyncio.get_running_loop().call_later(
                int(delay_ms) / 1000, self._say, protocol, self._is_stream
            )

    def _say(self, protocol: str, is_stream: bool) -> None:
        if self._transport.is_closing():
            return
        if not is_stream:
            self._reply(_WHOLE[protocol])
            return
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream;charset=UTF-8\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        for event in _STREAMS[protocol]:
            if not self._transport.is_closing():
                self._transport.write(event)  # one by one, as a model sends them

    def _reply(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
            % (len(body), body)
        )


_WHOLE = {protocol: _whole(protocol) for protocol in (NATIVE, OPENAI)}
_STREAMS = {
    protocol: [*map(_chunk, _events(protocol)), b"0\r\n\r\n"] for protocol in (NATIVE, OPENAI)
}


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=2048)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
