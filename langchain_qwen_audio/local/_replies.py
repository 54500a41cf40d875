"""What a request brought, and what may be answered to it. Plain data: no I/O, no wire format."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

from langchain_qwen_audio.local._multipart import Form, parse_form

Kind: TypeAlias = Literal["generation", "policy", "upload", "other"]


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
        usage: Sent as it is, in every chunk, instead of the counted usage.
        finish_reason: The last chunk's; earlier ones say `"null"`.
        delay_s: Seconds before the first byte.
        pause_s: Seconds between the chunks of a stream.
        request_id: A new one is made when this is `None`.
        annotations: The message's `annotations`, as the speech recognition models return them.
    """

    text: str = ""
    fragments: tuple[str, ...] = ()
    usage: Mapping[str, Any] | None = None
    finish_reason: str = "stop"
    delay_s: float = 0
    pause_s: float = 0
    request_id: str | None = None
    annotations: Sequence[Mapping[str, Any]] | None = None

    def __post_init__(self) -> None:
        """Refuse an answer that says two things."""
        if self.text and self.fragments:
            msg = "Give a Reply either text or fragments: the fragments joined are the text."
            raise ValueError(msg)


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
        kind: Which part of the service it reached.
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
        """`input.messages` of a generation request."""
        messages: list[dict[str, Any]] = self.json["input"]["messages"]
        return messages

    @property
    def parameters(self) -> dict[str, Any]:
        """`parameters` of a generation request; empty when the client sent none."""
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
