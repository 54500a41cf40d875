"""What the server has received: its connections and its requests."""

import threading
from collections import deque
from dataclasses import dataclass

from langchain_qwen_audio.local._received_request import ReceivedRequest

_MAX_LOG_BYTES = 256 * 1024 * 1024


@dataclass
class Traffic:
    """Connections; only the server's thread writes.

    Attributes:
        open: Sockets open now.
        accepted: Sockets ever accepted.
        disconnects: Responses that the client did not stay for.
    """

    open: int = 0
    accepted: int = 0
    disconnects: int = 0


class RequestLog:
    """The latest requests, bodies included, for any thread to read."""

    def __init__(self, max_requests: int) -> None:
        """Keep that many at most, and 256 MiB of bodies."""
        self._max_requests = max_requests
        self._requests: deque[ReceivedRequest] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def append(self, request: ReceivedRequest) -> None:
        """Keep a request and forget the oldest that no longer fit."""
        with self._lock:
            self._requests.append(request)
            self._bytes += len(request.body)
            while len(self._requests) > self._max_requests or (
                self._bytes > _MAX_LOG_BYTES and len(self._requests) > 1
            ):
                self._bytes -= len(self._requests.popleft().body)

    def snapshot(self) -> list[ReceivedRequest]:
        """Return the requests kept, oldest first."""
        with self._lock:
            return list(self._requests)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._requests.clear()
            self._bytes = 0
