"""A server that writes raw bytes: headers in pieces, and bytes after the end of a reply."""

from __future__ import annotations

import contextlib
import json
import re
import socketserver
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Step = bytes | float | Callable[[], object]


def http(text: str) -> bytes:
    """Write a whole reply of the service, with its headers."""
    message = {"role": "assistant", "content": [{"text": text}]}
    choices = [{"finish_reason": "stop", "message": message}]
    body = json.dumps({"output": {"choices": choices}, "request_id": "r"}).encode()
    headers = f"content-type: application/json\r\ncontent-length: {len(body)}"
    return f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body


class RawServer(socketserver.ThreadingTCPServer):
    """Answers each request with the next steps: bytes to write, seconds to wait, and calls.

    Attributes:
        connections: How many there were.
        requests: How many came on all of them.
        ended: How many connections the clients have closed.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, replies: Sequence[Sequence[Step]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies = iter(replies)
        self.connections = self.requests = self.ended = 0
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/api/v1"


class _Handler(socketserver.StreamRequestHandler):
    server: RawServer

    def handle(self) -> None:
        self.server.connections += 1
        with contextlib.suppress(ConnectionError):
            while self._read_request():
                self.server.requests += 1
                for step in next(self.server.replies):
                    if isinstance(step, bytes):
                        self.wfile.write(step)
                    elif callable(step):
                        step()
                    else:
                        time.sleep(step)
        self.server.ended += 1

    def _read_request(self) -> bool:
        length = 0
        while (line := self.rfile.readline()) not in {b"\r\n", b""}:
            if found := re.match(rb"content-length: (\d+)", line, re.IGNORECASE):
                length = int(found[1])
        while length > 0:  # in pieces, for tests of how much memory a request takes
            length -= len(self.rfile.read(min(length, 65_536))) or length
        return bool(line)


@contextlib.contextmanager
def raw_server(*replies: Sequence[Step]) -> Iterator[RawServer]:
    with RawServer(replies) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()
