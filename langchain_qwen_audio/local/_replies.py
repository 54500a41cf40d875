"""What a request brought, and what may be answered to it. Plain data: no I/O, no wire format."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from langchain_qwen_audio.local._multipart import Form, parse_form

Kind: TypeAlias = Literal["generation", "chat", "policy", "upload", "other"]


class Break(Enum):
    """A way to break the connection, as a step of a `RawReply`."""

    RESET = "reset"
    END = "end"


RESET: Final = Break.RESET
"""Reset the connection (TCP RST): the client's next read fails."""

END: Final = Break.END
"""Close the connection (TCP FIN) without finishing the response."""


@dataclass(frozen=True)
class Reply:
    """What the model answers; the stand-in puts it on the wire as the service would.

    Attributes:
        text: The whole answer. A stream cuts it into words.
        fragments: The answer as a stream cuts it, instead of `text`. An empty fragment becomes a
            chunk with `content: []`, which the service does send in mid-stream.
        usage: Sent as it is, wherever usage is sent, instead of the counted usage.
        finish_reason: The last chunk's; earlier ones say `"null"`, or `null` on the compatible
            path. By default "stop", or "tool_calls" where there are some.
        delay_s: Seconds before the first byte.
        pause_s: Seconds between the chunks of a stream.
        request_id: A new one is made when this is `None`.
        annotations: The message's `annotations`, as the speech recognition models return them.
        reasoning: What it thinks before, as `reasoning_content`; on the compatible path alone.
        tool_calls: What it calls, after its text: each a mapping with `name`, `arguments` (JSON, or
            what becomes JSON) and, if it is to be known, `id`.
        audio: What it says aloud, after its text: raw PCM, 16-bit little endian, mono, 24 kHz; on
            the compatible path alone. It goes out as one base64 text, cut anywhere.
        audio_piece: How many characters of that text each chunk of a stream holds.
        model: The reply's `model`; by default the one asked for, and none natively.
    """

    text: str = ""
    fragments: tuple[str, ...] = ()
    usage: Mapping[str, Any] | None = None
    finish_reason: str | None = None
    delay_s: float = 0
    pause_s: float = 0
    request_id: str | None = None
    annotations: Sequence[Mapping[str, Any]] | None = None
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    audio: bytes = b""
    audio_piece: int = 4096
    model: str | None = None

    def __post_init__(self) -> None:
        """Refuse an answer that says two things, or speech in no pieces."""
        if self.text and self.fragments:
            msg = "Give a Reply either text or fragments: the fragments joined are the text."
            raise ValueError(msg)
        if self.audio_piece < 1:
            msg = f"audio_piece must be 1 or more, not {self.audio_piece}."
            raise ValueError(msg)

    @property
    def ending(self) -> str:
        """The last chunk's `finish_reason`."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


@dataclass(frozen=True)
class RawReply:
    """Exactly what goes on the wire, so that every fault of a service or a proxy is data.

    The status line and the headers go out with the first bytes: `b""` sends them alone, and a
    reply that breaks before any bytes sends nothing at all. Only a `server` header is added, and
    `transfer-encoding: chunked` when no `content-length` is given.

    Attributes:
        status: HTTP status.
        headers: Response headers.
        steps: Bytes of the body to write, seconds to wait (`math.inf`: until the client leaves),
            or `RESET` or `END` to break the connection there.
        after_bytes: Of an upload alone: how much of the file's request is waited for, instead of
            all of it; such a request is not logged.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[bytes | float | Break] = ()
    after_bytes: int | None = None


@dataclass(frozen=True)
class ReceivedRequest:
    """One request whose body has fully arrived.

    Attributes:
        kind: Which part of the service it reached: "generation" is the native path for questions,
            "chat" the OpenAI-compatible one.
        method: HTTP method, in capitals.
        path: Without the query.
        query: The last value of every query parameter.
        headers: Names in lower case.
        body: As it arrived.
    """

    kind: Kind
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(self.body)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation of a generation request or a chat, as it was sent."""
        body = self.json if self.kind == "chat" else self.json["input"]
        messages: list[dict[str, Any]] = body["messages"]
        return messages

    @property
    def parameters(self) -> dict[str, Any]:
        """All else: `parameters` of a generation request, the other fields of a chat."""
        if self.kind == "chat":
            return {
                name: value
                for name, value in self.json.items()
                if name not in {"model", "messages"}
            }
        parameters: dict[str, Any] = self.json.get("parameters") or {}
        return parameters

    @cached_property
    def form(self) -> Form:
        """The fields and the file of an upload.

        Raises:
            ValueError: The body is not multipart/form-data.
        """
        return parse_form(self.headers.get("content-type", ""), self.body)


Scripted: TypeAlias = str | Reply | RawReply | Callable[[ReceivedRequest], str | Reply | RawReply]
"""A reply, its text alone, or a function that makes it; the function runs in a worker thread."""
