"""A local test server of DashScope on 127.0.0.1, for demos, notebooks and tests without a key.

It imports nothing from the rest of the package, so that it cannot share a mistake with it, and
importing it loads neither the HTTP server, nor the audio codecs, nor Whisper. Scripted replies need
the base install alone; transcripts and uploads need `pip install "langchain-qwen-audio[local]"`,
and transcripts of other languages than English `"langchain-qwen-audio[local-multilingual]"`.
"""

from langchain_qwen_audio.local._live.endpoint import LiveRecord
from langchain_qwen_audio.local._protocols.native import (
    error_reply,
    sse_event,
    stream_error_reply,
)
from langchain_qwen_audio.local._protocols.openai import (
    compatible_error_reply,
    compatible_stream_error_reply,
)
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._replies import (
    END,
    RESET,
    CloseCode,
    JobFailure,
    LiveReply,
    RawReply,
    Reply,
    Scripted,
)
from langchain_qwen_audio.local._server import LocalDashScope

__all__ = [
    "END",
    "RESET",
    "CloseCode",
    "JobFailure",
    "LiveRecord",
    "LiveReply",
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
