"""A stand-in for DashScope on 127.0.0.1, for demos, notebooks and tests without a key or a network.

It imports nothing from the rest of the package, so that it cannot share a mistake with it, and
importing it loads neither the HTTP server, nor the audio codecs, nor Whisper.
"""

from langchain_qwen_audio.local._replies import (
    END,
    RESET,
    RawReply,
    ReceivedRequest,
    Reply,
    Scripted,
)
from langchain_qwen_audio.local._server import LocalDashScope
from langchain_qwen_audio.local._wire import error_reply, sse_event, stream_error_reply
from langchain_qwen_audio.local._wire_compatible import (
    compatible_error_reply,
    compatible_stream_error_reply,
)

__all__ = [
    "END",
    "RESET",
    "LocalDashScope",
    "RawReply",
    "ReceivedRequest",
    "Reply",
    "Scripted",
    "compatible_error_reply",
    "compatible_stream_error_reply",
    "error_reply",
    "sse_event",
    "stream_error_reply",
]
