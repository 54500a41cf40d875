"""What a worker and the process that started it send each other over a socket.

To the worker: single bytes. `JOB` carries a file's descriptor, and a message follows. `NEXT` is the
answer to each block; `STOP` ends a job early. From the worker: messages, each with a kind.
"""

from __future__ import annotations

import socket
import struct

JOB, NEXT, STOP = b"j", b"n", b"s"
# The worker runs; a block of samples; the end of a job: its result, its error, a bug of ours.
READY, BLOCK, RESULT, ERROR, BUG = b"R", b"B", b"r", b"e", b"b"
_HEAD = struct.Struct("<cI")


def send_message(to: socket.socket, kind: bytes, body: bytes | bytearray = b"") -> None:
    """Send a message.

    Raises:
        OSError: The other process has ended.
    """
    to.sendall(_HEAD.pack(kind, len(body)) + body)


def receive_message(of: socket.socket) -> tuple[bytes, bytes]:
    """Receive the kind and the body of a message.

    Raises:
        EOFError: The other process has ended.
    """
    kind, size = _HEAD.unpack(_receive(of, _HEAD.size))
    return kind, _receive(of, size)


def _receive(of: socket.socket, size: int) -> bytes:
    pieces, left = [], size
    while left:
        pieces.append(piece := of.recv(min(left, 1 << 20), socket.MSG_WAITALL))
        if not piece:
            raise EOFError
        left -= len(piece)
    return b"".join(pieces)  # one piece is not copied
