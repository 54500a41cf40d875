"""One client's connection: counted, and able to break on purpose."""

import asyncio
import logging
import socket
import struct
import sys

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from langchain_qwen_audio.local._traffic import Traffic

# struct linger {on, 0 seconds}: closing then discards what is unsent and sends a TCP RST.
_LINGER_0 = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class Connection(H11Protocol):
    """Uvicorn's HTTP/1.1 on one socket.

    An ASGI application never sees the socket it answers on, and a broken connection cannot be said
    in ASGI. So each request finds its connection in `scope["state"]["connection"]`.
    """

    def __init__(self, config: Config, state: ServerState, traffic: Traffic) -> None:
        """Serve `config.app` and count in `traffic`."""
        super().__init__(config, state, {"connection": self})
        # Our own logger: uvicorn's belong to the application, which may run under uvicorn itself.
        self.logger = logging.getLogger("langchain_qwen_audio.local")
        self.access_log = False
        self._traffic = traffic

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the client in."""
        # asyncio sets this only on sockets made with proto=IPPROTO_TCP, which create_server's are
        # not; without it every reply on a kept connection waits 40 ms for a delayed ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._traffic.accepted += 1
        self._traffic.open += 1
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count the client out."""
        self._traffic.open -= 1
        if self._is_answering():
            self._traffic.disconnects += 1
        super().connection_lost(exc)

    def reset(self) -> None:
        """Break the connection with a TCP RST."""
        if self._is_answering():  # otherwise the client left first, and the socket is closed
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0
            )
        self.shutdown()

    def end(self) -> None:
        """Send what is written, then close the connection in mid-response."""
        self._give_up()
        self.transport.close()

    def shutdown(self) -> None:
        """Drop the connection without waiting for its response."""
        self._give_up()
        self.transport.abort()

    def _is_answering(self) -> bool:
        return (
            self.cycle is not None
            and not self.cycle.response_complete
            and not self.cycle.disconnected
        )

    def _give_up(self) -> None:
        """Let uvicorn take the client for gone: it would report an unfinished response."""
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
